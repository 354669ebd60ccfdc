/** What removed stages left in the folders that other stages depend on, and what the pipeline uses. */
import { keyOfBlock } from './block.ts';
import type { ProjectState } from './project-state.ts';
import type { PlainStage } from './stages.ts';
import { type Content, isSame, parentOf, touches, within } from './tree.ts';

/** An output that a stage would count although no stage makes it any more. */
export interface LeftOutput {
  stage: string;
  path: string;
  fate: 'remove' | 'trash' | 'keep';
}

/**
 * The outputs that stages of a call would count although they do not belong to the pipeline any more, and what becomes
 * of each.
 */
export function leftOutputs(state: ProjectState, selected: readonly PlainStage[]): LeftOutput[] {
  const { stages } = state;
  const listed = new Set(stages.flatMap(({ outs }) => outs.map(({ path }) => path)));
  const old = [...state.lock.keys()].sort().flatMap((stage) =>
    Object.entries(state.lock.get(stage)!.outs ?? {})
      .filter(([path]) => !listed.has(path) && state.tree.has(path))
      .map(([path, content]) => ({
        stage,
        path,
        isCell: isRemovedCell(state, stage),
        ...fateOf(state, stage, path, content),
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
  const rest = old.filter((output) => cells.has(output.stage) && !counted.includes(output) && output.fate === 'remove');
  const byPath = new Map<string, LeftOutput>();
  for (const output of [...counted, ...rest])
    if ((byPath.get(output.path)?.fate ?? 'keep') === 'keep' && !(byPath.has(output.path) && output.fate === 'keep'))
      byPath.set(output.path, output);
  return [...byPath.values()];
}

/** Whether a stage is not in the pipeline any more, but its matrix is. */
export function isRemovedCell(state: ProjectState, name: string): boolean {
  return state.stages.every((stage) => stage.name !== name) && Object.hasOwn(state.pipeline.stages, name.split('@')[0]);
}

function fateOf(state: ProjectState, stage: string, path: string, content: Content): { fate: LeftOutput['fate'] } {
  const isFrozen =
    state.pipeline.stages[stage.split('@')[0]]?.do?.frozen ?? state.pipeline.stages[stage.split('@')[0]]?.frozen;
  const mayGo =
    isRemovedCell(state, stage) && !isFrozen && !isUsed(state, path, false) && isSame(state.contentAt(path), content);
  return { fate: !mayGo ? 'keep' : state.isCached(content) ? 'remove' : 'trash' };
}

/**
 * Whether the pipeline uses a path.
 *
 * @param insideDeps whether all that lies in a folder that a stage depends on counts as used
 */
export function isUsed(state: ProjectState, path: string, insideDeps: boolean): boolean {
  return state.stages.some((stage) => {
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
export function clearLeft(state: ProjectState, left: readonly LeftOutput[], isRecorded: boolean): void {
  const cleared = left.filter(({ fate }) => fate !== 'keep');
  const needed = new Set(state.stages.flatMap(({ wdir, deps }) => [wdir, ...deps.map(({ path }) => path)]));
  for (const { path, fate } of cleared) {
    if (fate === 'trash') state.trash.push({ path, subtree: state.tree.subtree(path) });
    state.tree.remove(path);
    for (let folder = parentOf(path); folder !== '.' && !needed.has(folder); folder = parentOf(folder)) {
      if (state.tree.subtree(folder).size > 1) break;
      state.tree.remove(folder);
    }
  }
  for (const stage of new Set(cleared.map((output) => output.stage))) {
    const block = state.lock.get(stage)!;
    state.store.runs.set(keyOfBlock(block), block);
    if (isRecorded && !left.some((output) => output.stage === stage && output.fate === 'keep'))
      state.lock.delete(stage);
  }
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
