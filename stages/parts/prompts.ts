/** What samples begin with: a text, nothing, or the header or first bars of tunes of the test split. */
import { opening, TuneState } from '../../lib/music/index.ts';
import { type Tokenizer, TokenStore } from '../../lib/tokenizer/index.ts';
import type { Params } from './params.ts';
import { StageError } from './stage.ts';

/** The beginning of a sample. */
export interface Prompt {
  text: string;
  /** bars of each voice in it */
  bars: number;
  /** index of the tune in the test split, if it is the beginning of one */
  tune?: number;
}

/**
 * The prompts of a run: sample i begins with prompt i mod their number.
 *
 * @param count how many are needed at most
 * @throws StageError if a prompt is not of the dialect, or the test split has no tune
 */
export async function readPrompts(
  tokens: string,
  tokenizer: Tokenizer,
  { prompt, prompt_bars: bars }: Params['generate'],
  count: number,
): Promise<Prompt[]> {
  if (prompt === 'none') return [{ text: '', bars: 0 }];
  if (prompt !== 'header' && prompt !== 'bars') return [{ text: prompt, bars: 0 }];
  const prompts: Prompt[] = [];
  for (const [tune, abc] of (await testTunes(tokens, tokenizer, count)).entries())
    prompts.push({ ...opening(abc, prompt === 'bars' ? bars : 0), tune });
  if (prompts.length === 0)
    throw new StageError(`generate.prompt is ${prompt}, but the test split has no tune to begin with; write none`);
  return prompts;
}

/** The texts of the first tunes of the test split. */
async function testTunes(tokens: string, tokenizer: Tokenizer, count: number): Promise<string[]> {
  const store = TokenStore.open(tokens);
  const texts: string[] = [];
  let at = 0;
  for (const { tokens: length } of store.documents('test')) {
    if (texts.length >= count) break;
    // The end of the text decodes to nothing.
    texts.push(tokenizer.decode(store.window('test', at, length)));
    at += length;
  }
  await store.close();
  return texts;
}

/**
 * The state of a tune after the prompt.
 *
 * @throws StageError naming the first character of the prompt that the dialect does not have
 */
export function stateAfter(prompt: string, { grid, tuplets }: { grid: number; tuplets?: boolean }): TuneState {
  const state = new TuneState({ grid, tuplets });
  const accepted = state.acceptAll(prompt);
  if (accepted === prompt.length) return state;
  const lines = prompt.slice(0, accepted).split('\n');
  const found = JSON.stringify(prompt.slice(accepted).split('\n')[0] || '\n');
  throw new StageError(
    `generate.prompt, line ${lines.length}, column ${lines.at(-1)!.length + 1}: ${found} cannot stand here in the dialect of docs/music.md. ` +
      'Change the prompt, or set generate.count to 0: free samples can have any prompt.',
  );
}
