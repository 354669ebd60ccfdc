/** The devices of the tfjs engine: missing packages, unknown names, and one device per process. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, test } from 'vitest';
import { EngineError, openEngine } from '../../lib/engine/index.ts';

const require = createRequire(import.meta.url);
const packages = [
  ['node-gpu', '@tensorflow/tfjs-node-gpu', /device node-gpu does not load: it needs @tensorflow\/tfjs-node-gpu/],
  ['node', '@tensorflow/tfjs-node', /device node does not load: it needs @tensorflow\/tfjs-node/],
  ['wasm', '@tensorflow/tfjs-backend-wasm', /needs @tensorflow\/tfjs and @tensorflow\/tfjs-backend-wasm/],
] as const;
const open = (device?: string) => openEngine({ name: 'tfjs', device });

function isInstalled(name: string): boolean {
  try {
    return require.resolve(name) !== '';
  } catch {
    return false;
  }
}

for (const [device, name, message] of packages)
  test.skipIf(isInstalled(name))(
    `an error names the packages of the device ${device} if they are not installed`,
    async () => {
      await expect(open(device)).rejects.toThrow(EngineError);
      await expect(open(device)).rejects.toThrow(message);
    },
  );

test('an unknown device is refused, and the error lists the known devices', () =>
  expect(open('tpu')).rejects.toThrow(/tfjs device is tpu; it must be one of node-gpu, node, wasm, cpu/));

test('a process cannot change its device', async () => {
  expect((await open('cpu')).description).toBe('tfjs fp32, cpu');
  expect((await open()).description).toBe('tfjs fp32, cpu');
  await expect(open('wasm')).rejects.toThrow(/computes on the tfjs device cpu already; wasm needs its own/);
});

// A stand-in for tfjs-node-gpu, which computes on the CPU, and one for nvidia-smi. `require` loads modules since Node 20.19.
test.skipIf(!(process.features as { require_module?: boolean }).require_module)(
  'on a GPU, a microbatch takes 40 % of its memory, and the run is compared with what is free',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'tfjs-gpu-'));
    const root = join(import.meta.dirname, '../..');
    const standIn = join(folder, 'node_modules/@tensorflow/tfjs-node-gpu');
    mkdirSync(standIn, { recursive: true });
    writeFileSync(
      join(standIn, 'index.js'),
      `const tf = require(${JSON.stringify(join(root, 'dist/tfjs.js'))});
       tf.copyRegisteredKernels('cpu', 'tensorflow');
       tf.registerBackend('tensorflow', () => Object.assign(tf.findBackendFactory('cpu')(), { isUsingGpuDevice: true }));
       module.exports = tf;`,
    );
    writeFileSync(
      join(folder, 'nvidia-smi'),
      '#!/bin/sh\ncase "$*" in "--id=1 --query-gpu=memory.total,memory.free --format=csv,noheader,nounits") echo "8192, 1000" ;; *) exit 6 ;; esac\n',
    );
    chmodSync(join(folder, 'nvidia-smi'), 0o755);
    const program = `
      import { openEngine } from ${JSON.stringify(join(root, 'lib/engine/index.ts'))};
      import { tinyGpt } from ${JSON.stringify(join(root, 'test/engine/tiny.ts'))};
      const engine = await openEngine({ name: 'tfjs', device: 'node-gpu' });
      const config = { ...tinyGpt, width: 256, block: 256 };
      const activations = engine.memory(config, { batch: 1e6 }) - engine.memory(config, { batch: 1e6, microbatch: 1 });
      const each = engine.memory(config, { batch: 2, microbatch: 2 }) - engine.memory(config, { batch: 1, microbatch: 1 });
      const model = engine.model(tinyGpt, { seed: 1 });
      const { loss } = await model.trainStep({ inputs: Uint16Array.of(1, 2), targets: Uint16Array.of(2, 3), sequences: 1, length: 2 }, { learningRate: 0.01 });
      console.log(JSON.stringify([engine.description, engine.deviceMemory / 2 ** 20, 1 + Math.round(activations / each), Math.floor(0.4 * 2 ** 33 / each), loss]));`;
    const env = {
      ...process.env,
      ...{ NODE_PATH: join(folder, 'node_modules'), PATH: `${folder}${delimiter}${process.env.PATH}` },
      CUDA_VISIBLE_DEVICES: '1',
    };
    const args = ['--import', 'tsx', '--input-type=module', '-e', program];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env, cwd: root });
    rmSync(folder, { recursive: true });
    expect(stderr).toBe('');
    const [description, free, microbatch, expected, loss] = JSON.parse(stdout);
    expect([description, free]).toEqual(['tfjs fp32, node-gpu', 1000]);
    expect(microbatch).toBe(expected);
    expect(microbatch).toBeGreaterThan(10);
    expect(loss).toBeGreaterThan(0);
  },
);
