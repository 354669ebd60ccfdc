/**
 * A naive runner in memory: the rules of docs/repro.md in plain words, without caches, times or parallel work. It says
 * which stage must run, is fresh or is restored, and which bytes every file has afterwards.
 */
import { alwaysRuns, type Block, blockOf, keyOf, keyOfBlock } from './block.ts';
import { evaluate, inputsOf, plan } from './freshness.ts';
import { clearLeft, isRemovedCell, isUsed, leftOutputs } from './left-outputs.ts';
import { partsIn, partsOf } from './parts.ts';
import { ProjectState, Refused, type RunOptions } from './project-state.ts';
import { restoreRun, setAside } from './replaced-files.ts';
import { execute, type PlainStage, upstreamOf } from './stages.ts';
import { isSame, parentOf } from './tree.ts';

/** What becomes of a stage. */
export type Verdict = 'fresh' | 'ran' | 'restored' | 'failed' | 'skipped';

/** A project, and what each command does to it. */
export class Reference extends ProjectState {
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
    plan(this, options);
    clearLeft(this, leftOutputs(this, selected), !options.noCommit);
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
    const found = evaluate(this, stage, options);
    if (found === undefined) return 'failed'; // An upstream stage did not make what this one reads.
    const { state, key, inputs, run } = found;
    if (state === 'fresh' || state === 'frozen') return 'fresh';
    if (isStopped) return 'skipped';
    this.touched.set(stage.name, { key, path: stage.checkpoint ?? '' });
    if (run) {
      restoreRun(this, stage, run);
      if (!stage.frozen) this.#record(stage, key, { ...blockOf(stage, inputs, run.outs!), ...partsIn(run) });
      return 'restored';
    }
    setAside(this, stage, { key });
    this.marks.delete(stage.name);
    for (const { path, persist } of stage.outs) {
      if (!persist) this.tree.remove(path);
      this.tree.addFolder(parentOf(path));
    }
    const { checkpoint } = stage;
    if (checkpoint !== undefined) {
      if (this.checkpoints.get(stage.name)?.key !== key || this.checkpoints.get(stage.name)?.path !== checkpoint)
        this.tree.remove(checkpoint);
      this.tree.addFolder(parentOf(checkpoint));
      this.checkpoints.set(stage.name, { key, path: checkpoint, isBegun: false, isEdited: false });
    }
    const isDone = execute(stage, this.tree) && stage.outs.every(({ path }) => this.tree.has(path));
    if (isDone && !options.noCommit) {
      const outs = Object.fromEntries(stage.outs.map(({ path }) => [path, this.take(path)]));
      this.#record(stage, key, { ...blockOf(stage, inputs, outs), ...partsOf(this, stage) });
    } else this.marks.set(stage.name, new Map(stage.outs.map(({ path }) => [path, this.contentAt(path)])));
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
        if (content === undefined || isSame(this.contentAt(path), content)) continue;
        this.touched.set(stage.name, { key: '', path: '' });
        if (this.isCached(content)) restoreRun(this, stage, { ...block!, outs: { [path]: content } });
        else isWhole = false;
      }
    return isWhole;
  }

  /** `repro commit`. */
  commit(targets: string[]): void {
    for (const stage of this.select({ targets, single: true })) {
      const isMissing = stage.outs.some(({ path }) => !this.tree.has(path));
      if (isMissing && targets.length === 0) continue;
      const inputs = inputsOf(this, stage);
      if (isMissing || inputs === undefined) throw new Refused(stage.name);
      const outs = Object.fromEntries(stage.outs.map(({ path }) => [path, this.take(path)]));
      this.#record(stage, keyOf(stage, inputs), { ...blockOf(stage, inputs, outs), ...partsOf(this, stage) });
    }
  }

  /** `repro gc --yes`. Returns the outputs of removed stages that it deletes. */
  gc(): string[] {
    const live = new Set(this.stages.map(({ name }) => name));
    const removed = [...this.lock].filter(([name]) => !live.has(name));
    const deleted = removed.flatMap(([name, block]) =>
      Object.entries(block.outs ?? {})
        .filter(([path, content]) => this.tree.has(path) && isSame(this.contentAt(path), content))
        .map(([path]) => path)
        .filter((path) => !isUsed(this, path, !isRemovedCell(this, name))),
    );
    for (const path of deleted) this.tree.remove(path);
    for (const [name] of removed) this.lock.delete(name);
    const needed = new Set([...this.lock.values()].flatMap((block) => this.objectsOf(block)));
    for (const [key, block] of this.store.runs)
      if (!this.objectsOf(block).every((object) => needed.has(object))) this.store.runs.delete(key);
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
        if (stage.outs.find((out) => out.path === path)?.cache === false && !this.isIn(from, content)) continue;
        for (const object of this.objectsIn(content)) {
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
}
