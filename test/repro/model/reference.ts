/**
 * A naive runner in memory: the rules of docs/repro.md in plain words, without caches, times or parallel work. It says
 * which stage must run, is fresh or is restored, and which bytes every file has afterwards.
 *
 * It keeps everything that repro keeps on disk: the workspace, the lock, the run cache, the objects, the trash, the marks
 * of attempts and a remote.
 */
import { execute, expand, inOrder, lookUp, type Pipeline, type PlainStage, upstreamOf, type Value } from './stages.ts';
import {
  type Content,
  contentOf,
  isSame,
  manifestOf,
  type Subtree,
  sha256,
  type Tree,
  touches,
  within,
} from './tree.ts';

/** What the lock and the run cache record of a run. Empty parts are left out, as in the lock. */
export interface Block {
  cmd: string | string[];
  wdir?: string;
  env?: { [name: string]: string };
  deps?: { [path: string]: Content | null };
  code?: { [entry: string]: Content };
  params?: { [file: string]: { [key: string]: Value } };
  outs?: { [path: string]: Content };
}

type Inputs = Pick<Required<Block>, 'deps' | 'code' | 'params'>;

/** The state of a stage in `repro status`. */
export type State = 'fresh' | 'stale' | 'restorable' | 'maybe' | 'frozen';

/** What becomes of a stage. */
export type Verdict = 'fresh' | 'ran' | 'restored' | 'failed' | 'skipped';

/** Options of `repro`. */
export interface RunOptions {
  targets?: string[];
  single?: boolean;
  pipeline?: boolean;
  downstream?: boolean;
  force?: boolean;
  keepGoing?: boolean;
  noRunCache?: boolean;
  noCommit?: boolean;
  pull?: boolean;
}

/** An output that a stage would count although no stage makes it any more. */
export interface LeftOutput {
  stage: string;
  path: string;
  fate: 'remove' | 'trash' | 'keep';
}

/** The call is wrong, or an input is missing before anything ran: exit code 2. */
export class Refused extends Error {}

/** Folders with objects and runs, as `.repro` and a remote are. */
export interface Store {
  /** The hashes of whole objects. */
  objects: Set<string>;
  /** By key. */
  runs: Map<string, Block>;
}

/** Everything that is on disk. */
export class Reference {
  tree: Tree;
  pipeline: Pipeline;
  params: Value;
  lock = new Map<string, Block>();
  store: Store = { objects: new Set(), runs: new Map() };
  remote: Store | undefined;
  trash: { path: string; subtree: Subtree }[] = [];
  /** By stage: the outputs of an attempt that was not recorded, unless touched since. */
  marks = new Map<string, Map<string, Content | undefined>>();
  /** By stage: the inputs that its checkpoint belongs to. */
  checkpoints = new Map<string, { key: string; path: string }>();
  /** Outputs that a killed attempt may have left: they may go to the trash or be removed. */
  uncertain = new Set<string>();
  /** By stage: what the last call attempted or restored, and the inputs of its checkpoint. */
  touched = new Map<string, { key: string; path: string }>();
  /**
   * What the real call moved to the trash and what the cache had afterwards. They decide what the rules leave open: what
   * becomes of what a killed attempt left, and of a file whose content another stage may have made by then.
   */
  seen: { inTrash: ReadonlySet<string>; inCache: ReadonlySet<string> } = { inTrash: new Set(), inCache: new Set() };
  /** Every content that was ever seen, by hash. Contents do not change, so copies of the state share this. */
  readonly #contents: Map<string, Subtree>;

  constructor(tree: Tree, pipeline: Pipeline, params: Value, contents = new Map<string, Subtree>()) {
    this.tree = tree;
    this.pipeline = pipeline;
    this.params = params;
    this.#contents = contents;
  }

