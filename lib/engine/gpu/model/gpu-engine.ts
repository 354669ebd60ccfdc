/**
 * The gpu engine: one NVIDIA GPU, with nothing installed but its driver. docs/gpu.md describes it.
 *
 * It computes the mathematics of the native engine. With precision bf16, products round their factors to bf16, on tensor
 * cores, and add up in fp32; weights, moments and everything else stay in fp32.
 */
import { checkConfig, initialWeights, type ModelConfig } from '../../../models/index.ts';
import { checkStepSize, checkThreads, type Engine, EngineError, type EngineOptions } from '../../interface/index.ts';
import { readPtx } from '../device/addon.ts';
import { type Cublas, openCublas } from '../device/cublas.ts';
import { Device } from '../device/device.ts';
import { ParameterLayout } from '../launches/parameter-layout.ts';
import { type Target, targetOf } from '../launches/target.ts';
import { gpt } from '../networks/gpt.ts';
import { lstm } from '../networks/lstm.ts';
import type { Network } from '../networks/network.ts';
import { GpuModel } from './gpu-model.ts';
import { planSize } from './plans.ts';

/** Share of the GPU's memory that the activations of a microbatch take at most, by default. */
const ACTIVATION_SHARE = 0.4;

/**
 * Opens the first GPU that CUDA_VISIBLE_DEVICES leaves.
 *
 * @throws EngineError that says in one sentence why there is none: the addon is not built, there is no driver or no GPU, or
 *   they are too old; or that there is no cuBLASLt, if `products` asks for it
 * @throws StaleAddonError if the addon was built from other sources
 */
export function openGpu({ precision = 'fp32', threads = 1, products = 'auto' }: EngineOptions = {}): Engine {
  checkThreads(threads);
  if (products === 'cublas' && precision !== 'bf16')
    throw new EngineError(
      `cuBLASLt multiplies in bf16 only, and the precision is ${precision}; set train.precision to bf16, or train.products to auto`,
    );
  const device = Device.open();
  const { name } = device.properties;
  const cublas = products === 'own' || precision !== 'bf16' ? undefined : openLibrary(device, products === 'cublas');
  const target = targetOf(device, precision, cublas, products === 'cublas');
  const budget = ACTIVATION_SHARE * device.memory.total;
  const digest = /^\/\/ sources (\w{8})/.exec(readPtx())?.[1];
  const library = cublas ? `, cuBLASLt ${cublas.version}${products === 'cublas' ? ' for all products' : ''}` : '';
  const sizeOf = (config: ModelConfig, network: Network, sequences: number, length = config.block, on = target) => {
    const parts = [{ first: 0, sequences }];
    const key = { work: 'train' as const, sequences, length, microbatches: parts, state: false };
    return planSize(on, config, network, new ParameterLayout(config), key);
  };
  const defaultMicrobatch = (config: ModelConfig, network: Network, length: number) => {
    // Memory is allocated in steps of 256 bytes, so the size of one sequence is taken from many. The workspace of cuBLASLt
    // does not grow with the batch: its largest size is left free instead.
    const on = withoutWorkspace(target);
    const [some, more] = [16, 32].map((sequences) => sizeOf(config, network, sequences, length, on));
    const each = Math.max(1, (more - some) / 16);
    const available = budget - (cublas?.largestWorkspace ?? 0);
    return Math.max(1, Math.floor((available - (some - 16 * each)) / each));
  };
  return {
    name: 'gpu',
    description: `gpu ${precision}, ${name}${library}`,
    arithmetic: { precision, threads: 1, kernels: `${name}, kernels ${digest}${library}` },
    get deviceMemory() {
      return device.memory.free;
    },
    model(config, start) {
      checkConfig(config);
      const network = networkOf(config);
      const weights = 'weights' in start ? start.weights : initialWeights(config, start.seed);
      const known = new Map<number, number>();
      return new GpuModel({
        device,
        target,
        config,
        network,
        layout: new ParameterLayout(config),
        weights,
        defaultMicrobatch(length) {
          const microbatch = known.get(length) ?? defaultMicrobatch(config, network, length);
          known.set(length, microbatch);
          return microbatch;
        },
      });
    },
    memory(config, { batch, microbatch }) {
      checkConfig(config);
      checkStepSize(batch, microbatch);
      const network = networkOf(config);
      const largest = microbatch ?? defaultMicrobatch(config, network, config.block);
      const { total, roundedTotal } = new ParameterLayout(config);
      // Weights, gradients and two moments; what the CPU copies for the other microbatches is small.
      return (
        16 * total + (precision === 'bf16' ? 2 * roundedTotal : 0) + sizeOf(config, network, Math.min(batch, largest))
      );
    },
  };
}

/** A target with the same choice of products, whose estimates of memory contain no workspace of cuBLASLt. */
function withoutWorkspace({ cublas, ...target }: Target): Target {
  if (!cublas) return target;
  const workspaceOf: typeof cublas.workspaceOf = (shape) => (cublas.workspaceOf(shape) === undefined ? undefined : 0);
  return { ...target, cublas: { ...cublas, workspaceOf } };
}

/** cuBLASLt, if there is one. Closes the GPU if it is required and missing. */
function openLibrary(device: Device, required: boolean): Cublas | undefined {
  try {
    return openCublas(device, required);
  } catch (error) {
    device.close();
    throw error;
  }
}

function networkOf(config: ModelConfig): Network {
  switch (config.architecture) {
    case 'gpt':
      return gpt(config);
    case 'lstm':
      return lstm(config);
  }
}
