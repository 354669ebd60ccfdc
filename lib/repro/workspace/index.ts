/**
 * What repro may remove or overwrite among the files that a user sees. All other folders call this one for it.
 *
 *   uses.ts         pure: which of a stage's paths are in use, and why a recorded output must be kept
 *   git-files.ts    which files git tracks
 *   user-files.ts   removes them
 */
export { type GitFiles, openGitFiles } from './git-files.ts';
export { removeUserPath } from './user-files.ts';
export { namedInCommand, PathsInUse, type PathUse } from './uses.ts';
