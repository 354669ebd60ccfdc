/**
 * Samples tunes from MODEL with the tokenizer of TOKENS: SAMPLES/001.abc, 001.mid …, each checked and measured.
 *
 * `generate.count` samples follow the rules of the dialect: each token is one with which the tune can still become
 * whole. They are music to listen to. `generate.free` samples (free-001.abc …) are drawn without rules. They measure
 * what the model knows.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openEngine, type SampleOptions, sample } from '../lib/engine/index.ts';
import { loadCheckpoint } from '../lib/models/index.ts';
import {
  abcToScore,
  MusicError,
  measure,
  readAbc,
  shapeOf,
  TuneState,
  trimToCompleteBars,
} from '../lib/music/index.ts';
import { wilsonInterval } from '../lib/scaling/index.ts';
import { TextConstraint } from '../lib/tokenizer/index.ts';
import { loadModelTokenizer } from './model-tokenizer.ts';
import { StageError, stage } from './stage.ts';

await stage({
  name: 'generate',
  description: 'Samples tunes from MODEL and writes them to SAMPLES as ABC, and as MIDI where they can be read.',
  paths: ['MODEL', 'TOKENS', 'SAMPLES'],
  async run({ paths: [modelDir, tokens, out], params: { generate: settings, convert, train }, progress }) {
    const start = settings.count > 0 ? stateAfter(settings.prompt, convert) : new TuneState();
    const { config, weights } = await loadCheckpoint(modelDir);
    const tokenizer = await loadModelTokenizer(tokens, modelDir, config);
    const engine = await openEngine({ name: train.engine, precision: train.precision, threads: 1 });
    const model = engine.model(config, { weights });
    await mkdir(out, { recursive: true });

    /** Draws samples, writes them as PREFIX001.abc …, and counts the valid ones. */
    async function draw(prefix: string, count: number, constrain?: SampleOptions['constrain']) {
      if (count === 0) return { samples: 0, valid: 0, playable: 0, each: [] };
      const streams = await sample({
        model,
        prompt: [tokenizer.endOfText, ...tokenizer.encode(settings.prompt)],
        count,
        maxTokens: settings.max_tokens,
        temperature: settings.temperature,
        topK: settings.top_k,
        topP: settings.top_p,
        seed: settings.seed,
        endOfText: tokenizer.endOfText,
        constrain,
        onProgress: progress.update,
      });
      const each = [];
      for (const [i, ids] of streams.entries()) {
        const name = prefix + String(i + 1).padStart(3, '0');
        const text = settings.prompt + tokenizer.decode(ids);
        const ended = ids.length < settings.max_tokens;
        const abc = constrain === undefined ? withoutLastBar(text) : ended ? text : wholeBars(text);
        each.push({ name, ended, ...(await writeSample(join(out, name), abc)) });
      }
      const valid = each.filter((sample) => sample.valid).length;
      const playable = each.filter((sample) => sample.bars > 0).length;
      const [valid_share_low, valid_share_high] = wilsonInterval(valid, count);
      const shares = { valid_share: valid / count, valid_share_low, valid_share_high };
      return { samples: count, valid, playable, ...shares, each };
    }

    const ruled = await draw('', settings.count, () => new TextConstraint(tokenizer, start.copy()));
    const free = await draw('free-', settings.free);
    model.dispose();
    return { ...ruled, free };
  },
});

/**
 * The state of a tune after the prompt.
 *
 * @throws StageError naming the first character of the prompt that the dialect does not have
 */
function stateAfter(prompt: string, { grid, tuplets }: { grid: number; tuplets?: boolean }): TuneState {
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

/** The text without the bar in which it was cut off. */
function withoutLastBar(text: string): string {
  return `${text.slice(0, text.lastIndexOf('|') + 1) || text.trimEnd()}\n`;
}

/** The whole bars of a text that follows the rules but was cut off. If it has none, the text. */
function wholeBars(text: string): string {
  try {
    return trimToCompleteBars(text).abc;
  } catch (error) {
    if (error instanceof MusicError) return withoutLastBar(text);
    throw error;
  }
}

/**
 * Writes one sample as ABC, and as MIDI if any of it can be played.
 *
 * A sample is valid if checkAbc finds no problem: all voices have the same number of bars, each bar is as long as its
 * metre, and each tie is continued. The text is parsed once for the check, the MIDI file and the bars.
 */
async function writeSample(path: string, abc: string) {
  await writeFile(`${path}.abc`, abc);
  const { problems, toMidi, toScore } = readAbc(abc);
  const first = problems[0] && `line ${problems[0].line}, column ${problems[0].column}: ${problems[0].message}`;
  const checked = { valid: problems.length === 0, problems: problems.length, problem: first, characters: abc.length };
  try {
    const midi = toMidi();
    await writeFile(`${path}.mid`, midi);
    return { ...checked, bars: shapeOf(toScore()).bars, valid_bars: validBars(abc), measures: measure(midi) };
  } catch (error) {
    if (!(error instanceof MusicError)) throw error;
    return { ...checked, bars: 0, valid_bars: 0, problem: error.message };
  }
}

/** Counts the bars before the first problem. */
function validBars(abc: string): number {
  try {
    return shapeOf(abcToScore(trimToCompleteBars(abc).abc)).bars;
  } catch (error) {
    if (error instanceof MusicError) return 0;
    throw error;
  }
}
