/**
 * repro beside bare node, lstat, spawning and wireit: whole processes, taken in turns in one run, as ratios of medians.
 *
 *     sh bench/repro/install-wireit.sh FOLDER                # wireit stands nowhere else; without it, its rows are left out
 *     npm run bench -- repro [--wireit FOLDER] [--quick] [--rounds 7] [--only no-op|files|true]
 *
 * `--quick` cuts all sizes: it shows that the benchmark runs, and its figures mean nothing. Prints Markdown. Wireit is
 * started with the environment that `npm run` gives, without npm's own time. repro is bundled from the sources as they are.
 *
 *   no-op  everything is up to date, at several numbers of stages; also with .repro/fresh taken away, so that every
 *          stage is looked at (certificate.ts)
 *   files  everything is up to date, with one stage that reads a folder of very many files
 *   true   from nothing, stages whose command is `true`
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleRunner } from '../../scripts/bundle-runner.mjs';
import { copies, manyFiles, nothings } from './pipelines.ts';

const { values: options } = parseArgs({
  options: {
    wireit: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
  },
});
const ROUNDS = Number(options.rounds ?? (options.quick ? 3 : 7));
const STAGES = options.quick ? [1, 20] : [1, 100, 1000, 3000];
const FILES = options.quick ? 2_000 : 100_000;
const TRUES = options.quick ? 20 : 1000;
/** wireit's time grows faster than the number of its scripts: more are left out. */
const WIREIT_AT_MOST = 1000;
const JOBS = availableParallelism();
/** Milliseconds until files count as settled, so that they can be certified. */
const SETTLING = 3_000;

const scratch = mkdtempSync(join(tmpdir(), 'bench-repro-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const BUNDLE = 'node_modules/.cache/bench-repro'; // below the project, so that it finds its packages
const REPRO = fileURLToPath(new URL(`../../${BUNDLE}/repro.js`, import.meta.url));
await bundleRunner(BUNDLE);
const WIREIT = options.wireit && resolve(options.wireit, 'node_modules/wireit/bin/wireit.js');
const hasWireit = WIREIT !== undefined && existsSync(WIREIT);

interface Contender {
  name: string;
  /** Not timed. */
  prepare?: () => void;
  run: () => void;
}

/** Median milliseconds of each, taken in turns, so that whatever else the machine does falls on all alike. */
function race(contenders: readonly Contender[]): Map<string, number> {
  const times = contenders.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, { prepare, run }] of contenders.entries()) {
      prepare?.();
      const started = performance.now();
      run();
      times[i].push(performance.now() - started);
    }
  const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1];
  return new Map(contenders.map(({ name }, i) => [name, median(times[i])]));
}

/** Throws when it does not exit 0: a failure must not pass for speed. */
function node(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with exit ${status}: ${stdout}${stderr}`);
  return stdout + stderr;
}

function wireit(folder: string): void {
  node(folder, [WIREIT!], {
    npm_package_json: join(folder, 'package.json'),
    npm_lifecycle_event: 'all',
    npm_config_user_agent: 'npm/10.0.0 node/v20.0.0',
    WIREIT_LOGGER: 'simple',
    WIREIT_PARALLEL: String(JOBS),
  });
}

const forget = (folder: string, ...names: string[]) => {
  for (const name of names) rmSync(join(folder, name), { recursive: true, force: true });
};

/** A folder in which both have run once and everything is settled. */
async function settled(name: string, make: (folder: string) => void, withWireit: boolean): Promise<string> {
  const folder = join(scratch, name);
  mkdirSync(folder);
  make(folder);
  if (withWireit) wireit(folder);
  node(folder, [REPRO, '-q']);
  await new Promise((done) => setTimeout(done, SETTLING));
  node(folder, [REPRO, '-q']);
  return folder;
}

function table(medians: ReadonlyMap<string, number>, beside: string): void {
  console.log(`| | median ms | beside ${beside} |\n|---|---|---|`);
  for (const [name, ms] of medians)
    console.log(
      `| ${name} | ${ms.toFixed(0)} | ${name === beside ? '' : `${(ms / medians.get(beside)!).toFixed(2)} ×`} |`,
    );
  console.log();
}

async function noOp(): Promise<void> {
  const full = new Map<number, number>();
  for (const count of STAGES) {
    const withWireit = hasWireit && count <= WIREIT_AT_MOST;
    const folder = await settled(`copies-${count}`, (path) => copies(path, count), withWireit);
    const medians = race([
      { name: 'node -e 0', run: () => node(folder, ['-e', '0']) },
      { name: 'repro', run: () => node(folder, [REPRO]) },
      {
        name: 'repro, every stage looked at',
        prepare: () => forget(folder, '.repro/fresh'),
        run: () => node(folder, [REPRO]),
      },
      ...(withWireit ? [{ name: 'wireit', run: () => wireit(folder) }] : []),
    ]);
    full.set(count, medians.get('repro')!);
    console.log(`## Nothing to do, stages: ${count}\n`);
    table(medians, 'node -e 0');
    forget(folder, '.');
  }
  const [most, before] = [STAGES.at(-1)!, STAGES.at(-2)!];
  console.log(`${most} stages take ${(full.get(most)! / full.get(before)!).toFixed(2)} × the time of ${before}.\n`);
}

