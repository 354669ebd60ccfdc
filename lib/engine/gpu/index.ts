/**
 * The gpu engine: kernels of native/cuda behind the engine interface. Import this folder dynamically, because it needs the
 * compiled addon.
 *
 * A folder imports only from the folders below it in this table. Exports other than openGpu are for bench/gpu.
 *
 * | folder    | holds                                                                                                   |
 * | --------- | ------------------------------------------------------------------------------------------------------- |
 * | model/    | the engine, its models and decoders; plans for each shape of batch; inputs of the CPU                   |
 * | networks/ | the architectures: the launches of a pass over a GPT or an LSTM, and of their layers                    |
 * | launches/ | collects launches and lays out their memory; matrix products and sums; where parameters are             |
 * | device/   | the GPU: the addon, memory, plans of launches, cuBLASLt, error messages                                 |
 */

export { type Cublas, openCublas } from './device/cublas.ts';
export { Device, type Slice } from './device/device.ts';
export { type Matrix, PassBuilder } from './launches/pass-builder.ts';
export { product, weightGradient } from './launches/products.ts';
export { summing } from './launches/sums.ts';
export { type Target, targetOf } from './launches/target.ts';
export { openGpu } from './model/gpu-engine.ts';
