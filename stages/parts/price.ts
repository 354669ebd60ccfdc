/**
 * Estimates the cost of training a study on a machine, before anything runs: floating-point operations, hours and
 * memory. Data preparation, evaluation and samples are not counted. by-hand/price.ts prints it; stage-costs.ts adds the
 * last two.
 */
import { type Engine, estimateRunMemory } from '../../lib/engine/index.ts';
import { countParameters, flopsPerToken, type ModelConfig, modelConfig } from '../../lib/models/index.ts';
import { grid } from './grid.ts';
import type { Params } from './params.ts';
import { StageError } from './stage.ts';
import type { TrainingSpeed } from './training-speed.ts';

/** Vocabularies that are not known before the data set is there. Characters: those of the dialect. */
const USUAL_VOCABULARY = { char: 64, music: 600 };

/** The price of one training run. */
interface RunPrice {
  name: string;
  params: number;
  flops: number;
  /** bytes */
  memory: number;
  /** on one core */
  hours: number;
}

/** The price of a study. */
export interface StudyPrice {
  runs: RunPrice[];
  flops: number;
  /** bytes of the largest run */
  memory: number;
  /** how many runs go side by side here */
  workers: number;
  /** from the first run to the last, that many side by side */
  hours: number;
}

/**
 * The configuration of a run's model, as far as it is known before the data set is there.
 *
 * @throws StageError if params.yaml has no such size
 * @throws ModelError naming the key of the size that is wrong
 */
export function configOf(params: Params, run: { tokenizer: string; size: string }): ModelConfig {
  const vocabularySize =
    run.tokenizer === 'bpe'
      ? params.tokenize.bpe.vocabulary
      : USUAL_VOCABULARY[run.tokenizer as keyof typeof USUAL_VOCABULARY];
  const { block, dropout } = params.train;
  if (!Object.hasOwn(params.sizes, run.size)) throw new StageError(`sizes has no key ${run.size}`);
  return modelConfig(params.sizes[run.size], { vocabularySize, block, dropout });
}

/**
 * Computes the price of a study.
 *
 * @param speed operations per second of one core
 * @param machine its number of cores, and bytes of memory
 */
export function priceStudy(
  params: Params,
  engine: Engine,
  speed: TrainingSpeed,
  machine: { cpus: number; memory: number },
): StudyPrice {
  const { train } = params;
  // The cooldowns of smaller budgets are trained as well.
  const tokens = train.tokens * (1 + sum(train.budgets) * train.cooldown);
  const runs = grid(params).map((run) => {
    const config = configOf(params, run);
    const flops = flopsPerToken(config, train.block) * tokens;
    return {
      name: run.name,
      params: countParameters(config).total,
      flops,
      memory: estimateRunMemory(engine, config, { batch: train.batch, budgets: train.budgets }, true),
      hours: flops / speed(config) / 3600,
    };
  });
  const memory = Math.max(...runs.map((run) => run.memory));
  const workers = Math.max(1, Math.min(machine.cpus, Math.floor(machine.memory / memory), runs.length));
  return { runs, flops: sum(runs.map((run) => run.flops)), memory, workers, hours: makespan(runs, workers) };
}

/** Hours until all runs have ended, if a free worker always takes the longest run that waits. */
function makespan(runs: readonly RunPrice[], workers: number): number {
  const busy = new Array<number>(workers).fill(0);
  for (const hours of runs.map((run) => run.hours).sort((a, b) => b - a))
    busy[busy.indexOf(Math.min(...busy))] += hours;
  return Math.max(...busy);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
