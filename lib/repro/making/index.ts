/**
 * Makes the outputs of one stage, and records nothing. Used by execution, and by slurm on a node.
 *
 *   executor.ts        the interface of executors, which make stages; local-executor.ts is the one of this machine
 *   make-stage.ts      one attempt: old outputs removed, commands run, inputs compared, outputs taken into the cache
 *   run-commands.ts    the commands and their environment
 *   late-outputs.ts    outputs that another host wrote, on a disk that both share
 *   moved-inputs.ts    which inputs changed meanwhile
 *   take-outputs.ts    outputs into the cache, and back
 *   incremental.ts     the first outputs of an incremental stage; input-changes.ts compares its inputs, file by file
 *   params-copies.ts   copies of params files, which an edit during a run does not touch
 *   stages-above.ts    refuses a call of repro that would wait for the stage it comes from
 */
export type { Attempted, Detached, Executor, Made, Moved, Place, StageEvent, Waiting, Work } from './executor.ts';
export { isListed } from './late-outputs.ts';
export { LocalExecutor } from './local-executor.ts';
export { describeIgnored, ignoredIn, type MakeContext, makeStage, markFailed } from './make-stage.ts';
export { movedInputs, paramsReadDirectly } from './moved-inputs.ts';
export { ParamsCopies } from './params-copies.ts';
export { checkNotWithin, stagesThatCall } from './stages-above.ts';
export { missingOutputs, restoreOutputs, takeOutputs } from './take-outputs.ts';
