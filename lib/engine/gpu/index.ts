/**
 * The gpu engine: kernels of native/cuda behind the engine interface. Import this folder dynamically, because it needs the
 * compiled addon.
 *
 * | file                                    | holds                                                              |
 * | --------------------------------------- | ------------------------------------------------------------------ |
 * | gpu-engine.ts, gpu-model.ts,            | the engine, its models and decoders                                |
 * | gpu-decoder.ts                          |                                                                    |
 * | plans.ts                                | the plans of a model: what is run for one shape of batch           |
 * | network.ts, gpt.ts, lstm.ts             | the architectures: the launches of a pass                          |
 * | layers.ts, products.ts, adamw.ts        | the launches that both architectures use                           |
 * | pass-builder.ts, parameter-layout.ts    | the memory of a plan, and of the parameters                        |
 * | batch-input.ts, step-settings.ts        | what the CPU prepares for each step                                |
 * | device.ts, addon.ts                     | the GPU: memory and plans                                          |
 */
export { openGpu } from './gpu-engine.ts';
