/**
 * Several hosts at one folder: nodes of a cluster, or a container beside its host.
 *
 *   folder-claim.ts   one host at a time writes to the project
 *   section.ts        one process of this host at a time is in a section of code
 *   state-folder.ts   LMDB stores lie on a disk of this machine
 */
export { checkFree, FolderClaim, FolderTaken, otherHost } from './folder-claim.ts';
export { Section } from './section.ts';
export { isOnNetwork, localFolder, stateFolder } from './state-folder.ts';
