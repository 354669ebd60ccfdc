/**
 * The program of the training thread, which train.ts bundles and starts. It opens the engine and the tokens, trains,
 * and writes MODEL, with the models of smaller budgets in it.
 *
 * `workerData` is a TrainingRequest. The thread posts `FromThread` messages. The only message it receives is the reason
 * to stop: it then finishes the current step, keeps a checkpoint, and fails with that reason.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  type BudgetOutcome,
  type Engine,
  type EngineOptions,
  openEngine,
  type TrainResult,
  type TrainSettings,
  train,
} from '../../lib/engine/index.ts';
import { type ModelConfig, saveCheckpoint } from '../../lib/models/index.ts';
import type { ProgressUpdate } from '../../lib/repro/index.ts';
import { TokenStore } from '../../lib/tokenizer/index.ts';
import { budgetFolder } from './budgets.ts';

/** Everything the thread needs, as plain data. Paths are those of the command line. */
export interface TrainingRequest {
  /** folder of tokens to read */
  tokens: string;
  /** folder for the trained model */
  modelDir: string;
  config: ModelConfig;
  engine: EngineOptions;
  settings: TrainSettings;
  seed: number;
  /** bytes that the run may use; without it, the whole machine's */
  memoryShare?: number;
  /** folder of checkpoints; without it an interrupted run starts again */
  checkpointDir?: string;
}

/** The result that train.ts reports, without the weights, and the engine that computed it. */
export type Trained = Omit<TrainResult, 'weights' | 'budgets'> & {
  budgets: Omit<BudgetOutcome, 'weights'>[];
  engine: Pick<Engine, 'name' | 'description' | 'arithmetic'>;
};

/** Messages of the thread: progress while it trains, then the result. */
export type FromThread = { progress: ProgressUpdate } | { trained: Trained };

/** Runs one training request in this thread. A rejection reaches train.ts as the thread's error event. */
export async function runTrainingThread(): Promise<void> {
  const port = parentPort!;
  const post = (message: FromThread) => port.postMessage(message);
  const stop = new AbortController();
  port.on('message', (reason: string) => stop.abort(new Error(reason)));

  const request: TrainingRequest = workerData;
  const { tokens, modelDir, config, settings, seed, checkpointDir, memoryShare } = request;
  const engine = await openEngine(request.engine);
  const source = TokenStore.open(tokens);
  const { weights, budgets, ...result } = await train({
    engine,
    config,
    source,
    settings,
    seed,
    checkpointDir,
    memoryShare,
    onProgress: (progress) => post({ progress }),
    signal: stop.signal,
  });
  await source.close();
  await saveCheckpoint(modelDir, { config, weights });
  const figures = budgets.map(({ weights: _, ...each }) => each);
  for (const { share, weights } of budgets) await saveCheckpoint(budgetFolder(modelDir, share), { config, weights });
  const { name, description, arithmetic } = engine;
  post({ trained: { ...result, budgets: figures, engine: { name, description, arithmetic } } });
  port.close();
}
