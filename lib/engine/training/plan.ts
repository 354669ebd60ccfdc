/** What a training run will do, decided before it does any of it: how many steps, at which rates, evaluated when and on what. */
import { carriesState, type ModelConfig, Random } from '../../models/index.ts';
import { checkSplit, planStreams, type Streams, type TokenSource } from '../data/index.ts';
import { EngineError } from '../interface/index.ts';
import { spreadWindows, type Window } from './evaluate.ts';
import type { Schedule } from './schedule.ts';

export interface TrainSettings {
  /** The budget: steps are made until at least this many have been read. */
  tokens: number;
  /** Windows a step. */
  batch: number;
  /** Tokens a window, at most the model's block, which is the default. */
  block?: number;
  /** At the end of the warmup. */
  learningRate: number;
  /** The cosine ends at this share of the peak. Default 0.1 */
  minLearningRateRatio?: number;
  /** A share of the steps if below 1, a number of steps otherwise. Default 0 */
  warmup?: number;
  /** This and the three below as StepOptions has them. */
  weightDecay?: number;
  betas?: [number, number];
  clip?: number;
  microbatch?: number;
  /** How many times the validation loss is measured, evenly over the run, the last time at its end. Default 1 */
  evaluations?: number;
  /** Tokens read each time, always the same ones, spread over the split. Default 20,000 */
  evaluationTokens?: number;
}

export interface Plan {
  steps: number;
  /** windows a step */
  batch: number;
  /** tokens a window */
  length: number;
  /** what the steps read, where the model's state is carried from one to the next; otherwise windows are drawn */
  streams: Streams | undefined;
  schedule: Schedule;
  /** the counts of steps made at which to evaluate, ascending; the last is `steps` */
  evaluateAt: number[];
  /** of the validation split */
  evaluationWindows: Window[];
  /** the training loss of a run is the mean over this many last steps: a tenth of them */
  lastSteps: number;
}

/** @throws EngineError naming the setting that is wrong, or the split that is too short */
export function planTraining(settings: TrainSettings, config: ModelConfig, source: TokenSource): Plan {
  checkSettings(settings, config);
  const { tokens, batch, block: length = config.block, learningRate: peak } = settings;
  const { minLearningRateRatio = 0.1, warmup = 0, evaluations = 1, evaluationTokens = 20_000 } = settings;
  checkSplit(source, 'train', length);
  checkSplit(source, 'val', length);
  const steps = Math.ceil(tokens / (batch * length));
  return {
    steps,
    batch,
    length,
    streams: carriesState(config) ? planStreams(source.totals('train').tokens, batch, length) : undefined,
    schedule: {
      steps,
      warmup: warmup < 1 ? Math.round(warmup * steps) : warmup,
      peak,
      floor: peak * minLearningRateRatio,
    },
    evaluateAt: evenly(evaluations, steps),
    evaluationWindows: spreadWindows(source.totals('val').tokens, length, evaluationTokens),
    lastSteps: Math.ceil(steps / 10),
  };
}

/** At most `count` whole numbers from 1 to `steps`, evenly, the last of them `steps`. */
function evenly(count: number, steps: number): number[] {
  return [...new Set(Array.from({ length: count }, (_, i) => Math.max(1, Math.round(((i + 1) * steps) / count))))];
}

/** Where the windows of a step begin: uniform over the training split, whatever the engine and whatever came before. */
export function drawOffsets(seed: number, step: number, { batch, length }: Plan, source: TokenSource): number[] {
  const random = new Random(seed, 'windows', step);
  const starts = source.totals('train').tokens - length;
  return Array.from({ length: batch }, () => random.below(starts));
}

function checkSettings(settings: TrainSettings, config: ModelConfig): void {
  const { betas: [beta1, beta2] = [0.9, 0.95], ...numbers } = settings;
  const whole = (n: number) => Number.isSafeInteger(n) && n >= 1;
  const positive = (n: number) => n > 0 && Number.isFinite(n);
  const notNegative = (n: number) => n >= 0 && Number.isFinite(n);
  const share = (n: number) => n >= 0 && n < 1;
  const rules: [key: string, value: number | undefined, holds: (n: number) => boolean, right: string][] = [
    ['tokens', numbers.tokens, whole, 'a whole number of at least 1'],
    ['batch', numbers.batch, whole, 'a whole number of at least 1'],
    [
      'block',
      numbers.block ?? config.block,
      (n) => whole(n) && n <= config.block,
      `from 1 to the model's block of ${config.block}`,
    ],
    ['learningRate', numbers.learningRate, positive, 'above 0'],
    ['minLearningRateRatio', numbers.minLearningRateRatio ?? 0, (n) => n >= 0 && n <= 1, 'from 0 to 1'],
    [
      'warmup',
      numbers.warmup ?? 0,
      (n) => share(n) || whole(n),
      'a share of the steps below 1, or a whole number of steps',
    ],
    ['weightDecay', numbers.weightDecay ?? 0, notNegative, 'at least 0'],
    ['betas[0]', beta1, share, 'at least 0 and below 1'],
    ['betas[1]', beta2, share, 'at least 0 and below 1'],
    ['clip', numbers.clip ?? 0, notNegative, 'at least 0, 0 for no clipping'],
    ['microbatch', numbers.microbatch ?? 1, whole, 'a whole number of at least 1'],
    ['evaluations', numbers.evaluations ?? 1, whole, 'a whole number of at least 1'],
    ['evaluationTokens', numbers.evaluationTokens ?? 1, whole, 'a whole number of at least 1'],
  ];
  for (const [key, value, holds, right] of rules)
    if (typeof value !== 'number' || !holds(value)) throw new EngineError(`${key} is ${value}; it must be ${right}`);
}
