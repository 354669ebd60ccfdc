/**
 * Samples tunes from MODEL with the tokenizer of TOKENS: SAMPLES/001.abc, 001.mid …, each checked and measured.
 *
 * `generate.count` samples follow the rules of the dialect: each token is one with which the tune can still become
 * whole. They are music to listen to. `generate.free` samples (free-001.abc …) are drawn without rules. They measure
 * what the model knows. `generate.prompt` says what they begin with, see prompts.ts.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openEngine, sample } from '../lib/engine/index.ts';
import { countParameters, loadCheckpoint } from '../lib/models/index.ts';
import {
  abcToScore,
  MusicError,
  measure,
  readAbc,
  shapeOf,
  trimToCompleteBars,
  withHeader,
} from '../lib/music/index.ts';
import { wilsonInterval } from '../lib/scaling/index.ts';
import { TextConstraint } from '../lib/tokenizer/index.ts';
import { engineWithoutGpu } from './parts/engine-without-gpu.ts';
import { loadModelTokenizer } from './parts/model-tokenizer.ts';
import { readPrompts, stateAfter } from './parts/prompts.ts';
import { stage } from './parts/stage.ts';

await stage({
  name: 'generate',
  description: 'Samples tunes from MODEL and writes them to SAMPLES as ABC, and as MIDI where they can be read.',
  paths: ['MODEL', 'TOKENS', 'SAMPLES'],
  async run({ paths: [modelDir, tokens, out], params: { generate: settings, convert, train }, progress }) {
    const { config, weights } = await loadCheckpoint(modelDir);
    const tokenizer = await loadModelTokenizer(tokens, modelDir, config);
    const count = Math.max(settings.count, settings.free);
    const prompts = count === 0 ? [] : await readPrompts(tokens, tokenizer, settings, count);
    if (settings.count > 0) for (const { text } of prompts) stateAfter(text, convert);
    const engine = await openEngine(engineWithoutGpu(train));
    const model = engine.model(config, { weights });
    await mkdir(out, { recursive: true });

    /** Draws samples, writes them as PREFIX001.abc …, and counts the valid ones. */
    async function draw(prefix: string, count: number, constrained: boolean) {
      if (count === 0) return { samples: 0, valid: 0, playable: 0, each: [] };
      const streams = await drawStreams(count, constrained);
      const each = [];
      for (const [i, ids] of streams.entries()) {
        const prompt = prompts[i % prompts.length];
        const name = prefix + String(i + 1).padStart(3, '0');
        const text = prompt.text + tokenizer.decode(ids);
        const ended = ids.length < settings.max_tokens;
        const isHeaderless = !/^K:/m.test(text);
        const abc = constrained
          ? ended
            ? text
            : wholeBars(text)
          : withoutLastBar(isHeaderless ? withHeader(text) : text);
        each.push({
          name,
          ended,
          ...(isHeaderless ? { header_inserted: true } : {}),
          ...(prompt.tune === undefined ? {} : { prompt_tune: prompt.tune, prompt_bars: prompt.bars }),
          ...(await writeSample(join(out, name), abc)),
        });
      }
      const valid = each.filter((sample) => sample.valid).length;
      const playable = each.filter((sample) => sample.bars > 0).length;
      const [valid_share_low, valid_share_high] = wilsonInterval(valid, count);
      const shares = { valid_share: valid / count, valid_share_low, valid_share_high };
      return { samples: count, valid, playable, ...shares, each };
    }

    /** Draws the tokens of samples, all at once: the decoder reads the weights once for a token of each. */
    function drawStreams(count: number, constrained: boolean): Promise<Uint32Array[]> {
      const texts = Array.from({ length: count }, (_, i) => prompts[i % prompts.length].text);
      const starts = constrained ? texts.map((text) => stateAfter(text, convert)) : undefined;
      return sample({
        model,
        prompts: texts.map((text) => [tokenizer.endOfText, ...tokenizer.encode(text)]),
        maxTokens: settings.max_tokens,
        temperature: settings.temperature,
        topK: settings.top_k,
        topP: settings.top_p,
        repetitionPenalty: settings.repetition_penalty,
        seed: settings.seed,
        endOfText: tokenizer.endOfText,
        constrain: starts && ((stream) => new TextConstraint(tokenizer, starts[stream])),
        onProgress: progress.update,
      });
    }

    const constrained = await draw('', settings.count, true);
    const free = await draw('free-', settings.free, false);
    model.dispose();
    const { architecture } = config;
    return { ...constrained, free, model: { architecture, params: countParameters(config).total } };
  },
});

/** The text without its last bar, in which it was cut off. */
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
