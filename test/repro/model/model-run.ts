/**
 * Runs one random pipeline: makes its steps in the real project and in the reference, and compares everything after each.
 *
 *   edit → both   call → the real repro, then the reference → verdicts, files, lock, run cache, objects, trash
 *   killed call → what is on disk must be between the states before and after the call; the reference takes it over
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alwaysRuns, json } from './block.ts';
import { Calls, type Ended } from './calls.ts';
import { CodeHashes } from './code-hashes.ts';
import { describe } from './describe-step.ts';
import { diskDifferences, listDifferences, lookAround } from './differences.ts';
import { checkpointMark, leftovers, lockText, touchFile, workspace } from './disk.ts';
import { plan } from './freshness.ts';
import { type Handmade, handmadeFiles, lostFiles } from './handmade.ts';
import { changeInternals, configureLinks } from './internal-steps.ts';
import { leftOutputs } from './left-outputs.ts';
import { describeLeft, dryStates, leftIn, statusStates, verdictsIn } from './outputs.ts';
import { Refused, type RunOptions } from './project-state.ts';
import { Random } from './random.ts';
import { PARAMS, randomRecipes, SOURCES } from './recipes.ts';
import { Reference, type Verdict } from './reference.ts';
import { MAKE_SH } from './stages.ts';
import { stateAfterKill } from './state-after-kill.ts';
import { nextStep, setParam } from './steps.ts';
import { Tree } from './tree.ts';
import { type Kill, type Step, type World, write } from './world.ts';

/** Where the real runner and the reference disagree. */
export class Divergence extends Error {}

/** What a model run did. */
export interface Report {
  /** One line for each step. */
  log: string[];
  calls: number;
  /** How many calls were killed, by command. */
  kills: { [command: string]: number };
  /** How many stages had each verdict, and how many outputs of removed stages each fate. */
  verdicts: { [verdict: string]: number };
  /** What was wrong; undefined if nothing was. */
  failure?: string;
}

/** Options of a model run. */
export interface ModelOptions {
  /** The repro.js to test. */
  repro: string;
  seed: number;
  steps: number;
  /** Indices of steps to leave out. */
  skip?: ReadonlySet<number>;
  /** Whether calls may be killed. */
  kills?: boolean;
  /** Whether to keep the folder of a failed run. */
  keep?: boolean;
}

