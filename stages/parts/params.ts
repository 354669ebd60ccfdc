/** The TypeScript type of params.yaml. params.schema.json describes and checks the same keys. */
import type { ModelConfig, ModelSize } from '../../lib/models/index.ts';

/** The content of params.yaml. params.schema.json describes each key. */
export interface Params {
  study: string;
  download: { dataset: string; pieces: number; seed: number; max_files: number };
  convert: {
    grid: number;
    layout: 'interleaved' | 'voices';
    tuplets?: boolean;
    tempo_changes?: boolean;
    performances?: 'keep' | 'skip';
  };
  split: {
    fractions: { train: number; val: number; test: number };
    min_bars: number;
    max_bars: number;
    min_notes: number;
    max_voices: number;
    max_chars: number;
    max_empty_bars: number;
    min_gzip_ratio: number;
    transpose: number[];
    seed: number;
  };
  tokenize: {
    char: Record<string, never>;
    bpe: { vocabulary: number; pretokenizer: 'bar' | 'line' | 'none' };
    music: { min_frequency: number };
  };
  train: TrainParams;
  evaluate: { max_bytes: number; stride: number; context_bytes: number; budget_splits?: ('val' | 'test')[] };
  generate: {
    prompt: string;
    prompt_bars: number;
    count: number;
    free: number;
    max_tokens: number;
    temperature: number;
    top_k: number;
    top_p: number;
    repetition_penalty: number;
    seed: number;
  };
  fit: {
    size: 'params' | 'params_non_embedding';
    loss: string;
    confidence: number;
    form?: 'auto' | 'power' | 'chinchilla';
  };
  report: { title: string; samples: number };
  sizes: Record<string, ModelSize>;
}

/** A number for all models, or one for each architecture. */
export type ByArchitecture = number | Partial<Record<ModelConfig['architecture'], number>>;

/** The section `train` of params.yaml. */
export interface TrainParams {
  tokenizers: ('char' | 'bpe' | 'music')[];
  sizes: string[];
  /** the seeds of every size, or those of each size, with the key `default` for the others */
  seeds: number[] | Record<string, number[]>;
  tokens: number;
  block: number;
  batch: number;
  lr: ByArchitecture;
  lr_width: number;
  lr_exponent: ByArchitecture;
  schedule: 'cosine' | 'wsd';
  cooldown: number;
  budgets: number[];
  lr_floor: number;
  warmup: number;
  weight_decay: number;
  betas: [number, number];
  clip: number;
  dropout: number;
  evaluations: number;
  evaluation_tokens: number;
  engine: 'auto' | 'native' | 'gpu' | 'tfjs';
  precision: 'fp32' | 'tf32' | 'bf16';
  /** who multiplies matrices on a GPU in bf16 */
  products: 'auto' | 'own' | 'cublas';
  gpus: number;
  memory: string | number;
  threads: number;
  /** windows computed at a time; 0: the engine's choice */
  microbatch: number;
}
