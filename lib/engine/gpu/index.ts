/**
 * The gpu engine: kernels of native/cuda behind the engine interface. Import this folder dynamically, because it needs the
 * compiled addon.
 *
 * A folder imports only from those below it. What openGpu does not need is exported for bench/gpu, which times products.
 *
 * | folder    | holds                                                                                                   |
 * | --------- | ------------------------------------------------------------------------------------------------------- |
 * | model/    | the engine, its models and decoders; plans: what is run for one shape of batch; what the CPU prepares   |
 * | networks/ | the architectures: the launches of a pass over a GPT or an LSTM, and of their layers                    |
 * | launches/ | collects launches and lays out their memory; matrix products and sums; where parameters are             |
 * | device/   | the GPU: the addon, memory, plans of launches, and what people are told when something fails            |
 */

export { type Cublas, openCublas } from './device/cublas.ts';
export { Device, type Slice } from './device/device.ts';
export { type Matrix, PassBuilder } from './launches/pass-builder.ts';
export { product, weightGradient } from './launches/products.ts';
export { summing } from './launches/sums.ts';
export { type Target, targetOf } from './launches/target.ts';
export { openGpu } from './model/gpu-engine.ts';
