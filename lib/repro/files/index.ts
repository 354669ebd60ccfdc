/** Writing files so that a kill or a power cut does no harm: see atomic-write.ts. */
export { isLeftover, moveIntoPlace, temporaryPath, type WriteOptions, writeAtomically } from './atomic-write.ts';
