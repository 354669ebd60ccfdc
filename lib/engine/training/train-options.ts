/** The inputs of a training run: the model, the data, the settings, and the folder for checkpoints. */
import type { ModelConfig } from '../../models/index.ts';
import type { TokenSource } from '../data/index.ts';
import type { Engine } from '../interface/index.ts';
import type { TrainSettings } from './training-settings.ts';

/** One training run: the model, the data, the settings, and the folder for checkpoints. */
export interface TrainOptions {
  engine: Engine;
  config: ModelConfig;
  source: TokenSource;
  settings: TrainSettings;
  /** seed of the initial weights, the order of the data and the dropout masks */
  seed: number;
  /** called after every step; `done` and `total` are in tokens */
  onProgress?(progress: { done: number; total: number; unit: string; text: string }): void;
  /** bytes of memory that this run may use, because other runs need memory too. Default: the whole machine's */
  memoryShare?: number;
  /** folder for checkpoints: the run continues from a checkpoint in it, and leaves none when it is complete */
  checkpointDir?: string;
  /** seconds between two checkpoints. Default 60 */
  checkpointSeconds?: number;
  /**
   * Aborting it ends the run after the steps that were started, at most two, or after the current batch of an
   * evaluation. The run then writes a checkpoint, and `train` throws the signal's reason.
   */
  signal?: AbortSignal;
}
