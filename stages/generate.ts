/** Samples tunes from MODEL with the tokenizer of TOKENS: SAMPLES/001.abc, 001.mid …, each checked and measured. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openEngine, sample } from '../lib/engine/index.ts';
import { loadCheckpoint } from '../lib/models/index.ts';
import { abcToScore, MusicError, measure, readAbc, shapeOf, trimToCompleteBars } from '../lib/music/index.ts';
import { loadModelTokenizer } from './model-tokenizer.ts';
import { stage } from './stage.ts';

await stage({
  name: 'generate',
  description: 'Samples tunes from MODEL and writes them to SAMPLES as ABC, and as MIDI where they can be read.',
  paths: ['MODEL', 'TOKENS', 'SAMPLES'],
  async run({ paths: [modelDir, tokens, out], params: { generate: settings, train }, progress }) {
    const { config, weights } = await loadCheckpoint(modelDir);
    const tokenizer = await loadModelTokenizer(tokens, modelDir, config);
    const engine = await openEngine({ name: train.engine, precision: train.precision, threads: 1 });
    const model = engine.model(config, { weights });
    const streams = await sample({
      model,
      prompt: [tokenizer.endOfText, ...tokenizer.encode(settings.prompt)],
      count: settings.count,
      maxTokens: settings.max_tokens,
      temperature: settings.temperature,
      topK: settings.top_k,
      topP: settings.top_p,
      seed: settings.seed,
      endOfText: tokenizer.endOfText,
      onProgress: progress.update,
    });
    model.dispose();

    await mkdir(out, { recursive: true });
    const samples = [];
    for (const [i, ids] of streams.entries()) {
      const name = String(i + 1).padStart(3, '0');
      const text = settings.prompt + tokenizer.decode(ids);
      samples.push({ name, ended: ids.length < settings.max_tokens, ...(await writeSample(join(out, name), text)) });
    }
    const valid = samples.filter((sample) => sample.valid).length;
    const playable = samples.filter((sample) => sample.bars > 0).length;
    return { samples: samples.length, valid, playable, valid_share: valid / samples.length, each: samples };
  },
});

/**
 * Writes one sample as ABC, without the bar in which it was cut off, and as MIDI if any of it can be played.
 *
 * A sample is valid if checkAbc finds no problem: all voices have the same number of bars, each bar is as long as its
 * metre, and each tie is continued. The text is parsed once for the check, the MIDI file and the bars.
 */
async function writeSample(path: string, written: string) {
  const abc = `${written.slice(0, written.lastIndexOf('|') + 1) || written.trimEnd()}\n`;
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