  copy(): Reference {
    const copy = new Reference(this.tree.copy(), this.pipeline, this.params, this.#contents);
    copy.lock = new Map(this.lock);
    copy.store = copyOf(this.store);
    copy.remote = this.remote && copyOf(this.remote);
    copy.trash = [...this.trash];
    copy.marks = new Map([...this.marks].map(([stage, paths]) => [stage, new Map(paths)]));
    copy.checkpoints = new Map(this.checkpoints);
    copy.uncertain = new Set(this.uncertain);
    return copy;
  }

  /** The stages, each after those it needs. */
  get stages(): PlainStage[] {
    return inOrder(expand(this.pipeline, this.params));
  }

  /** The stages that a call means. */
  select({ targets = [], single, pipeline, downstream }: RunOptions): PlainStage[] {
    const { stages } = this;
    if (targets.length === 0) return stages;
    const isTarget = (stage: PlainStage, target: string) =>
      [stage.name, stage.group, ...stage.outs.map(({ path }) => path)].includes(target);
    for (const target of targets) if (!stages.some((stage) => isTarget(stage, target))) throw new Refused(target);
    const chosen = new Set(stages.filter((stage) => targets.some((target) => isTarget(stage, target))));
    for (let size = -1; !single && size !== chosen.size; ) {
      size = chosen.size;
      for (const stage of stages)
        for (const other of upstreamOf(stage, stages)) {
          if (!downstream && chosen.has(stage)) chosen.add(other);
          if ((downstream || pipeline) && chosen.has(other)) chosen.add(stage);
        }
    }
    return stages.filter((stage) => chosen.has(stage));
  }

  // What is fresh.

  /** The inputs of a stage as they are; undefined if one is missing. Inputs that `skip` names are left out. */
  #inputs(stage: PlainStage, skip: (path: string) => boolean = () => false): Inputs | undefined {
    const inputs: Inputs = { deps: {}, code: {}, params: {} };
    for (const { path, optional } of stage.deps) {
      if (skip(path)) continue;
      const content = this.#contentAt(path);
      if (content === undefined && !optional) return undefined;
      inputs.deps[path] = content ?? null;
    }
    for (const entry of stage.code) {
      if (!this.tree.has(entry)) return undefined;
      // The modules are the entry and what it imports. Their hash stands for the closure's.
      const modules = [
        entry,
        ...[...this.tree.text(entry).matchAll(/'\.\/([\w.]+)'/g)].map(([, name]) => `src/${name}`),
      ];
      const text = modules.map((path) => `${path} ${sha256(this.tree.text(path))}`).join('\n');
      inputs.code[entry] = { sha256: `code ${sha256(text)}`, size: 0 };
    }
    for (const { file, keys } of stage.params) {
      if (skip(file)) continue;
      inputs.params[file] = {};
      for (const key of keys ?? ['']) {
        const all = this.paramsFile(file);
        const value = key === '' ? all : lookUp(all, key);
        if (value === undefined) return undefined;
        inputs.params[file][key] = structuredClone(value);
      }
    }
    return inputs;
  }

  /** The values of a params file. The model writes only params.yaml and files of `key: number` lines. */
  paramsFile(file: string): Value | undefined {
    if (file === 'params.yaml') return this.params;
    if (!this.tree.has(file)) return undefined;
    const lines = [...this.tree.text(file).matchAll(/^(\w+): (\d+)$/gm)];
    return Object.fromEntries(lines.map(([, key, value]) => [key, Number(value)]));
  }

