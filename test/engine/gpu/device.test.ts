/**
 * The GPU as the engine sees it, over the fake driver: memory, plans, and the errors that people get. The driver keeps its
 * state for the life of a process, so settings of the fake driver that must hold when it starts are tried in child
 * processes.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Device, type Slice } from '../../../lib/engine/gpu/device/device.ts';
import { EngineError } from '../../../lib/engine/index.ts';
import { buildFakeDriver } from './build.ts';
import { gpuIsTestable, withFakeDriver } from './fake-gpu.ts';

const at = (slice: Slice, offset: number): Slice => ({ address: slice.address + offset, size: slice.size - offset });

describe.skipIf(!gpuIsTestable)('a GPU (skipped without a C++ compiler, or if the addon is not built)', () => {
  let device: Device;
  beforeAll(() => {
    device = withFakeDriver(Device.open);
  });
  afterAll(() => device.close());

  test('says what it is', () => {
    expect(device.properties).toMatchObject({ name: 'CPU behind a fake driver', compute: 80, driver: 12040 });
    expect(device.properties.uuid).toBe('GPU-fafafafa-fafa-fafa-fafa-fafafafafafa');
  });

  test('says how many blocks of a kernel run at the same time: those that fit, on each of 4 multiprocessors', () => {
    expect(device.residentBlocks('productNN', 256, 40 << 10)).toBe(4 * 4);
    expect(device.residentBlocks('productNN', 256, 160 << 10)).toBe(4);
    expect(device.residentBlocks('productNN', 256, 200 << 10)).toBe(0);
    expect(() => device.residentBlocks('none', 256, 0)).toThrow(/finding the kernel none/);
  });

  test('allocates zeros, keeps what is written, and counts what is free', () => {
    const before = device.memory.free;
    const slice = device.allocate(4000, 'a test');
    expect(before - device.memory.free).toBe(4000);
    const read = new Float32Array(1000).fill(1);
    device.read(slice, read);
    expect(read).toEqual(new Float32Array(1000));
    device.write(at(slice, 8), Float32Array.of(1, 2, 3));
    device.read(slice, read);
    expect([...read.subarray(0, 6)]).toEqual([0, 0, 1, 2, 3, 0]);
    device.free(slice);
    expect(device.memory.free).toBe(before);
  });

  test('runs a plan again and again, with new inputs', async () => {
    const slice = device.allocate(3 * 400, 'a test');
    const [a, b, out] = [0, 400, 800].map((offset) => at(slice, offset));
    const launch = { grid: [1, 1, 1] as [number, number, number], threads: 256 };
    const plan = device.plan([
      { ...launch, kernel: 'fill', arguments: [100, { float: 0.5 }, b] },
      { ...launch, kernel: 'add', arguments: [100, a, b, out] },
    ]);
    const result = new Float32Array(100);
    for (const value of [1, 7]) {
      await plan.run([[a, new Float32Array(100).fill(value)]], [[out, result]]);
      expect(result).toEqual(new Float32Array(100).fill(value + 0.5));
    }
    plan.runNow([[a, new Float32Array(100).fill(-1)]], [[out, result]]);
    expect(result[99]).toBe(-0.5);
    plan.dispose();
    device.free(slice);
  });

  test('refuses unknown kernels and impossible launches', () => {
    const launch = { grid: [1, 1, 1] as [number, number, number], threads: 32, arguments: [] };
    expect(() => device.plan([{ ...launch, kernel: 'none' }])).toThrow(EngineError);
    expect(() => device.plan([{ ...launch, kernel: 'none' }])).toThrow(/finding the kernel none/);
    expect(() => device.plan([{ ...launch, kernel: 'fill', threads: 2000 }])).toThrow(/launching the kernel fill/);
  });

  test('says how much memory is missing, for what, and what would help', () => {
    expect(() => device.allocate(2 ** 40, 'the activations')).toThrow(EngineError);
    expect(() => device.allocate(2 ** 40, 'the activations')).toThrow(
      /too little memory for the activations: they need 1048576 MiB, and \d+ MiB of its 1024 MiB are free; set a smaller/,
    );
  });

  const opened = (env: Record<string, string>) => {
    const program = `
      import { Device } from ${JSON.stringify(join(import.meta.dirname, '../../../lib/engine/gpu/device/device.ts'))};
      try { Device.open(); console.log('opened'); } catch (error) { console.log(error.name + ': ' + error.message); }`;
    const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      encoding: 'utf8',
      env: { ...process.env, CUDA_DRIVER_LIBRARY: buildFakeDriver(), ...env },
    });
    return stdout.trim();
  };
  /** A driver of CUDA 10.2, which lacks most functions. */
  const oldDriver = () => {
    const folder = mkdtempSync(join(tmpdir(), 'old-driver-'));
    const library = join(folder, 'libcuda.so.1');
    const source = 'extern "C" int cuDriverGetVersion(int* v) { return *v = 10020, 0; }';
    const args = ['-x', 'c++', '-shared', '-fPIC', '-', '-o', library];
    expect(spawnSync(process.env.CXX ?? 'g++', args, { input: source }).status).toBe(0);
    return library;
  };
  test.each([
    [
      { FAKE_CUDA_DRIVER: '11000' },
      /^EngineError: the NVIDIA driver is too old: it supports CUDA 11.0, and the gpu engine needs CUDA 11.1 or newer, which is driver 455.23 or newer$/,
    ],
    [
      { OLD_DRIVER: 'yes' },
      /^EngineError: the NVIDIA driver is too old: it lacks the function cu\w+ and supports CUDA 10.2, and the gpu engine needs CUDA 11.1 or newer, which is driver 455.23/,
    ],
    [
      { FAKE_CUDA_BUSY: '1' },
      /^EngineError: the GPU is in use by another program, and its compute mode allows one at a time; end that program, or/,
    ],
    [
      { CUDA_DRIVER_LIBRARY: 'libno-such-driver.so' },
      /^EngineError: there is no NVIDIA driver \(libno-such-driver.so was not found\)$/,
    ],
    [
      { FAKE_CUDA_COMPUTE: '75' },
      /^EngineError: the GPU .* has compute capability 7.5, and the gpu engine needs 8.0 or newer, which has bf16: RTX 30/,
    ],
    [
      { CUDA_VISIBLE_DEVICES: '' },
      /^EngineError: no GPU was leased \(CUDA_VISIBLE_DEVICES is empty\); in params.yaml, train.gpus: 1 leases one for each run$/,
    ],
  ])('cannot be opened with %o, and says why in one sentence', (env, message) => {
    const library: Record<string, string> = 'OLD_DRIVER' in env ? { CUDA_DRIVER_LIBRARY: oldDriver() } : {};
    expect(opened({ ...(env as Record<string, string>), ...library })).toMatch(message);
  });
});
