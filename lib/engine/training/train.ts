/**
 * Trains one model on a budget of tokens, on any engine. The run is evaluated several times, stops if it diverges, and can
 * be resumed. With the schedule wsd it also gives the models of smaller budgets.
 *
 *   settings → (windows of the step → engine: forward, backward, clip, AdamW → evaluate if due → checkpoint if due) × steps → result
 *
 * A step is started before the loss of the one before it is read, so that the engine always has work. If that loss ends the
 * run, the step is dropped.
 *
 * Random numbers depend only on the seed and the number of the step. So a run that continues from a checkpoint ends
 * with the same bits as a run that was not interrupted. A checkpoint is refused if it was made with another engine,
 * precision or number of threads, or with other data or settings, because the bits would differ.
 */
import type { TrainOptions } from './train-options.ts';
import type { TrainResult } from './train-result.ts';
import { TrainingRun } from './training-run.ts';

/**
 * Trains a model. All checks are made before the first step.
 *
 * @throws EngineError if settings are wrong, a split is too short, the run does not fit into memory, or the checkpoint
 *   belongs to another run
 * @throws ModelError if the configuration is wrong
 * @throws the signal's reason if it is aborted
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { signal } = options;
  const run = await TrainingRun.begin(options);
  try {
    while (!run.ended) {
      if (!run.stepIsUnderWay) signal?.throwIfAborted();
      if (run.branchIsDue) await run.beginBranch();
      else if (run.evaluationIsDue) await run.evaluate();
      else await run.step();
      if (run.branchHasEnded) await run.endBranch();
      await run.checkpointIfDue();
    }
    return await run.finish();
  } catch (error) {
    if (signal?.aborted && error === signal.reason) await run.checkpoint();
    throw error;
  } finally {
    await run.dispose();
  }
}