  /** Whether a stage has changed since the run `block`, or is never fresh. */
  #differs(
    stage: PlainStage,
    block: Block | undefined,
    inputs: Inputs,
    outs: Map<string, Content | undefined>,
  ): boolean {
    if (block === undefined || alwaysRuns(stage)) return true;
    const { cmd, wdir, env } = blockOf(stage, inputs, {});
    if (json([cmd, wdir, env]) !== json([block.cmd, block.wdir, block.env])) return true;
    const { deps = {}, code = {}, params = {}, outs: recorded = {} } = block;
    // Only what the stage lists now counts: a removed dependency makes nothing stale.
    return (
      Object.entries(inputs.deps).some(([path, now]) => !Object.hasOwn(deps, path) || !isSame(deps[path], now)) ||
      Object.entries(inputs.code).some(([path, now]) => !isSame(code[path], now)) ||
      Object.entries(inputs.params).some(([file, values]) =>
        Object.entries(values).some(([key, now]) => json(recordedParam(params[file] ?? {}, key)) !== json(now)),
      ) ||
      [...outs].some(([path, now]) => now === undefined || !isSame(recorded[path], now))
    );
  }

  /** The state of one stage from the files as they are. `undefined`: an input is missing. */
  #evaluate(
    stage: PlainStage,
    options: RunOptions,
    inputs = this.#inputs(stage),
  ): { state: State; key: string; inputs: Inputs; run?: Block } | undefined {
    if (stage.frozen) {
      const none = { key: '', inputs: inputs ?? { deps: {}, code: {}, params: {} } };
      const recorded = this.lock.get(stage.name);
      const missing = Object.entries(recorded?.outs ?? {}).filter(
        ([path, content]) =>
          stage.outs.some((out) => out.path === path) && !this.tree.has(path) && this.#isCached(content),
      );
      // Missing outputs come back, and what is there stays as it is.
      if (missing.length === 0) return { state: 'frozen', ...none };
      return { state: 'restorable', ...none, run: { ...recorded!, outs: Object.fromEntries(missing) } };
    }
    if (inputs === undefined) return undefined;
    const key = keyOf(stage, inputs);
    const outs = new Map(stage.outs.map(({ path }) => [path, this.#contentAt(path)]));
    if (!options.force && !this.#differs(stage, this.lock.get(stage.name), inputs, outs))
      return { state: 'fresh', key, inputs };
    const run = this.store.runs.get(key);
    if (run === undefined || options.force || options.noRunCache || alwaysRuns(stage))
      return { state: 'stale', key, inputs };
    const isThere = stage.outs.every(
      ({ path }) => isSame(this.#contentAt(path), run.outs![path]) || this.#isCached(run.outs![path]),
    );
    if (isThere) return { state: 'restorable', key, inputs, run };
    this.store.runs.delete(key);
    return { state: 'stale', key, inputs };
  }

  /**
   * The states before anything runs, as `repro status` shows them.
   *
   * @throws Refused if an input is missing and no stage of the call will make it
   */
  plan(options: RunOptions): Map<string, State> {
    const selected = this.select(options);
    const left = this.leftOutputs(selected);
    if (left.every(({ fate }) => fate === 'keep')) return this.#plan(selected, options);
    // As if the outputs that are to go were gone already.
    const without = this.copy();
    without.#clearLeft(left, false);
    without.store = this.store;
    return without.#plan(selected, options);
  }

  #plan(selected: readonly PlainStage[], options: RunOptions): Map<string, State> {
    const states = new Map<string, State>();
    const runs = new Map<string, Block>();
    let isMissing = false;
    for (const stage of selected) {
      const upstream = upstreamOf(stage, selected);
      const stateOf = (other: PlainStage) => states.get(other.name)!;
      const unsettled = upstream.filter((other) => ['stale', 'maybe'].includes(stateOf(other)));
      const pending = unsettled.flatMap(({ outs }) => outs.map(({ path }) => path));
      const restored = upstream.filter((other) => stateOf(other) === 'restorable');
      const predicted = restored.flatMap((other) => Object.entries(runs.get(other.name)!.outs!));
      const isUnknown = (path: string) =>
        pending.some((out) => touches(out, path)) || predicted.some(([out]) => touches(out, path));
      const inputs = this.#inputs(stage, isUnknown);
      if (inputs === undefined && !stage.frozen) {
        isMissing = true;
        states.set(stage.name, 'stale');
        continue;
      }
      let isComplete = true;
      for (const { path } of stage.deps) {
        if (!isUnknown(path)) continue;
        const content = pending.some((out) => touches(out, path)) ? undefined : this.#predicted(path, predicted);
        if (content) inputs!.deps[path] = content;
        else isComplete = false;
      }
      if (stage.frozen || isComplete) {
        const found = this.#evaluate(stage, options, inputs)!;
        const isPending = found.state === 'fresh' && unsettled.length > 0;
        states.set(stage.name, isPending ? 'maybe' : found.state);
        if (found.run) runs.set(stage.name, found.run);
      } else {
        const outs = new Map(stage.outs.map(({ path }) => [path, this.#contentAt(path)]));
        const isStale = options.force || this.#differs(stage, this.lock.get(stage.name), inputs!, outs);
        states.set(stage.name, isStale ? 'stale' : 'maybe');
      }
    }
    if (isMissing) throw new Refused('an input is missing');
    return states;
  }

  /** The content of a path in outputs that will be restored. */
  #predicted(path: string, outs: readonly [string, Content][]): Content | undefined {
    for (const [out, content] of outs) {
      if (out === path) return content;
      if (!within(out, path) || !this.store.objects.has(content.sha256)) continue;
      const rest = path.slice(out.length + 1);
      const found = [...this.#contents.get(content.sha256)!].filter(([name]) => within(rest, name));
      if (found.length === 0) return undefined;
      return contentOf(new Map(found.map(([name, node]) => [name.slice(rest.length).replace(/^\//, ''), node])));
    }
    return undefined;
  }

  // What removed cells left.

  /**
   * The outputs that stages of a call would count although they do not belong to the pipeline any more, and what becomes
   * of each.
   */
  leftOutputs(selected: readonly PlainStage[]): LeftOutput[] {
    const { stages } = this;
    const listed = new Set(stages.flatMap(({ outs }) => outs.map(({ path }) => path)));
    const old = [...this.lock.keys()].sort().flatMap((stage) =>
      Object.entries(this.lock.get(stage)!.outs ?? {})
        .filter(([path]) => !listed.has(path) && this.tree.has(path))
        .map(([path, content]) => ({
          stage,
          path,
          isCell: this.#isRemovedCell(stage),
          ...this.#fateOf(stage, path, content),
        })),
    );
    const readers = selected.filter(({ frozen }) => !frozen);
    const isCounted = (path: string) =>
      readers.some(({ deps }) => deps.some((dep) => dep.path !== path && within(dep.path, path)));
    const counted = old.filter(
      ({ path }) => isCounted(path) && !stages.some(({ outs }) => outs.some((out) => within(out.path, path))),
    );
    // A cell goes as a whole: as its block leaves the lock, nothing would know its other outputs any more.
    const cells = new Set(counted.map(({ stage }) => stage));
    for (const { stage, fate } of counted) if (fate === 'keep') cells.delete(stage);
    const rest = old.filter(
      (output) => cells.has(output.stage) && !counted.includes(output) && output.fate === 'remove',
    );
    const byPath = new Map<string, LeftOutput>();
    for (const output of [...counted, ...rest])
      if ((byPath.get(output.path)?.fate ?? 'keep') === 'keep' && !(byPath.has(output.path) && output.fate === 'keep'))
        byPath.set(output.path, output);
    return [...byPath.values()];
  }

  /** Whether a stage is not in the pipeline any more, but its matrix is. */
  #isRemovedCell(name: string): boolean {
    return this.stages.every((stage) => stage.name !== name) && Object.hasOwn(this.pipeline.stages, name.split('@')[0]);
  }

  #fateOf(stage: string, path: string, content: Content): { fate: LeftOutput['fate'] } {
    const isFrozen =
      this.pipeline.stages[stage.split('@')[0]]?.do?.frozen ?? this.pipeline.stages[stage.split('@')[0]]?.frozen;
    const mayGo =
      this.#isRemovedCell(stage) && !isFrozen && !this.#isUsed(path, false) && isSame(this.#contentAt(path), content);
    return { fate: !mayGo ? 'keep' : this.#isCached(content) ? 'remove' : 'trash' };
  }

  /**
   * Whether the pipeline uses a path.
   *
   * @param insideDeps whether all that lies in a folder that a stage depends on counts as used
   */
  #isUsed(path: string, insideDeps: boolean): boolean {
    return this.stages.some((stage) => {
      const { deps } = stage;
      const used = [
        ...stage.outs.map((out) => out.path),
        ...(insideDeps ? deps.map((dep) => dep.path) : []),
        ...stage.code,
        ...stage.params.map(({ file }) => file),
        ...(stage.checkpoint === undefined ? [] : [stage.checkpoint]),
      ];
      // A folder in which a stage runs, and what a command names, is used as a whole.
      const whole = [stage.wdir, ...pathsIn(stage), ...deps.map((dep) => dep.path)];
      return used.some((use) => touches(use, path)) || whole.some((use) => within(path, use));
    });
  }

  /** Removes them, with the blocks of their cells. The run cache keeps the runs. */
  #clearLeft(left: readonly LeftOutput[], isRecorded: boolean): void {
    const cleared = left.filter(({ fate }) => fate !== 'keep');
    const needed = new Set(this.stages.flatMap(({ wdir, deps }) => [wdir, ...deps.map(({ path }) => path)]));
    for (const { path, fate } of cleared) {
      if (fate === 'trash') this.trash.push({ path, subtree: this.tree.subtree(path) });
      this.tree.remove(path);
      for (let folder = parentOf(path); folder !== '.' && !needed.has(folder); folder = parentOf(folder)) {
        if (this.tree.subtree(folder).size > 1) break;
        this.tree.remove(folder);
      }
    }
    for (const stage of new Set(cleared.map((output) => output.stage))) {
      const block = this.lock.get(stage)!;
      this.store.runs.set(keyOfBlock(block), block);
      if (isRecorded && !left.some((output) => output.stage === stage && output.fate === 'keep'))
        this.lock.delete(stage);
    }
  }

  // Commands.

  /**
   * `repro`.
   *
   * @param observed the verdicts of the real run. They decide only what the rules leave open: which independent stages
   *   are still started after a failure
   * @throws Refused if the call has exit code 2
   */
  run(options: RunOptions, observed: ReadonlyMap<string, Verdict>): Map<string, Verdict> {
    const selected = this.select(options);
    if (options.pull)
      this.transfer(
        'fetch',
        selected.map(({ name }) => name),
      );
    this.plan(options);
    this.#clearLeft(this.leftOutputs(selected), !options.noCommit);
    const verdicts = new Map<string, Verdict>();
    for (const stage of selected) {
      const isBlocked = upstreamOf(stage, selected).some(({ name }) =>
        ['failed', 'skipped'].includes(verdicts.get(name)!),
      );
      // Which stages were started before the failure depends on time.
      const isStopped =
        !options.keepGoing && observed.get(stage.name) === 'skipped' && [...observed.values()].includes('failed');
      verdicts.set(stage.name, isBlocked ? 'skipped' : this.#bringUpToDate(stage, options, isStopped));
    }
    return verdicts;
  }

  #bringUpToDate(stage: PlainStage, options: RunOptions, isStopped: boolean): Verdict {
    const found = this.#evaluate(stage, options);
    if (found === undefined) return 'failed'; // An upstream stage did not make what this one reads.
    const { state, key, inputs, run } = found;
    if (state === 'fresh' || state === 'frozen') return 'fresh';
    if (isStopped) return 'skipped';
    this.touched.set(stage.name, { key, path: stage.checkpoint ?? '' });
    if (run) {
      this.#restore(stage, run);
      if (!stage.frozen) this.#record(stage, key, blockOf(stage, inputs, run.outs!));
      return 'restored';
    }
    this.#setAside(stage);
    for (const { path, persist } of stage.outs) {
      if (!persist) this.tree.remove(path);
      this.tree.addFolder(parentOf(path));
    }
    const { checkpoint } = stage;
    if (checkpoint !== undefined) {
      if (this.checkpoints.get(stage.name)?.key !== key || this.checkpoints.get(stage.name)?.path !== checkpoint)
        this.tree.remove(checkpoint);
      this.tree.addFolder(parentOf(checkpoint));
      this.checkpoints.set(stage.name, { key, path: checkpoint });
    }
    const isDone = execute(stage, this.tree) && stage.outs.every(({ path }) => this.tree.has(path));
    if (isDone && !options.noCommit) {
      const outs = Object.fromEntries(stage.outs.map(({ path }) => [path, this.#take(path)]));
      this.#record(stage, key, blockOf(stage, inputs, outs));
    } else this.marks.set(stage.name, new Map(stage.outs.map(({ path }) => [path, this.#contentAt(path)])));
    if (isDone && checkpoint !== undefined) {
      this.tree.remove(checkpoint);
      this.checkpoints.delete(stage.name);
    }
    return isDone ? 'ran' : 'failed';
  }

  #record(stage: PlainStage, key: string, block: Block): void {
    // The closure's list of modules is an object too.
    for (const { sha256 } of Object.values(block.code ?? {})) this.store.objects.add(sha256);
    if (!alwaysRuns(stage)) this.store.runs.set(key, block);
    this.lock.set(stage.name, block);
  }

  /** `repro checkout`. Returns whether all outputs could be restored. */
  checkout(targets: string[]): boolean {
    let isWhole = true;
    for (const stage of this.select({ targets, single: true }))
      for (const { path } of stage.outs) {
        const block = this.lock.get(stage.name);
        const content = block?.outs?.[path];
        if (content === undefined || isSame(this.#contentAt(path), content)) continue;
        this.touched.set(stage.name, { key: '', path: '' });
        if (this.#isCached(content)) this.#restore(stage, { ...block!, outs: { [path]: content } });
        else isWhole = false;
      }
    return isWhole;
  }

  /** `repro commit`. */
  commit(targets: string[]): void {
    for (const stage of this.select({ targets, single: true })) {
      const isMissing = stage.outs.some(({ path }) => !this.tree.has(path));
      if (isMissing && targets.length === 0) continue;
      const inputs = this.#inputs(stage);
      if (isMissing || inputs === undefined) throw new Refused(stage.name);
      const outs = Object.fromEntries(stage.outs.map(({ path }) => [path, this.#take(path)]));
      this.#record(stage, keyOf(stage, inputs), blockOf(stage, inputs, outs));
    }
  }

  /** `repro gc --yes`. Returns the outputs of removed stages that it deletes. */
  gc(): string[] {
    const live = new Set(this.stages.map(({ name }) => name));
    const removed = [...this.lock].filter(([name]) => !live.has(name));
    const deleted = removed.flatMap(([name, block]) =>
      Object.entries(block.outs ?? {})
        .filter(([path, content]) => this.tree.has(path) && isSame(this.#contentAt(path), content))
        .map(([path]) => path)
        .filter((path) => !this.#isUsed(path, !this.#isRemovedCell(name))),
    );
    for (const path of deleted) this.tree.remove(path);
    for (const [name] of removed) this.lock.delete(name);
    const needed = new Set([...this.lock.values()].flatMap((block) => this.#objectsOf(block)));
    for (const [key, block] of this.store.runs)
      if (!this.#objectsOf(block).every((object) => needed.has(object))) this.store.runs.delete(key);
    for (const object of this.store.objects) if (!needed.has(object)) this.store.objects.delete(object);
    this.trash = [];
    return deleted;
  }

  /** `repro push` and `repro fetch`. Returns whether everything could be copied. */
  transfer(direction: 'push' | 'fetch', targets: string[]): boolean {
    if (direction === 'push') this.remote ??= { objects: new Set(), runs: new Map() };
    const [from, to] = direction === 'push' ? [this.store, this.remote!] : [this.remote!, this.store];
    let isWhole = true;
    for (const stage of this.select({ targets, single: true })) {
      const block = this.lock.get(stage.name);
      if (block === undefined) continue;
      let isRunWhole = true;
      for (const [path, content] of Object.entries(block.outs ?? {})) {
        // What git keeps need not be in the cache.
        if (stage.outs.find((out) => out.path === path)?.cache === false && !this.#isIn(from, content)) continue;
        for (const object of this.#objectsIn(content)) {
          if (!to.objects.has(object) && from.objects.has(object)) to.objects.add(object);
          if (to.objects.has(object)) continue;
          isRunWhole = false;
          // Without a folder's manifest, its files are not known.
          if (content.files !== undefined && object === content.sha256) break;
        }
      }
      for (const { sha256 } of Object.values(block.code ?? {})) if (from.objects.has(sha256)) to.objects.add(sha256);
      const key = keyOfBlock(block);
      if (isRunWhole && from.runs.has(key) && !to.runs.has(key)) to.runs.set(key, block);
      isWhole &&= isRunWhole;
    }
    return isWhole;
  }

  /** `repro trash restore`. Returns whether the file was put back. */
  restoreFromTrash(path: string): boolean {
    const index = this.trash.findLastIndex((entry) => entry.path === path);
    if (index < 0) throw new Refused(path);
    if (this.tree.has(path)) return false;
    this.tree.graft(path, this.trash[index].subtree);
    this.trash.splice(index, 1);
    return true;
  }

  // The edits of a person.

  /** Notes that a person changed a path: what attempts left there is theirs no longer. */
  edited(path: string): void {
    for (const out of this.uncertain) if (touches(out, path)) this.uncertain.delete(out);
    for (const paths of this.marks.values()) for (const out of paths.keys()) if (touches(out, path)) paths.delete(out);
  }

  // Outputs.

  #contentAt(path: string): Content | undefined {
    const content = this.tree.content(path);
    if (content !== undefined) this.#remember(this.tree.subtree(path));
    return content;
  }

  #remember(subtree: Subtree): void {
    this.#contents.set(contentOf(subtree).sha256, subtree);
    for (const [path, node] of subtree)
      if (path !== '' && node !== 'folder') this.#contents.set(sha256(node.text), new Map([['', node]]));
  }

  /** Takes an output into the cache. */
  #take(path: string): Content {
    const content = this.#contentAt(path)!;
    for (const object of this.#objectsIn(content)) this.store.objects.add(object);
    return content;
  }

  /** The objects that a content consists of: of a folder, its manifest first. */
  #objectsIn({ sha256: own, files }: Content): string[] {
    const subtree = this.#contents.get(own);
    if (files === undefined || subtree === undefined) return [own];
    return [own, ...[...subtree.values()].flatMap((node) => (node === 'folder' ? [] : [sha256(node.text)]))];
  }

  /** The objects that gc sees in a run. The files of a folder are not known if its manifest is gone. */
  #objectsOf({ outs = {}, code = {} }: Block): string[] {
    const known = (content: Content) =>
      this.store.objects.has(content.sha256) ? this.#objectsIn(content) : [content.sha256];
    return [...Object.values(outs).flatMap(known), ...Object.values(code).map((content) => content.sha256)];
  }

  #isCached(content: Content): boolean {
    return this.#isIn(this.store, content);
  }

  #isIn({ objects }: Store, content: Content): boolean {
    return this.#objectsIn(content).every((object) => objects.has(object));
  }

  /** Moves what stands where a stage writes to the trash, unless repro has a record of it. */
  #setAside(stage: PlainStage, restored?: Block): void {
    const moved: string[] = [];
    for (const { path, persist } of stage.outs) {
      const wanted = restored?.outs?.[path];
      if (restored === undefined ? persist : wanted === undefined) continue;
      const content = this.#contentAt(path);
      const isUncertain = this.uncertain.delete(path);
      if (content === undefined || content.files === 0 || isSame(content, wanted)) continue;
      if (this.#isRecorded(stage, path, content)) continue;
      const mayBeCached = this.#objectsIn(content).every((object) => this.seen.inCache.has(object));
      const isOpen = isUncertain || this.#isCached(content) || mayBeCached;
      if (!isOpen || this.seen.inTrash.has(`${path} ${content.sha256}`)) moved.push(path);
    }
    const { checkpoint } = stage;
    if (restored === undefined && checkpoint !== undefined && this.checkpoints.get(stage.name)?.path !== checkpoint)
      if (this.tree.file(checkpoint) || this.tree.subtree(checkpoint).size > 1) moved.push(checkpoint);
    for (const path of moved) {
      this.trash.push({ path, subtree: this.tree.subtree(path) });
      this.tree.remove(path);
    }
  }

  #isRecorded(stage: PlainStage, path: string, content: Content): boolean {
    if (this.marks.get(stage.name)?.has(path) && isSame(this.marks.get(stage.name)!.get(path), content)) return true;
    const blocks = [...this.lock.values(), ...this.store.runs.values()];
    return blocks.some((block) => isSame(block.outs?.[path], content));
  }

  #restore(stage: PlainStage, block: Block): void {
    this.#setAside(stage, block);
    for (const [path, content] of Object.entries(block.outs ?? {})) {
      if (isSame(this.#contentAt(path), content)) continue;
      this.tree.remove(path);
      // The mode is part of the record, not of the object.
      const subtree = this.#contents.get(content.sha256)!;
      const file = subtree.get('')!;
      const isFile = content.files === undefined && file !== 'folder';
      this.tree.graft(path, isFile ? new Map([['', { ...file, executable: content.executable === true }]]) : subtree);
    }
  }

  /** The text of the object with this hash. */
  objectText(hash: string): string | undefined {
    const subtree = this.#contents.get(hash);
    const own = subtree?.get('');
    if (subtree === undefined || own === undefined) return undefined;
    return own === 'folder' ? manifestOf(subtree) : own.text;
  }

  /** Whether the hash is one of a content that the model knows. */
  knows(hash: string): boolean {
    return this.#contents.has(hash);
  }
}

function copyOf({ objects, runs }: Store): Store {
  return { objects: new Set(objects), runs: new Map(runs) };
}

/** Whether a stage is never fresh. */
export function alwaysRuns({ alwaysChanged, deps, code, params }: PlainStage): boolean {
  return alwaysChanged || deps.length + code.length + params.length === 0;
}

/** The record of a run. */
function blockOf(stage: PlainStage, inputs: Inputs, outs: { [path: string]: Content }): Block {
  const part = <T extends object>(name: string, value: T) => (Object.keys(value).length > 0 ? { [name]: value } : {});
  return {
    cmd: stage.cmd.length === 1 ? stage.cmd[0] : stage.cmd,
    ...(stage.wdir === '.' ? {} : { wdir: stage.wdir }),
    ...part('env', stage.env),
    ...part('deps', inputs.deps),
    ...part('code', inputs.code),
    ...part('params', inputs.params),
    ...part('outs', outs),
  };
}

/** What a run is found by: its command, folder, environment, inputs and the paths of its outputs. */
function keyOf(stage: PlainStage, inputs: Inputs): string {
  return json([blockOf(stage, inputs, {}), stage.outs.map(({ path }) => path).sort()]);
}

/** The key of a recorded run. */
export function keyOfBlock({ outs = {}, ...inputs }: Block): string {
  return json([inputs, Object.keys(outs).sort()]);
}

/** The recorded value of a param: the last run may have listed a wider key. */
function recordedParam(values: { [key: string]: Value }, key: string): Value | undefined {
  if (Object.hasOwn(values, key)) return values[key];
  for (const [wider, value] of Object.entries(values)) {
    if (wider !== '' && !key.startsWith(`${wider}.`)) continue;
    const found = lookUp(value, wider === '' ? key : key.slice(wider.length + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The paths that the words of a stage's commands name. */
function pathsIn({ cmd, wdir }: PlainStage): string[] {
  const words = cmd.flatMap((line) => line.split(/[\s:]+/));
  return words.map((word) => (wdir === '.' ? word : normalise(`${wdir}/${word}`)));
}

function normalise(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
}

/** One text for equal values, whatever the order of their keys. */
export function json(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
