/** MODEL and TOKENS → SAMPLES/001.abc, 001.mid …: what the model writes, cut to its last complete bar, checked and measured. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openEngine, sample } from '../lib/engine/index.ts';
import { loadCheckpoint } from '../lib/models/index.ts';
import { abcToMidi, checkAbc, measure, trimToCompleteBars } from '../lib/music/index.ts';
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
    const valid = samples.filter((s) => s.problems.length === 0).length;
    return { samples: samples.length, valid, valid_share: valid / samples.length, each: samples };
  },
});

/** Keeps what the model wrote; a text that is no music stays as it is, with the reason in the metrics. */
async function write(path: string, written: string) {
  const abc = trimToCompleteBars(written);
  await writeFile(`${path}.abc`, abc);
  const problems = checkAbc(abc).map(({ line, column, message }) => `${line}:${column}: ${message}`);
  try {
    const midi = abcToMidi(abc);
    await writeFile(`${path}.mid`, midi);
    return { characters: abc.length, problems, measures: measure(midi) };
  } catch (error) {
    return { characters: abc.length, problems: [...problems, (error as Error).message] };
  }
}