async function files(): Promise<void> {
  let paths: string[] = [];
  const folder = await settled('files', (path) => (paths = manyFiles(path, FILES)), hasWireit);
  const list = join(scratch, 'paths.json');
  writeFileSync(list, JSON.stringify(paths));
  const beside = `${FILES} × lstatSync`;
  const lstats = `const fs = require('fs'); for (const path of JSON.parse(fs.readFileSync(${JSON.stringify(list)}))) fs.lstatSync(path)`;
  const medians = race([
    { name: beside, run: () => node(folder, ['-e', lstats]) },
    { name: 'repro', run: () => node(folder, [REPRO]) },
    {
      name: 'repro, every file looked up in its memo',
      prepare: () => forget(folder, '.repro/fresh'),
      run: () => node(folder, [REPRO]),
    },
    ...(hasWireit ? [{ name: 'wireit', run: () => wireit(folder) }] : []),
  ]);
  console.log(`## Nothing to do, ${FILES} input files\n`);
  table(medians, beside);
  const peak = () => {
    const hook = 'data:text/javascript,process.on("exit",()=>console.error("\\npeak",process.resourceUsage().maxRSS))';
    return (Number(/peak (\d+)/.exec(node(folder, ['--import', hook, REPRO]))![1]) / 1024).toFixed(0);
  };
  const certified = peak();
  forget(folder, '.repro/fresh');
  console.log(`Peak memory of repro: ${certified} MiB; with every file looked up, ${peak()} MiB.\n`);
}

function trues(): void {
  const folder = join(scratch, 'true');
  mkdirSync(folder);
  nothings(folder, TRUES);
  const spawning = (program: string, args: string[]) => `
    const { spawn } = require('child_process');
    let left = ${TRUES};
    const next = () => { if (left-- > 0) spawn(${JSON.stringify(program)}, ${JSON.stringify(args)}, { stdio: 'ignore' }).on('close', next); };
    for (let i = 0; i < ${JOBS}; i++) next();`;
  const beside = `spawning true ${TRUES} times`;
  const medians = race([
    { name: beside, run: () => node(folder, ['-e', spawning('true', [])]) },
    { name: 'spawning sh -c true', run: () => node(folder, ['-e', spawning('sh', ['-c', 'true'])]) },
    {
      name: 'repro',
      prepare: () => forget(folder, '.repro', 'dvc-like.lock'),
      run: () => node(folder, [REPRO, '-q', '-j', String(JOBS)]),
    },
    ...(hasWireit ? [{ name: 'wireit', prepare: () => forget(folder, '.wireit'), run: () => wireit(folder) }] : []),
  ]);
  console.log(`## ${TRUES} stages of true, from nothing, ${JOBS} at once\n`);
  table(medians, beside);
}

console.log(`${cpus()[0].model}, ${JOBS} cores, Node ${process.versions.node}; medians of ${ROUNDS} rounds.\n`);
if (options.quick) console.log('--quick: the sizes are cut, so these figures mean nothing.\n');
if (!hasWireit)
  console.log(
    `wireit is ${options.wireit ? `not in ${options.wireit}` : 'left out'}: bench/repro/install-wireit.sh installs it.\n`,
  );
const parts: { [name: string]: () => void | Promise<void> } = { 'no-op': noOp, files, true: trues };
if (options.only !== undefined && !Object.hasOwn(parts, options.only)) {
  console.error(`bench: --only ${options.only}: there are ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}
for (const [name, measure] of Object.entries(parts)) if ((options.only ?? name) === name) await measure();
