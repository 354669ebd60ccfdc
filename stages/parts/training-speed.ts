/**
 * How fast this machine trains, measured in about two seconds. Small models reach a fraction of the speed of large ones,
 * so three sizes of each architecture are measured, and others are interpolated.
 */
import type { Engine } from '../../lib/engine/index.ts';
import { countParameters, flopsPerToken, type ModelConfig, modelConfig } from '../../lib/models/index.ts';

/** Floating-point operations per second of one core, by model. */
export type TrainingSpeed = (config: ModelConfig) => number;

/** A measured model: its parameters without embeddings, and operations per second. */
export interface SpeedPoint {
  architecture: ModelConfig['architecture'];
  params: number;
  speed: number;
}

const MEASURED = [
  { architecture: 'gpt', layers: 2, width: 16, heads: 2 },
  { architecture: 'gpt', layers: 6, width: 48, heads: 6 },
  { architecture: 'gpt', layers: 4, width: 256, heads: 4 },
  { architecture: 'lstm', layers: 1, width: 24 },
  { architecture: 'lstm', layers: 2, width: 96 },
  { architecture: 'lstm', layers: 2, width: 256 },
] as const;
const SHARED = { vocabularySize: 97, block: 128, dropout: 0 };
const BATCH = 4;
/** Seconds of CPU time for each model. */
const PATIENCE = 0.3;

/** Measures models of three sizes of each architecture. */
export async function measureSpeed(engine: Engine): Promise<SpeedPoint[]> {
  const points: SpeedPoint[] = [];
  for (const size of MEASURED) {
    const config = modelConfig(size, SHARED);
    const { nonEmbedding: params } = countParameters(config);
    points.push({ architecture: config.architecture, params, speed: await speedOf(engine, config) });
  }
  return points;
}

/** Interpolates between measured models, in the logarithms of parameters and speed. Beyond them the speed is constant. */
export function trainingSpeed(points: readonly SpeedPoint[]): TrainingSpeed {
  return (config) => {
    const own = points
      .filter(({ architecture }) => architecture === config.architecture)
      .sort((a, b) => a.params - b.params);
    const params = Math.min(Math.max(countParameters(config).nonEmbedding, own[0].params), own.at(-1)!.params);
    const after = Math.max(
      1,
      own.findIndex((point) => point.params >= params),
    );
    const [a, b] = [own[after - 1], own[after]];
    const share = Math.log(params / a.params) / Math.log(b.params / a.params);
    return a.speed * (b.speed / a.speed) ** share;
  };
}

/** Trains a model for a moment. Returns operations per second of CPU time of one core. */
async function speedOf(engine: Engine, config: ModelConfig): Promise<number> {
  const model = engine.model(config, { seed: 1 });
  const tokens = Uint32Array.from({ length: BATCH * config.block + 1 }, (_, i) => (i * 7) % config.vocabularySize);
  const window = {
    inputs: tokens.subarray(0, -1),
    targets: tokens.subarray(1),
    sequences: BATCH,
    length: config.block,
  };
  const step = () => model.trainStep(window, { learningRate: 1e-4 });
  await step();
  // CPU time, because others may use the cores as well.
  const before = process.cpuUsage();
  let steps = 0;
  let seconds = 0;
  while (seconds < PATIENCE) {
    await step();
    steps++;
    const { user, system } = process.cpuUsage(before);
    seconds = (user + system) / 1e6;
  }
  model.dispose();
  return (flopsPerToken(config, config.block) * BATCH * config.block * steps) / seconds;
}
