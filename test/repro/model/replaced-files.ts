/** What a run or a restoration replaces in the workspace, and what becomes of it. */
import type { Block } from './block.ts';
import type { ProjectState } from './project-state.ts';
import type { PlainStage } from './stages.ts';
import { type Content, isSame } from './tree.ts';

/** Moves what stands where a stage writes to the trash, unless repro has a record of it. */
export function setAside(
  state: ProjectState,
  stage: PlainStage,
  { restored, key }: { restored?: Block; key?: string },
): void {
  const moved: string[] = [];
  for (const { path, persist } of stage.outs) {
    const wanted = restored?.outs?.[path];
    if (restored === undefined ? persist : wanted === undefined) continue;
    const content = state.contentAt(path);
    const isUncertain = state.uncertain.delete(path);
    if (content === undefined || content.files === 0 || isSame(content, wanted)) continue;
    if (isRecorded(state, stage, path, content)) continue;
    const mayBeCached = state.objectsIn(content).every((object) => state.seen.inCache.has(object));
    const isOpen = isUncertain || state.isCached(content) || mayBeCached;
    if (!isOpen || state.seen.inTrash.has(`${path} ${content.sha256}`)) moved.push(path);
  }
  const { checkpoint } = stage;
  if (restored === undefined && checkpoint !== undefined && isStrange(state, stage, checkpoint, key!))
    moved.push(checkpoint);
  for (const path of moved) {
    state.trash.push({ path, subtree: state.tree.subtree(path) });
    state.tree.remove(path);
  }
}

/** Whether a checkpoint, which is one file, is not the work of attempts, so that the next one must not use or remove it. */
function isStrange(state: ProjectState, stage: PlainStage, path: string, key: string): boolean {
  if (!state.tree.has(path)) return false;
  const mark = state.checkpoints.get(stage.name);
  if (mark?.path !== path) return true;
  if (!mark.isBegun) return mark.isEdited;
  // What a killed attempt may have left is for the next one at the same inputs.
  return mark.key !== key && (mark.isEdited || state.seen.inTrash.has(`${path} ${state.contentAt(path)!.sha256}`));
}

function isRecorded(state: ProjectState, stage: PlainStage, path: string, content: Content): boolean {
  if (state.marks.get(stage.name)?.has(path) && isSame(state.marks.get(stage.name)!.get(path), content)) return true;
  const blocks = [...state.lock.values(), ...state.store.runs.values()];
  return blocks.some((block) => isSame(block.outs?.[path], content));
}

export function restoreRun(state: ProjectState, stage: PlainStage, block: Block): void {
  setAside(state, stage, { restored: block });
  for (const [path, content] of Object.entries(block.outs ?? {})) {
    if (isSame(state.contentAt(path), content)) continue;
    state.tree.remove(path);
    // The mode is part of the record, not of the object.
    const subtree = state.subtreeOf(content.sha256)!;
    const file = subtree.get('')!;
    const isFile = content.files === undefined && file !== 'folder';
    state.tree.graft(path, isFile ? new Map([['', { ...file, executable: content.executable === true }]]) : subtree);
  }
}
