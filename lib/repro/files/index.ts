/** Writing files so that a kill or a power cut does no harm (atomic-write.ts), and folders of this user alone. */
export { isLeftover, moveIntoPlace, temporaryPath, type WriteOptions, writeAtomically } from './atomic-write.ts';
export { makePrivateFolder } from './private-folder.ts';
