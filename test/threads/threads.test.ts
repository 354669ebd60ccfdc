/** Programs that are bundled and run in a thread. */
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { bundleProgram, startThread } from '../../lib/threads/index.ts';

const echo = `
  import { parentPort, workerData } from 'node:worker_threads';
  import { ownUrl } from './own-url.ts';
  parentPort.postMessage({ ownUrl, workerData });`;

describe('a program in a thread', () => {
  test('gets its data, and its modules know their own URL', async () => {
    const thread = startThread(await bundleProgram(echo, import.meta.url), { workerData: 7 });
    const [message] = await once(thread, 'message');
    expect(message).toEqual({ ownUrl: new URL('./own-url.ts', import.meta.url).href, workerData: 7 });
  });

  test('emits its error if it fails', async () => {
    const program = `Promise.reject(new RangeError('too far'))`;
    const thread = startThread(await bundleProgram(program, import.meta.url), { workerData: undefined });
    const error = await new Promise((resolve) => thread.once('error', resolve));
    expect(error).toEqual(new RangeError('too far'));
  });
});

test('a bundle does not name the folder of the project, so its hash is the same in every copy', async () => {
  const bundle = await bundleProgram(echo, import.meta.url);
  expect(bundle).toContain('"test/threads/own-url.ts"');
  expect(bundle).not.toContain(process.cwd());
});

test('a missing module is a bundler error that names the module', async () => {
  await expect(bundleProgram(`import './missing.ts'`, import.meta.url)).rejects.toThrow(/missing\.ts/);
});
