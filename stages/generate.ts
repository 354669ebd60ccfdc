/** MODEL and TOKENS → SAMPLES/001.abc, 001.mid …: what the model writes, cut to its last complete bar, checked and measured. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openEngine, sample } from '../lib/engine/index.ts';
import { loadCheckpoint } from '../lib/models/index.ts';
import { abcToMidi, abcToScore, MusicError, measure, shapeOf, trimToCompleteBars } from '../lib/music/index.ts';
import { loadTokenizer } from '../lib/tokenizer/index.ts';
import { stage } from './stage.ts';

await stage({
  name: 'generate',
  does: 'Samples tunes from MODEL and writes them to SAMPLES as ABC, and as MIDI where they can be read.',
  paths: ['MODEL', 'TOKENS', 'SAMPLES'],
  async run({ paths: [modelDir, tokens, out], params: { generate: settings, train }, progress }) {
    const { config, weights } = await loadCheckpoint(modelDir);
    const tokenizer = await loadTokenizer(join(tokens, 'tokenizer.json'));
    const engine = await openEngine({ name: train.engine, precision: train.precision, threads: 1 });
    const model = engine.model(config, { weights });
    const streams = await sample({
      model,
      prompt: [tokenizer.endOfText],
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
      const text = tokenizer.decode(ids);
      samples.push({ name, ended: ids.length < settings.max_tokens, ...(await write(join(out, name), text)) });
    }
    const valid = samples.filter((sample) => sample.valid).length;
    const playable = samples.filter((sample) => sample.bars > 0).length;
    return { samples: samples.length, valid, playable, valid_share: valid / samples.length, each: samples };
  },
});

/**
 * Writes what a model wrote up to its first error, or up to its last complete bar where there is none; a text in which no
 * bar is valid is kept as it is, without MIDI.
 */
async function write(path: string, written: string) {
  try {
    const { abc, dropped, problem } = trimToCompleteBars(written);
    const midi = abcToMidi(abc);
    await writeFile(`${path}.abc`, abc);
    await writeFile(`${path}.mid`, midi);
    const { bars } = shapeOf(abcToScore(abc));
    const where = problem && `line ${problem.line}, column ${problem.column}: ${problem.message}`;
    return {
      valid: problem === undefined,
      bars,
      characters: abc.length,
      dropped,
      problem: where,
      measures: measure(midi),
    };
  } catch (error) {
    if (!(error instanceof MusicError)) throw error;
    await writeFile(`${path}.abc`, written);
    return { valid: false, bars: 0, characters: 0, dropped: written.length, problem: error.message };
  }
}
