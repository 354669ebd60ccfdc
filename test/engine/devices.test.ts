/** The devices of the tfjs engine: missing packages, unknown names, and one device per process. */
import { createRequire } from 'node:module';
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
