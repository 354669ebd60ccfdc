/**
 * Runs one random pipeline: makes its steps in the real project and in the reference, and compares everything after each.
 *
 *   edit → both   call → the real repro, then the reference → verdicts, files, lock, run cache, objects, trash
 *   killed call → what is on disk must be between the states before and after the call; the reference takes it over
 */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Calls, type Ended } from './calls.ts';
import { describe } from './describe-step.ts';
import {
  checkpointMark,
  damageObject,
  keptTexts,
  LEFTOVER,
  lockBlocks,
  lockText,
  masked,
  objectsIn,
  recordedRuns,
  removeState,
  setLock,
  touchFile,
  trashOf,
  workspace,
} from './disk.ts';
import { Random } from './random.ts';
import { PARAMS, randomRecipes, SOURCES } from './recipes.ts';
import {
  alwaysRuns,
  json,
  type LeftOutput,
  Reference,
  Refused,
  type RunOptions,
  type Store,
  type Verdict,
} from './reference.ts';
import { MAKE_SH } from './stages.ts';
import { stateAfterKill } from './state-after-kill.ts';
import { type Kill, nextStep, type Step, setParam, type World, write } from './steps.ts';
import { contentOf, Tree, within } from './tree.ts';

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

/** Files that a person made by hand before a call. */
interface Handmade {
  files: [path: string, text: string][];
  /** Outputs that are as the lock records them. */
  recorded: Set<string>;
  /** Whether the call may free the trash and the cache. */
  isTrashFreed: boolean;
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
    this.#configure();
    this.report.log.push(this.#links ? 'outputs are hard links' : 'outputs are copies');
  }

