/** The models that bench/gpu checks and times, and the peak speeds of GPUs. */
import type { ModelConfig } from '../../lib/models/index.ts';

const gpt = (layers: number, width: number, heads: number): ModelConfig => ({
  ...{ architecture: 'gpt', vocabularySize: 128, block: 256, layers, width, heads, dropout: 0, bias: true },
});
const lstm = (layers: number, width: number): ModelConfig => ({
  ...{ architecture: 'lstm', vocabularySize: 128, block: 256, layers, width, embedding: width, dropout: 0 },
});

/** A model to time. */
export interface Timed {
  name: string;
  config: ModelConfig;
  /** windows per step */
  batch: number;
  /** numbers of streams with which sampling is timed */
  streams: number[];
}

/** Models of the published studies, with 16,384 tokens per step. Small ones come first. */
export const TIMED: Timed[] = [
  { name: 'gpt-0.8M', config: gpt(4, 128, 4), batch: 64, streams: [8] },
  { name: 'lstm-1M', config: lstm(2, 256), batch: 64, streams: [8] },
  { name: 'gpt-4.8M', config: gpt(6, 256, 8), batch: 64, streams: [] },
  { name: 'lstm-5M', config: lstm(2, 560), batch: 64, streams: [] },
  { name: 'gpt-21M', config: gpt(12, 384, 12), batch: 64, streams: [8, 64] },
  { name: 'lstm-20M', config: lstm(2, 1104), batch: 64, streams: [8, 64] },
  { name: 'gpt-51M', config: gpt(16, 512, 16), batch: 64, streams: [] },
  { name: 'lstm-50M', config: lstm(2, 1760), batch: 64, streams: [] },
  { name: 'gpt-113M', config: gpt(16, 768, 12), batch: 64, streams: [8] },
  { name: 'gpt-206M', config: gpt(16, 1024, 16), batch: 64, streams: [] },
];

/** Tiny models, to see on a CPU that everything works. */
export const TIMED_ON_FAKE: Timed[] = [
  { name: 'gpt-tiny', config: { ...gpt(2, 32, 2), block: 32 }, batch: 4, streams: [2] },
  { name: 'lstm-tiny', config: { ...lstm(2, 32), block: 16 }, batch: 4, streams: [2] },
];

/** Larger than a tile in each direction, and no multiple of one. */
export const CHECKED: [name: string, config: ModelConfig][] = [
  ['a GPT', { ...gpt(2, 72, 3), vocabularySize: 141, block: 70 }],
  [
    'a GPT with rotary positions',
    { ...gpt(2, 72, 3), vocabularySize: 141, block: 70, positions: 'rotary' } as ModelConfig,
  ],
  ['an LSTM', { ...lstm(2, 67), vocabularySize: 141, block: 19 }],
];

/**
 * Products of bf16 numbers, without sparsity, in FLOP/s, as the data sheets of NVIDIA say. The first name that the
 * driver's name contains counts.
 */
const PEAKS: [name: string, flops: number][] = [
  ['B200', 2250e12],
  ['H100 PCIe', 756e12],
  ['H100 NVL', 835e12],
  ['H200', 989e12],
  ['H100', 989e12],
  ['A100', 312e12],
  ['L40S', 362e12],
  ['L4', 121e12],
  ['RTX 4090', 165e12],
  ['RTX A6000', 155e12],
  ['RTX 3090', 71e12],
];

/** @returns FLOP/s, or undefined for a GPU that is not in the list */
export const peakOf = (gpu: string): number | undefined => PEAKS.find(([name]) => gpu.includes(name))?.[1];
