/** The grid of runs: every combination of tokenizer, size and seed in params.yaml. */
import type { Params } from './params.ts';
import { StageError } from './stage.ts';

/** One trained model of the study. */
export interface Run {
  /** for example char-gpt-tiny-1; the folders and files of the run have this name */
  name: string;
  tokenizer: string;
  /** a key of `sizes` in params.yaml */
  size: string;
  seed: number;
}

function run(tokenizer: string, size: string, seed: number): Run {
  return { name: `${tokenizer}-${size}-${seed}`, tokenizer, size, seed };
}

/**
 * All runs, in the order of params.yaml. The matrix of `train` in pipeline.yaml expands to the same runs.
 *
 * @throws StageError if a size has no seeds
 */
export function grid({ train }: Params): Run[] {
  const { seeds } = train;
  const seedsOf = (size: string) => {
    const own = Array.isArray(seeds) ? seeds : (seeds[size] ?? seeds.default);
    if (own === undefined)
      throw new StageError(`train.seeds has no ${size}; add it, or the key default for all other sizes`);
    return own;
  };
  return train.tokenizers.flatMap((tokenizer) =>
    train.sizes.flatMap((size) => seedsOf(size).map((seed) => run(tokenizer, size, seed))),
  );
}
