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

test.each(packages)(
  'the device %s says what it needs where its package is not installed',
  async (device, name, message) => {
    const installed = (() => {
      try {
        return require.resolve(name);
      } catch {}
    })();
    if (installed) return;
    await expect(open(device)).rejects.toThrow(EngineError);
    await expect(open(device)).rejects.toThrow(message);
  },
);

test('an unknown device is refused, and the error lists the known devices', () =>
  expect(open('tpu')).rejects.toThrow(/no tfjs device tpu; there are node-gpu, node, wasm, cpu/));

test('a process cannot change its device', async () => {
  expect((await open('cpu')).description).toBe('tfjs fp32, cpu');
  expect((await open()).description).toBe('tfjs fp32, cpu');
  await expect(open('wasm')).rejects.toThrow(/computes on the tfjs device cpu already; wasm needs its own/);
});
