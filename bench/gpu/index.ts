/**
 * Checks and times the gpu engine on a GPU, beside PyTorch on the same GPU.
 *
 *     npm run bench -- gpu                          the first GPU that CUDA_VISIBLE_DEVICES leaves
 *     npm run bench -- gpu --parts check,train      only these of check, sanitize, products, train, sample
 *     npm run bench -- gpu --only gpt-0.8M          models whose names contain this
 *     npm run bench -- gpu --python FOLDER/bin/python --seconds 4 --variants eager
 *     npm run bench -- gpu --fake LIBRARY           the fake driver of native/cuda: tiny models, to see that all works
 *
 * Correctness is checked first, then speed is measured. Each result is printed at once, so an interrupted run has results
 * too. Exits 1 if a comparison fails. Without a GPU it says so, and exits 0. If CUBLASLT_LIBRARY is not set, the cuBLASLt of
 * PyTorch is used. pack.ts packs the benchmark for a machine without network and without Node.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Engine, EngineError, type EngineOptions, openEngine } from '../../lib/engine/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';
import { compareDecoding, compareWithItself, compareWithNative, sanitize, useEverything } from './check.ts';
import { TIMED, TIMED_ON_FAKE } from './models.ts';
import { Peers } from './peers.ts';
import { timeProducts } from './products.ts';
import { timeSampling, timeTraining } from './speed.ts';

const { values } = parseOptions(import.meta.url, {
  options: {
    parts: { type: 'string', default: 'check,sanitize,products,train,sample' },
    only: { type: 'string', default: '' },
    python: { type: 'string', default: 'python3' },
    /** peers.py, if it is not beside this file */
    peers: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    variants: { type: 'string', default: 'eager,compile' },
    'sanitizer-seconds': { type: 'string', default: '150' },
    fake: { type: 'string' },
  },
});
if (values.fake) process.env.CUDA_DRIVER_LIBRARY = values.fake;
else nameCublasOfPytorch();
const began = performance.now();
const heading = (text: string) => console.log(`\n## ${text} (${((performance.now() - began) / 1000).toFixed(0)} s)\n`);

try {
  const parts = values.parts.split(',');
  if (parts.includes('use-everything')) await useEverything();
  else await run(parts);
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  console.log(`no GPU was measured: ${error.message}`);
  if (values.fake) process.exitCode = 1;
}

/** Sets CUBLASLT_LIBRARY to the folder of PyTorch's cuBLASLt, where the loader does not search. */
function nameCublasOfPytorch(): void {
  if (process.env.CUBLASLT_LIBRARY) return;
  const program = `
import glob, os, nvidia
print(sorted(os.path.dirname(f) for p in nvidia.__path__ for f in glob.glob(p + "/*/lib/libcublasLt.so.*"))[-1])`;
  const { status, stdout } = spawnSync(values.python, ['-c', program], { encoding: 'utf8' });
  if (status !== 0) return;
  process.env.CUBLASLT_LIBRARY = stdout.trim();
  console.log(`cuBLASLt of PyTorch: CUBLASLT_LIBRARY=${stdout.trim()}`);
}

async function run(parts: string[]): Promise<void> {
  const open = (products: EngineOptions['products']) => openEngine({ name: 'gpu', precision: 'bf16', products });
  const engine = await open('auto');
  const hasCublas = engine.arithmetic.kernels.includes('cuBLASLt');
  const others: [string, Engine][] = hasCublas
    ? [
        ['own', await open('own')],
        ['cublas', await open('cublas')],
      ]
    : [];
  const gpu = engine.description.replace(/^gpu \S+, /, '');
  const free = `${(engine.deviceMemory! / 2 ** 30).toFixed(1)} GiB free`;
  const opening = `opened and compiled in ${((performance.now() - began) / 1000).toFixed(1)} s`;
  console.log(`${engine.arithmetic.kernels}, ${free}; Node ${process.version}; ${opening}`);
  if (parts.includes('check')) {
    heading('Right');
    await compareWithNative(hasCublas);
    const withCublas: [string, Engine][] = hasCublas ? [[' by cuBLASLt', others[1][1]]] : [];
    for (const [by, each] of [['', engine] as const, ...withCublas]) {
      await compareWithItself(each, by);
      await compareDecoding(each, by);
    }
  }
  if (parts.includes('sanitize')) {
    heading('compute-sanitizer');
    const script = [...process.execArgv, process.argv[1], '--parts', 'use-everything'];
    const fake = values.fake ? ['--fake', values.fake] : [];
    sanitize([process.execPath, ...script, ...fake], Number(values['sanitizer-seconds']));
  }
  const models = (values.fake ? TIMED_ON_FAKE : TIMED).filter(({ name }) => name.includes(values.only));
  if (parts.includes('products')) {
    heading('Products, bf16');
    await timeProducts(models, Number(values.seconds) / 10);
  }
  if (!parts.includes('train') && !parts.includes('sample')) return;
  const peers = new Peers(values.python, values.peers ?? fileURLToPath(new URL('peers.py', import.meta.url)));
  const peer = await peers.start();
  console.log(
    peer ? `\npeer: ${peer.name} on ${peer.device}` : `\n${values.python} has no PyTorch, so there is no peer`,
  );
  const options = {
    ...{ engine, others, gpu, models, peers: peer && peers, seconds: Number(values.seconds) },
    variants: values.variants.split(',') as ('eager' | 'compile')[],
  };
  if (parts.includes('train')) {
    heading('Training, bf16');
    await timeTraining(options);
  }
  if (parts.includes('sample')) {
    heading('Sampling, bf16');
    await timeSampling(options);
  }
  peers.stop();
}
