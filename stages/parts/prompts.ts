/** The prompts of samples: a text, nothing, or the header or first bars of tunes of the test split. */
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
  { prompt, prompt_bars, max_tokens }: Params['generate'],
  count: number,
): Promise<Prompt[]> {
  if (prompt === 'none') return [{ text: '', bars: 0 }];
  if (prompt !== 'header' && prompt !== 'bars') return [{ text: prompt, bars: 0 }];
  const bars = prompt === 'bars' ? prompt_bars : 0;
  const tunes = await testTunes(tokens, tokenizer, count, (abc) => hasRoom(abc, bars, max_tokens));
  const prompts = tunes.map(({ abc, tune }) => ({ ...opening(abc, bars), tune }));
  if (prompts.length === 0)
    throw new StageError(`generate.prompt is ${prompt}, but the test split has no tune to begin with; write none`);
  return prompts;
}

/** Bars that a sample should have room for, behind its prompt and in each voice. */
const LEAST_BARS = 4;

/** Whether `tokens` tokens leave room for LEAST_BARS bars of all voices after the first `bars` bars of the tune. */
function hasRoom(abc: string, bars: number, tokens: number): boolean {
  return opening(abc, bars + LEAST_BARS).text.length - opening(abc, bars).text.length <= tokens;
}

/** The first tunes of the test split that fit, each with its index; if none fits, the first ones. */
async function testTunes(
  tokens: string,
  tokenizer: Tokenizer,
  count: number,
  fits: (abc: string) => boolean,
): Promise<{ abc: string; tune: number }[]> {
  const store = TokenStore.open(tokens);
  const fitting: { abc: string; tune: number }[] = [];
  const first: { abc: string; tune: number }[] = [];
  let at = 0;
  for (const [tune, { tokens: length }] of store.documents('test').entries()) {
    if (fitting.length >= count) break;
    // The end of the text decodes to nothing.
    const abc = tokenizer.decode(store.window('test', at, length));
    if (first.length < count) first.push({ abc, tune });
    if (fits(abc)) fitting.push({ abc, tune });
    at += length;
  }
  await store.close();
  return fitting.length > 0 ? fitting : first;
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
      'Change the prompt, or draw free samples only, which can have any prompt (generate.count: 0, or --free by hand).',
  );
}
