/** A run of the grid: tokenizer × size × seed, its name, and the grid that params.yaml spans. */
import type { Params } from './params.ts';

export interface Run {
  name: string;
  tokenizer: string;
  /** A name from sizes in params.yaml. */
  size: string;
  seed: number;
}

function run(tokenizer: string, size: string, seed: number): Run {
  return { name: `${tokenizer}-${size}-${seed}`, tokenizer, size, seed };
}

/** In the order of params.yaml; what the matrix of train in pipeline.yaml expands to. */
export function grid({ train }: Params): Run[] {
  return train.tokenizers.flatMap((tokenizer) =>
    train.sizes.flatMap((size) => train.seeds.map((seed) => run(tokenizer, size, seed))),
  );
}
