/**
 * Compares loss curves with PyTorch. From the same weights and on the same batches, a hundred steps of AdamW with
 * decay, warmup, cosine and clipping must stay within 1e-3 at every step. LSTMs run with reset and with carried state.
 *
 *     npx tsx bench/engine/curves.ts --python PYTHON [--steps 100] [--threads 1] [--only NAME]
 *
 * PyTorch runs transformers' GPT2LMHeadModel or torch.nn.LSTM with torch.optim.AdamW, clip_grad_norm_ and LambdaLR
 * (interop.py). PYTHON must have torch and transformers. Prints Markdown. The exit code is 1 if a difference is larger.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { learningRateAt, openEngine } from '../../lib/engine/index.ts';
import {
  carriesState,
  elementCount,
  initialWeights,
  type ModelConfig,
  Random,
  saveCheckpoint,
  stateShape,
  type Weights,
} from '../../lib/models/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';
import { chain, models, python } from './peer.ts';

const TOLERANCE = 1e-3;
/** windows per step */
const BATCH = 8;
/** tokens per window */
const LENGTH = 128;
/** the LSTMs with carried state: each step continues where the step before ended */
const carried = models.flatMap(([name, config]): typeof models =>
  config.architecture === 'lstm' ? [[`${name}, state carried`, { ...config, state: 'carried' }]] : [],
);

const { values } = parseOptions(import.meta.url, {
  options: {
    python: { type: 'string', default: 'python3' },
    steps: { type: 'string', default: '100' },
    threads: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});
const steps = Number(values.steps);
const threads = Number(values.threads);
const schedule = {
  name: 'cosine' as const,
  steps,
  cooldown: 0,
  warmup: Math.ceil(steps / 10),
  peak: 2e-3,
  floor: 0.1,
};
const adamw = { weightDecay: 0.1, betas: [0.9, 0.95] as [number, number], clip: 1 };

const folder = mkdtempSync(join(tmpdir(), 'curves-'));
const engine = await openEngine({ threads });
try {
  const tokens = chain(Math.max(200_000, BATCH * (steps * LENGTH + 1)), 'curves');
  const random = new Random(1, 'windows');
  const windowsAt = (offset: (i: number) => number) =>
    Array.from({ length: steps * BATCH }, (_, i) => tokens.subarray(offset(i), offset(i) + LENGTH + 1));
  const offsets = Array.from({ length: steps * BATCH }, () => random.below(tokens.length - LENGTH));
  const streamLength = steps * LENGTH + 1;
  const windowsOf = {
    reset: windowsAt((i) => offsets[i]),
    carried: windowsAt((i) => (i % BATCH) * streamLength + Math.floor(i / BATCH) * LENGTH),
  };
  const windowsFile = join(folder, 'windows');

  const rows: string[] = [];
  let versions = '';
  for (const [name, config] of [...models, ...carried]) {
    if (!name.startsWith(values.only)) continue;
    const state = carriesState(config) ? 'carried' : 'reset';
    const windows = windowsOf[state];
    const flat = Uint32Array.from(windows.flatMap((window) => [...window]));
    writeFileSync(windowsFile, new Uint8Array(flat.buffer));
    const weights = initialWeights(config, 1);
    await saveCheckpoint(folder, { config, weights });
    const settings = { ...schedule, ...adamw, length: LENGTH, state };
    const theirs = python(values.python, 'train', { folder, windows: windowsFile, settings, threads });
    versions = theirs.versions;
    const ours = await losses(config, weights, windows);
    const differences = ours.map((loss, step) => Math.abs(loss - theirs.losses![step]));
    const worst = Math.max(...differences);
    if (!(worst <= TOLERANCE) || ours.length !== theirs.losses!.length) process.exitCode = 1;
    rows.push(
      `| ${name} | ${ours[0].toFixed(4)} | ${ours.at(-1)!.toFixed(4)} | ${theirs.losses!.at(-1)!.toFixed(4)} | ` +
        `${worst.toExponential(1)} at ${differences.indexOf(worst) + 1} |`,
    );
  }
  console.log(`${engine.description} compared with ${versions}; ${steps} steps of ${BATCH} × ${LENGTH} tokens\n`);
  console.log('| model | first loss | last loss | PyTorch | largest difference, at step |');
  console.log('| --- | ---: | ---: | ---: | ---: |');
  console.log(rows.join('\n'));
} finally {
  rmSync(folder, { recursive: true });
}

async function losses(config: ModelConfig, weights: Weights, windows: Uint32Array[]): Promise<number[]> {
  const model = engine.model(config, { weights });
  const curve: number[] = [];
  let state: Float32Array | undefined = carriesState(config)
    ? new Float32Array(elementCount(stateShape(config, BATCH)!))
    : undefined;
  for (let step = 0; step < steps; step++) {
    const batch = windows.slice(step * BATCH, (step + 1) * BATCH);
    const gather = (first: number) =>
      Uint32Array.from(batch.flatMap((window) => [...window.subarray(first, first + LENGTH)]));
    const result = await model.trainStep(
      { inputs: gather(0), targets: gather(1), sequences: BATCH, length: LENGTH, state },
      { ...adamw, learningRate: learningRateAt(step, schedule) },
    );
    state = result.state;
    curve.push(result.loss);
  }
  model.dispose();
  return curve;
}