  get #reference(): Reference {
    return this.#world.reference;
  }

  /** How often repro was called. */
  get calls(): number {
    return this.#calls.count;
  }

  #configure(): void {
    if (!this.#links) return;
    mkdirSync(join(this.root, '.repro'), { recursive: true });
    writeFileSync(join(this.root, '.repro/config.yaml'), 'cache: {type: hardlink}\n');
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
    const left = readdirSync(this.root).filter((name) => LEFTOVER.test(name));
    this.#compare('files of killed calls', left);
    const { stdout } = await this.#calls.call(['-k']);
    if (!stdout.includes('everything is up to date')) this.#fail(`a third repro says ${stdout}`);
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
        await this.#internal(step);
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
    this.#reference.seen = this.#lookAround();
    const left = describeLeft(this.#reference, options);
    try {
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
    this.#compare('what removed stages left', listDifferences(left, leftIn(ended.stdout.split('\n')[0])), ended);
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
    this.#reference.seen = this.#lookAround();
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
      const states = reference.plan(options);
      const left = describeLeft(reference, options);
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
    this.#reference.seen = this.#lookAround();
    try {
      this.#checkExit(ended, apply(this.#reference) === false ? 1 : 0);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#checkExit(ended, 2);
    }
    this.#verify(handmade, ended);
    return undefined;
  }

  async #internal({ what, object }: Extract<Step, { kind: 'internal' }>): Promise<void> {
    const { root } = this;
    const reference = this.#reference;
    const forgetAll = () => {
      rmSync(join(root, '.repro'), { recursive: true, force: true });
      this.#configure();
      reference.store = { objects: new Set(), runs: new Map() };
      reference.trash = [];
      reference.marks.clear();
      reference.checkpoints.clear();
      // Without marks and caches, what a killed attempt left is a file like any other.
      reference.uncertain.clear();
    };
    switch (what) {
      case 'state':
        return removeState(root);
      case 'everything':
        return forgetAll();
      case 'lock':
        reference.lock = new Map();
        return setLock(root, undefined);
      case 'old lock': {
        const { locks } = this.#world;
        if (locks.length === 0) return;
        const { text, blocks } = locks[Math.floor(locks.length / 2)];
        reference.lock = new Map(blocks);
        return setLock(root, text);
      }
      case 'damage':
        if (!reference.store.objects.delete(object!)) return;
        return damageObject(root, object!, Number.parseInt(object![0], 16) < 4);
      case 'clone': {
        // As after `git clone` of sources and lock: no outputs, and nothing in .repro.
        const before = reference.tree.copy();
        forgetAll();
        for (const path of ['out', 'cells', 'ck']) reference.tree.remove(path);
        reference.tree.toDisk(root, before);
      }
    }
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
    const { state, problems } = stateAfterKill(before, after, { root: this.root, remote: this.remote, marks });
    this.#world.reference = state;
    this.#compare('the state after a kill', problems, ended);
    return undefined;
  }

  // Comparing.

  /** The files of the workspace that a person made by hand in outputs, if they may not be lost. */
  #handmade(isTrashFreed = false): Handmade {
    const { tree, stages } = this.#reference;
    const persisted = stages.flatMap(({ outs }) => outs.filter(({ persist }) => persist).map(({ path }) => path));
    const files = tree.filePaths
      .map((path): [string, string] => [path, tree.text(path)])
      .filter(([, text]) => text.includes('by hand'))
      // A command may overwrite what it finds in an output that it keeps.
      .filter(([path]) => !persisted.some((out) => within(out, path)));
    // The manual: what the lock records is not kept for its own sake.
    const recorded = new Set(
      [...this.#reference.lock.values()].flatMap((block) =>
        Object.keys(block.outs ?? {}).filter(
          (path) => tree.has(path) && block.outs![path].sha256 === tree.content(path)!.sha256,
        ),
      ),
    );
    return { files, recorded, isTrashFreed };
  }

  /** Nothing that a person wrote is lost: it is in place, in the trash or in the cache. This does not use the rules. */
  #checkHandmade({ files, recorded, isTrashFreed }: Handmade, ended?: Ended): void {
    const now = workspace(this.root);
    let kept: Set<string> | undefined;
    for (const [path, text] of files) {
      if (now.text(path) === text || [...recorded].some((out) => within(out, path))) continue;
      kept ??= isTrashFreed ? new Set() : keptTexts(this.root);
      if (!kept.has(text)) this.#fail(`LOST: ${path} with ${JSON.stringify(text)}`, ended);
    }
  }

  /** Compares everything on disk with the reference. */
  #verify(handmade: Handmade, ended?: Ended): void {
    const reference = this.#reference;
    this.#checkHandmade(handmade, ended);
    this.#compare('files', reference.tree.differences(workspace(this.root)), ended);
    const locked = lockBlocks(this.root);
    const names = new Set([...reference.lock.keys(), ...locked.keys()]);
    this.#compare(
      'blocks of the lock',
      [...names].flatMap((name) => {
        const [should, is] = [reference.lock.get(name), locked.get(name)].map((block) => block && masked(block));
        return should === is ? [] : [`${name}: should be ${should}, but is ${is}`];
      }),
      ended,
    );
    this.#compareStore('.repro', reference.store, join(this.root, '.repro'), 'cache/sha256', ended);
    if (reference.remote) this.#compareStore('the remote', reference.remote, this.remote, 'sha256', ended);
    const list = (trash: Reference['trash']) =>
      trash.map(({ path, subtree }) => `${path} ${contentOf(subtree).sha256}`);
    this.#compare('the trash', listDifferences(list(reference.trash), list(trashOf(this.root))), ended);
    const text = lockText(this.root);
    if (text !== undefined && text !== this.#world.locks.at(-1)?.text)
      this.#world.locks.push({ text, blocks: new Map(reference.lock) });
  }

  #compareStore(name: string, store: Store, folder: string, objects: string, ended?: Ended): void {
    const runs = recordedRuns(folder).map(masked);
    this.#compare(`runs of ${name}`, listDifferences([...store.runs.values()].map(masked), runs), ended);
    const whole = [...objectsIn(join(folder, objects))].filter(
      ([hash, isWhole]) => isWhole && this.#reference.knows(hash),
    );
    const should = [...store.objects].filter((hash) => !hash.startsWith('code'));
    this.#compare(
      `objects of ${name}`,
      listDifferences(
        should,
        whole.map(([hash]) => hash),
      ),
      ended,
    );
  }

  /** What the trash has now and the reference does not know yet, and what the cache has. */
  #lookAround(): Reference['seen'] {
    const list = (trash: Reference['trash']) =>
      trash.map(({ path, subtree }) => `${path} ${contentOf(subtree).sha256}`);
    const inTrash = list(trashOf(this.root));
    for (const entry of list(this.#reference.trash)) {
      const index = inTrash.indexOf(entry);
      if (index >= 0) inTrash.splice(index, 1);
    }
    const objects = [...objectsIn(join(this.root, '.repro/cache/sha256'))];
    return {
      inTrash: new Set(inTrash),
      inCache: new Set(objects.filter(([, isWhole]) => isWhole).map(([hash]) => hash)),
    };
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

/** The verdicts in the output of `repro --json`. */
function verdictsIn(stdout: string): Map<string, Verdict> {
  const verdicts = new Map<string, Verdict>();
  for (const line of stdout.split('\n')) {
    if (line === '') continue;
    const { event, stage, outcome } = JSON.parse(line);
    if (event === 'end') verdicts.set(stage, outcome);
  }
  return verdicts;
}

/** What removed stages left, as the reference says. A wrong target leaves nothing. */
function describeLeft(reference: Reference, options: RunOptions): string[] {
  try {
    return reference
      .leftOutputs(reference.select(options))
      .map(({ stage, path, fate }) => `${fate} ${path} of ${stage}`);
  } catch (error) {
    if (error instanceof Refused) return [];
    throw error;
  }
}

/** What removed stages left, in a plan or a status that is printed as JSON. */
function leftIn(text: string): string[] {
  const { left = [] } = JSON.parse(text) as { left?: LeftOutput[] };
  return left.map(({ stage, path, fate }) => `${fate} ${path} of ${stage}`);
}

function statusStates(stdout: string): { [stage: string]: string } {
  const { stages } = JSON.parse(stdout) as { stages: { [stage: string]: { state: string } } };
  return Object.fromEntries(Object.entries(stages).map(([name, { state }]) => [name, state]));
}

function dryStates(stdout: string): { [stage: string]: string } {
  const { stages } = JSON.parse(stdout) as { stages: { stage: string; state: string }[] };
  return Object.fromEntries(stages.map(({ stage, state }) => [stage, state]));
}

/** One line for each entry that only one of two lists has. */
function listDifferences(should: readonly string[], is: readonly string[]): string[] {
  const left = [...is];
  const missing = should.filter((entry) => {
    const index = left.indexOf(entry);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
  return [...missing.map((entry) => `missing: ${entry}`), ...left.map((entry) => `too much: ${entry}`)];
}
