/**
 * The thread of train.ts that trains: opens the engine and the tokens, and writes MODEL. Its data is a TrainingRequest; a message
 * to it is why it has to stop, and then it keeps a checkpoint and fails with that.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type EngineOptions, openEngine, type TrainResult, type TrainSettings, train } from '../lib/engine/index.ts';
import { type ModelConfig, saveCheckpoint } from '../lib/models/index.ts';
import type { ProgressUpdate } from '../lib/repro/index.ts';
import { TokenStore } from '../lib/tokenizer/index.ts';

export interface TrainingRequest {
  tokens: string;
  modelDir: string;
  config: ModelConfig;
  engine: EngineOptions;
  settings: TrainSettings;
  seed: number;
  checkpointDir?: string;
}

/** What train.ts reports; `engine` for people. */
export type Trained = Omit<TrainResult, 'weights'> & { engine: string };

export type FromThread = { progress: ProgressUpdate } | { trained: Trained };

const { tokens, modelDir, config, engine: engineOptions, settings, seed, checkpointDir }: TrainingRequest = workerData;
const port = parentPort!;
const tell = (message: FromThread) => port.postMessage(message);
const stop = new AbortController();
port.on('message', (reason: string) => stop.abort(new Error(reason)));

const engine = await openEngine(engineOptions);
const source = await TokenStore.open(tokens);
const { weights, ...result } = await train({
  engine,
  config,
  source,
  settings,
  seed,
  checkpointDir,
  onProgress: (progress) => tell({ progress }),
  signal: stop.signal,
});
await source.close();
await saveCheckpoint(modelDir, { config, weights });
tell({ trained: { ...result, engine: engine.description } });
port.close();