/** Runs the pipeline of a seed. Never throws. */
export async function runModel(options: ModelOptions): Promise<Report> {
  const run = new ModelRun(options);
  const { report } = run;
  try {
    await run.all();
  } catch (error) {
    report.failure = error instanceof Divergence ? error.message : String((error as Error).stack);
    if (options.keep) report.failure += `\nkept in ${run.root}`;
  }
  report.calls = run.calls;
  if (!(options.keep && report.failure))
    rmSync(run.base, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  return report;
}

class ModelRun {
  readonly base = realpathSync(mkdtempSync(join(tmpdir(), 'repro-model-')));
  readonly root = join(this.base, 'project');
  readonly remote = join(this.base, 'remote');
  readonly report: Report = { log: [], calls: 0, kills: {}, verdicts: {} };
  readonly #options: ModelOptions;
  readonly #world: World;
  /** Whether outputs are hard links to the cache. */
  readonly #links: boolean;
  readonly #calls: Calls;
  readonly #codes = new CodeHashes();

  constructor(options: ModelOptions) {
    this.#options = options;
    this.#calls = new Calls(options.repro, this.root);
    const tree = new Tree();
    const written = {
      recipes: randomRecipes(new Random(options.seed)),
      params: structuredClone(PARAMS),
      sources: { ...SOURCES },
    };
    for (const [path, text] of Object.entries(SOURCES)) tree.write(path, text);
    tree.write('make.sh', MAKE_SH);
    const reference = new Reference(tree, { stages: {} }, written.params);
    this.#world = { reference, written, history: [], locks: [], count: 0 };
    write(this.#world);
    mkdirSync(this.root);
    tree.toDisk(this.root, new Tree());
    this.#links = new Random(options.seed, -1).chance(0.2);
    if (this.#links) configureLinks(this.root);
    this.report.log.push(this.#links ? 'outputs are hard links' : 'outputs are copies');
  }

  get #reference(): Reference {
    return this.#world.reference;
  }

  /** How often repro was called. */
  get calls(): number {
    return this.#calls.count;
  }

  /** All steps, and at the end a run after which everything must be up to date. */
  async all(): Promise<void> {
    await this.#take({ kind: 'repro', options: { keepGoing: true }, args: ['-k'] });
    for (let i = 0; i < this.#options.steps; i++) {
      if (this.#options.skip?.has(i)) continue;
      const before = this.#reference.tree.copy();
      const step = nextStep(new Random(this.#options.seed, i + 1), this.#world);
      if (this.#options.kills === false && 'kill' in step) delete step.kill;
      await this.#take(step, before, i);
    }
    await this.#take({ kind: 'repro', options: { keepGoing: true }, args: ['-k'] });
    await this.#upToDate();
  }

  /** A second `repro` runs only the stages that are never fresh or that fail. */
  async #upToDate(): Promise<void> {
    const { stages } = this.#reference;
    const before = this.#reference.copy();
    const verdicts = await this.#take({ kind: 'repro', options: { keepGoing: true }, args: ['-k'] });
    if (verdicts === undefined) return;
    const never = stages.filter((stage) => alwaysRuns(stage) && !stage.frozen).length;
    const isClean = [...verdicts.values()].every((verdict) => verdict === 'fresh' || verdict === 'ran');
    const ran = [...verdicts.values()].filter((verdict) => verdict === 'ran').length;
    if (isClean && ran > never) this.#fail(`a second repro ran ${ran} stages again`);
    if (!isClean || never > 0) return;
    this.#compare('the trees before and after a second repro', before.tree.differences(workspace(this.root)));
    this.#compare(
      'files of killed calls in the workspace',
      leftovers(this.root).filter((path) => !path.startsWith('.repro/')),
    );
    const { stdout } = await this.#calls.call(['-k']);
    if (!stdout.includes('everything is up to date')) this.#fail(`a third repro says ${stdout}`);
    await this.#calls.call(['gc', '--yes']);
    this.#compare('files of killed calls after gc', leftovers(this.root));
  }

  async #take(step: Step, before?: Tree, index?: number): Promise<Map<string, Verdict> | undefined> {
    const { kind } = step;
    const number = index === undefined ? '  ' : String(index).padStart(2);
    this.report.log.push(`${number} ${describe(step)}`);
    switch (step.kind) {
      case 'edit':
        this.#reference.tree.toDisk(this.root, before!, this.#links);
        if (step.touched !== undefined) touchFile(this.root, step.touched);
        return undefined;
      case 'internal':
        changeInternals(this.root, this.#world, step, this.#links);
        return undefined;
      case 'two at once':
        return this.#twoAtOnce(step);
      case 'repro':
        if (step.kill)
          return this.#killed(this.#reproArgs(step), step.kill, (after) => void after.run(step.options, new Map()));
        return this.#repro(step);
      case 'status':
      case 'dry':
        return this.#status(step);
      case 'checkout':
      case 'commit':
      case 'push':
      case 'pull':
      case 'fetch': {
        const args = [kind, ...step.targets, ...(kind === 'checkout' || kind === 'commit' ? [] : ['-r', this.remote])];
        const apply = (reference: Reference) => {
          if (step.kind === 'commit') return void reference.commit(step.targets);
          if (step.kind === 'checkout') return reference.checkout(step.targets);
          const isCopied = reference.transfer(step.kind === 'push' ? 'push' : 'fetch', step.targets);
          return step.kind === 'pull' ? reference.checkout(step.targets) && isCopied : isCopied;
        };
        if (step.kill) return this.#killed(args, step.kill, apply);
        return this.#other(args, apply);
      }
      case 'gc':
        if (step.kill) return this.#killed(['gc', '--yes'], step.kill, (after) => void after.gc());
        return this.#other(['gc', '--yes'], (reference) => void reference.gc());
      case 'trash restore':
        return this.#other(['trash', 'restore', step.path], (reference) => reference.restoreFromTrash(step.path));
    }
  }

  // Calls that end by themselves.

  #reproArgs({ options, args }: { options: RunOptions; args: string[] }): string[] {
    return ['--json', ...args, ...(options.pull ? ['--pull', '-r', this.remote] : [])];
  }

  async #repro(step: Extract<Step, { kind: 'repro' }>): Promise<Map<string, Verdict> | undefined> {
    const { options, set } = step;
    const handmade = this.#handmade();
    const ended = await this.#calls.call(this.#reproArgs(step));
    if (set) setParam(this.#world, set.key, set.value);
    const verdicts = verdictsIn(ended.stdout);
    let expected: Map<string, Verdict>;
    let left: string[];
    this.#reference.seen = lookAround(this.#reference, this.root);
    try {
      left = leftOutputs(this.#reference, this.#reference.select(options)).map(describeLeft);
      expected = this.#reference.run(options, verdicts);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#checkExit(ended, 2);
      this.#verify(handmade);
      return undefined;
    }
    for (const verdict of expected.values()) this.#count(verdict);
    for (const line of left) this.#count(`left: ${line.split(' ')[0]}`);
    if (json(Object.fromEntries(expected)) !== json(Object.fromEntries(verdicts)))
      this.#compare(
        'verdicts',
        [...new Set([...expected.keys(), ...verdicts.keys()])]
          .filter((name) => expected.get(name) !== verdicts.get(name))
          .map((name) => `${name}: should be ${expected.get(name)}, but is ${verdicts.get(name)}`),
        ended,
      );
    const isBad = [...expected.values()].some((verdict) => verdict === 'failed' || verdict === 'skipped');
    this.#checkExit(ended, isBad ? 1 : 0);
    this.#compare('what removed stages left', listDifferences(left, leftIn(ended.stdout)), ended);
    this.#verify(handmade, ended);
    return expected;
  }

  #count(verdict: string): void {
    this.report.verdicts[verdict] = (this.report.verdicts[verdict] ?? 0) + 1;
  }

  /** Two calls at once make the same as one, and each stage is run by one of them. */
  async #twoAtOnce({ options, args }: Extract<Step, { kind: 'two at once' }>): Promise<undefined> {
    const handmade = this.#handmade();
    const both = await Promise.all([
      this.#calls.call(['--json', ...args], 'slow'),
      this.#calls.call(['--json', ...args], 'slow'),
    ]);
    const [one, other] = both.map(({ stdout }) => verdictsIn(stdout));
    const ended = {
      exit: null,
      stdout: both.map(({ stdout }) => stdout).join('\n'),
      stderr: both[0].stderr + both[1].stderr,
    };
    this.#reference.seen = lookAround(this.#reference, this.root);
    const always = new Set(this.#reference.stages.filter(alwaysRuns).map(({ name }) => name));
    let expected: Map<string, Verdict>;
    try {
      expected = this.#reference.run(options, new Map());
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      for (const each of both) this.#checkExit(each, 2);
      this.#verify(handmade, ended);
      return undefined;
    }
    const isBad = [...expected.values()].some((verdict) => verdict === 'failed' || verdict === 'skipped');
    for (const each of both) this.#checkExit(each, isBad ? 1 : 0);
    for (const [name, verdict] of expected) {
      const pair = [one.get(name), other.get(name)];
      const isRight =
        verdict === 'ran' || verdict === 'restored'
          ? pair.includes(verdict) && (pair.includes('fresh') || always.has(name))
          : pair.every((each) => each === verdict);
      if (!isRight) this.#fail(`${name} should be ${verdict} by one of two calls, but is ${pair.join(' and ')}`, ended);
    }
    this.#verify(handmade, ended);
    return undefined;
  }

  async #status({ kind, options, args, set }: Extract<Step, { kind: 'status' | 'dry' }>): Promise<undefined> {
    const handmade = this.#handmade();
    const ended = await this.#calls.call(kind === 'dry' ? ['--dry', '--json', ...args] : ['status', '--json', ...args]);
    // A dry run changes nothing, not even the run cache's damaged entries.
    const reference = kind === 'dry' ? this.#reference.copy() : this.#reference;
    if (set) {
      const written = structuredClone(this.#world.written);
      setParam({ ...this.#world, reference, written, history: [] }, set.key, set.value);
    }
    try {
      // `status TARGET` shows what `repro TARGET` would do.
      const states = plan(reference, options);
      const left = leftOutputs(reference, reference.select(options)).map(describeLeft);
      this.#checkExit(ended, 0);
      const shown = kind === 'dry' ? dryStates(ended.stdout) : statusStates(ended.stdout);
      if (json(shown) !== json(Object.fromEntries(states)))
        this.#fail(`states should be ${json(Object.fromEntries(states))}, but are ${json(shown)}`, ended);
      this.#compare('what removed stages left', listDifferences(left, leftIn(ended.stdout)), ended);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#checkExit(ended, 2);
    }
    this.#verify(handmade, ended);
    return undefined;
  }

  /** `apply` returns whether the exit code is 0, or nothing if it always is. */
  async #other(args: string[], apply: (reference: Reference) => boolean | undefined | undefined): Promise<undefined> {
    const handmade = this.#handmade(args[0] === 'gc');
    const ended = await this.#calls.call(args);
    this.#reference.seen = lookAround(this.#reference, this.root);
    try {
      this.#checkExit(ended, apply(this.#reference) === false ? 1 : 0);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#checkExit(ended, 2);
    }
    this.#verify(handmade, ended);
    return undefined;
  }

  // Calls that are killed.

  async #killed(args: string[], kill: Kill, apply: (after: Reference) => unknown): Promise<undefined> {
    const handmade = this.#handmade(args[0] === 'gc');
    const before = this.#reference.copy();
    const marks = new Map([...before.stages].map(({ name }) => [name, checkpointMark(this.root, name)]));
    const after = before.copy();
    let isRefused = false;
    try {
      apply(after);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      isRefused = true;
    }
    const ended = await this.#calls.call(args, kill);
    if (ended.exit !== null && ended.exit > (isRefused ? 2 : 1)) this.#fail(`exit code ${ended.exit}`, ended);
    if (ended.exit === null || (kill.victim === 'stage' && ended.stdout.includes('"signal":"SIGKILL"'))) {
      const call = args[0].startsWith('-') ? 'repro' : args[0];
      const what = kill.victim === 'write' ? `${call}, at a write` : call;
      this.report.kills[what] = (this.report.kills[what] ?? 0) + 1;
    }
    this.#checkHandmade(handmade, ended);
    const { state, problems } = stateAfterKill(before, after, this, marks, this.#codes);
    this.#world.reference = state;
    this.#compare('the state after a kill', problems, ended);
    return undefined;
  }

  // Comparing.

  #handmade(isTrashFreed = false): Handmade {
    return handmadeFiles(this.#reference, isTrashFreed);
  }

  #checkHandmade(handmade: Handmade, ended?: Ended): void {
    this.#compare('LOST', lostFiles(this.root, handmade), ended);
  }

  /** Compares everything on disk with the reference. */
  #verify(handmade: Handmade, ended?: Ended): void {
    this.#checkHandmade(handmade, ended);
    for (const { what, lines } of diskDifferences(this.#reference, this, this.#codes))
      this.#compare(what, lines, ended);
    const text = lockText(this.root);
    if (text !== undefined && text !== this.#world.locks.at(-1)?.text)
      this.#world.locks.push({ text, blocks: new Map(this.#reference.lock) });
  }

  #checkExit(ended: Ended, exit: number): void {
    if (ended.exit !== exit) this.#fail(`exit code should be ${exit}, but is ${ended.exit}`, ended);
  }

  #compare(what: string, problems: readonly string[], ended?: Ended): void {
    if (problems.length > 0) this.#fail(`${what}:\n  ${problems.join('\n  ')}`, ended);
  }

  #fail(message: string, ended?: Ended): never {
    const output = ended === undefined ? '' : `\nstdout: ${ended.stdout}\nstderr: ${ended.stderr}`;
    throw new Divergence(message + output);
  }
}
