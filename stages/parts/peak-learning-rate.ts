/** The peak learning rate of a model, from the keys lr, lr_width and lr_exponent of `train` in params.yaml. */
import type { ModelConfig } from '../../lib/models/index.ts';
import type { ByArchitecture, TrainParams } from './params.ts';
import { StageError } from './stage.ts';

/**
 * Computes lr × (lr_width / width) ^ lr_exponent. lr and lr_exponent are numbers for all models, or have a number for
 * each architecture.
 *
 * @throws StageError if a key has no number for this architecture
 * @example peakLearningRate({ lr: { gpt: 0.006, lstm: 0.018 }, lr_width: 64, lr_exponent: 0.5 }, config)
 */
export function peakLearningRate(
  train: Pick<TrainParams, 'lr' | 'lr_width' | 'lr_exponent'>,
  { architecture, width }: Pick<ModelConfig, 'architecture' | 'width'>,
): number {
  const ofModel = (key: 'lr' | 'lr_exponent') => {
    const value: ByArchitecture = train[key];
    const number = typeof value === 'number' ? value : value[architecture];
    if (number === undefined)
      throw new StageError(
        `params.yaml: train.${key} has no ${architecture}; add train.${key}.${architecture}, or give one number for all models`,
      );
    return number;
  };
  return ofModel('lr') * (train.lr_width / width) ** ofModel('lr_exponent');
}
