/**
 * Decides which files of the user repro may remove or overwrite, and removes them. All other folders call this one for
 * it.
 *
 *   uses.ts              pure: which of a stage's paths are in use, and why a recorded output must be kept
 *   git-files.ts         which files git tracks, and which it can bring back
 *   git-ignore.ts        adds lines to .gitignore
 *   output-marks.ts      which outputs an attempt has made although no lock records them
 *   checkpoint-marks.ts  which files of a checkpoint attempts have made
 *   stat-evidence.ts     distinguishes files of an attempt from later changes, without reading them
 *   trash.ts             moves files to .repro/trash and back
 *   user-files.ts        removes files
 */
export {
  checkpointKey,
  markCheckpoint,
  markCheckpointEnd,
  removeCheckpoint,
  signCheckpoint,
  strangeFiles,
  untouchedFiles,
} from './checkpoint-marks.ts';
export { type GitFiles, openGitFiles } from './git-files.ts';
export { addToGitignore } from './git-ignore.ts';
export {
  isMarkedIgnored,
  isMarkedUnrecorded,
  markBegun,
  markIgnored,
  markUnrecorded,
  signOutputs,
  unmarkOutputs,
} from './output-marks.ts';
export { treeSignature } from './stat-evidence.ts';
export { emptyMoves, emptyTrash, listTrash, moveToTrash, restoreFromTrash, type TrashEntry } from './trash.ts';
export { checkInside, leadsOutside, removeEmptyFolders, removeUserPath } from './user-files.ts';
export { namedInCommand, PathsInUse, type PathUse } from './uses.ts';
