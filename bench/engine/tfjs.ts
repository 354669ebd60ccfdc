/**
 * Compares the devices of the tfjs engine with the native engine: losses, and tokens per second.
 *
 *     [NODE_PATH=DIR/node_modules] npx tsx bench/engine/tfjs.ts [--devices native,node,cpu] [--steps 5] [--only NAME]
 *
 * `node` is TensorFlow's C library; scripts/build-tfjs-node.sh builds it in DIR. A device that does not load, or falls
 * back to another backend, is an error. Each device runs in its own process. Prints Markdown: tokens per second of the
 * median step, and the largest relative difference of a step's loss from that of the last device. The exit code is 1 if
 * a difference is above 1e-4.
 */
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { openEngine } from '../../lib/engine/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';
import { chain, models } from './peer.ts';

const TOLERANCE = 1e-4;
/** windows per step, tokens per window */
const [B, T] = [8, 128];

interface Measured {
  description: string;
  losses: number[];
  /** duration of each step */
  seconds: number[];
}

const { values } = parseOptions(import.meta.url, {
  options: {
    devices: { type: 'string', default: 'native,node,cpu' },
    steps: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    model: { type: 'string' },
    device: { type: 'string' },
  },
});
if (values.device) console.log(JSON.stringify(await measure(values.device, values.model!)));
else compare();

function compare(): void {
  const devices = values.devices.split(',');
  console.log(`${B} × ${T} tokens a step, ${values.steps} steps, ${availableParallelism()} cores\n`);
  console.log('| model | engine | tokens/s | loss differs by |\n| --- | --- | ---: | ---: |');
  for (const [model] of models.filter(([name]) => name.includes(values.only))) {
    const results = devices.map((device) => inOwnProcess(device, model));
    const reference = results.at(-1)!.losses;
    for (const { description, losses, seconds } of results) {
      const difference = Math.max(...losses.map((loss, step) => Math.abs(loss / reference[step] - 1)));
      if (!(difference <= TOLERANCE)) process.exitCode = 1;
      const rate = (B * T) / [...seconds].sort((a, b) => a - b)[Math.floor(seconds.length / 2)];
      console.log(
        `| ${model} | ${description} | ${Math.round(rate).toLocaleString('en')} | ${difference.toExponential(1)} |`,
      );
    }
  }
}

function inOwnProcess(device: string, model: string): Measured {
  const self = fileURLToPath(import.meta.url);
  const args = [...process.execArgv, self, '--device', device, '--model', model, '--steps', values.steps];
  // TensorFlow's messages on stderr are shown only if the process fails.
  const output = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return JSON.parse(output.trim().split('\n').at(-1)!);
}

async function measure(device: string, name: string): Promise<Measured> {
  const config = models.find(([each]) => each === name)![1];
  const native = device === 'native';
  const engine = await openEngine(
    native ? { name: 'native', threads: availableParallelism() } : { name: 'tfjs', device },
  );
  const model = engine.model(config, { seed: 1 });
  const tokens = chain(B * T + 1, 'tfjs');
  const batch = { inputs: tokens.subarray(0, B * T), targets: tokens.subarray(1), sequences: B, length: T };
  const losses: number[] = [];
  const seconds: number[] = [];
  for (let step = 0; step < Number(values.steps); step++) {
    const start = performance.now();
    losses.push((await model.trainStep(batch, { learningRate: 1e-3, clip: 1 })).loss);
    seconds.push((performance.now() - start) / 1000);
  }
  return { description: engine.description, losses, seconds };
}
