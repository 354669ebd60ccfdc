/** Calls the programs that a run asks something: git, python3, nvidia-smi, and those of Slurm. */
export { callProgram, type ProgramOptions, type ProgramResult } from './call-program.ts';
