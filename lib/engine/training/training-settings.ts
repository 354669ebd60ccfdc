/**
 * The settings of a training run. From them, resolveSettings computes the plan for one model and one data set: the
 * number of steps, the learning rate schedule, and the steps and windows of evaluations.
 */
import { carriesState, type ModelConfig } from '../../models/index.ts';
import { checkSplit, cutIntoStreams, type Streams, type TokenSource } from '../data/index.ts';
import { EngineError } from '../interface/index.ts';
import { type Branch, planBranches } from './branches.ts';
import { type LearningRateSchedule, SCHEDULES, type ScheduleName } from './learning-rate.ts';
import { spreadWindows, type Window } from './windows.ts';

/** The settings of a training run, as in params.yaml. */
export interface TrainSettings {
  /** token budget: the run makes as many steps as it needs to read at least this many tokens */
  tokens: number;
  /** windows per step */
  batch: number;
  /** tokens per window, at most the model's block. Default: the model's block */
  block?: number;
  /** peak of the schedule, reached at the end of the warmup; `lr` in params.yaml */
  learningRate: number;
  /** the last learning rate, as a share of the peak; `lr_floor` in params.yaml. Default 0.1 */
  learningRateFloor?: number;
  /** how the learning rate falls after the warmup. Default cosine */
  schedule?: ScheduleName;
  /** wsd: share of the steps in which the learning rate falls. Default 0.2 */
  cooldown?: number;
  /** wsd: smaller budgets whose models the run also gives, as shares of `tokens` between 0 and 1. Default none */
  budgets?: number[];
  /** a share of the steps if below 1, a number of steps otherwise. Default 0 */
  warmup?: number;
  /** this and the three settings below: see StepOptions */
  weightDecay?: number;
  betas?: [number, number];
  clip?: number;
  microbatch?: number;
  /** number of times that the validation loss is measured, evenly over the run, the last time at its end. Default 1 */
  evaluations?: number;
  /** tokens of each evaluation, in windows spread over the split, the same at every evaluation. Default 20,000 */
  evaluationTokens?: number;
}

/** Settings in units of steps and windows, with all defaults filled in. */
export interface ResolvedSettings {
  steps: number;
  /** windows per step */
  batch: number;
  /** tokens per window */
  length: number;
  /** the streams that the steps read, if the model carries its state from step to step; otherwise windows are random */
  streams: Streams | undefined;
  schedule: LearningRateSchedule;
  /** the smaller budgets */
  branches: Branch[];
  /** steps of the run and of the cooldowns of all smaller budgets */
  totalSteps: number;
  /** numbers of completed steps at which to evaluate, ascending; the last is `steps` */
  evaluateAt: number[];
  /** windows of the validation split */
  evaluationWindows: Window[];
  /** the training loss of a run is the mean over this many last steps: a tenth of them */
  lastSteps: number;
}

/**
 * Checks the settings and resolves them for one model and one data set.
 *
 * @throws EngineError naming the setting that is wrong, or the split that is too short
 */
export function resolveSettings(settings: TrainSettings, config: ModelConfig, source: TokenSource): ResolvedSettings {
  checkSettings(settings, config);
  const { tokens, batch, block: length = config.block, learningRate } = settings;
  const { learningRateFloor = 0.1, warmup = 0, schedule = 'cosine', cooldown = 0.2, budgets = [] } = settings;
  const { evaluations = 1, evaluationTokens = 20_000 } = settings;
  checkSplit(source, 'train', length);
  checkSplit(source, 'val', length);
  const steps = Math.ceil(tokens / (batch * length));
  const learningRates: LearningRateSchedule = {
    name: schedule,
    steps,
    warmup: warmup < 1 ? Math.round(warmup * steps) : warmup,
    cooldown: Math.round(cooldown * steps),
    peak: learningRate,
    floor: learningRateFloor,
  };
  const branches = planBranches(budgets, { tokens, stepTokens: batch * length, cooldown, schedule: learningRates });
  return {
    steps,
    batch,
    length,
    streams: carriesState(config) ? cutIntoStreams(source.totals('train').tokens, batch, length) : undefined,
    schedule: learningRates,
    branches,
    totalSteps: steps + branches.reduce((sum, branch) => sum + branch.steps - branch.start, 0),
    evaluateAt: evenSteps(evaluations, steps),
    evaluationWindows: spreadWindows(source.totals('val').tokens, length, evaluationTokens),
    lastSteps: Math.ceil(steps / 10),
  };
}

/** At most `evaluations` whole numbers from 1 to `steps`, evenly spaced; the last is `steps`. */
function evenSteps(evaluations: number, steps: number): number[] {
  // More evaluations than steps would give each step several times.
  const count = Math.min(evaluations, steps);
  const step = (i: number) => Math.max(1, Math.round(((i + 1) * steps) / count));
  return [...new Set(Array.from({ length: count }, (_, i) => step(i)))];
}

function checkSettings(settings: TrainSettings, config: ModelConfig): void {
  const { betas: [beta1, beta2] = [0.9, 0.95], schedule = 'cosine', budgets: _, ...numbers } = settings;
  const whole = (n: number) => Number.isSafeInteger(n) && n >= 1;
  const positive = (n: number) => n > 0 && Number.isFinite(n);
  const notNegative = (n: number) => n >= 0 && Number.isFinite(n);
  const share = (n: number) => n >= 0 && n < 1;
  const rules: [key: string, value: number | undefined, holds: (n: number) => boolean, right: string][] = [
    ['tokens', numbers.tokens, whole, `a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`],
    ['batch', numbers.batch, whole, 'a whole number of at least 1'],
    [
      'block',
      numbers.block ?? config.block,
      (n) => whole(n) && n <= config.block,
      `from 1 to the model's block of ${config.block}`,
    ],
    ['learningRate', numbers.learningRate, positive, 'above 0'],
    ['learningRateFloor', numbers.learningRateFloor ?? 0, (n) => n >= 0 && n <= 1, 'from 0 to 1'],
    [
      'warmup',
      numbers.warmup ?? 0,
      (n) => share(n) || whole(n),
      'a share of the steps below 1, or a whole number of steps',
    ],
    ['cooldown', numbers.cooldown ?? 0, (n) => n >= 0 && n <= 1, 'from 0 to 1'],
    ['weightDecay', numbers.weightDecay ?? 0, notNegative, 'at least 0'],
    ['betas[0]', beta1, share, 'at least 0 and below 1'],
    ['betas[1]', beta2, share, 'at least 0 and below 1'],
    ['clip', numbers.clip ?? 0, notNegative, 'at least 0, 0 for no clipping'],
    ['microbatch', numbers.microbatch ?? 1, whole, 'a whole number of at least 1'],
    ['evaluations', numbers.evaluations ?? 1, whole, 'a whole number of at least 1'],
    ['evaluationTokens', numbers.evaluationTokens ?? 1, whole, 'a whole number of at least 1'],
  ];
  if (!SCHEDULES.includes(schedule))
    throw new EngineError(`schedule is ${schedule}; it must be ${SCHEDULES.join(' or ')}`);
  for (const [key, value, holds, right] of rules)
    if (typeof value !== 'number' || !holds(value)) throw new EngineError(`${key} is ${value}; it must be ${right}`);
}
