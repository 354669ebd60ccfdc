/**
 * The TensorFlow.js engine. Import this folder dynamically, because TensorFlow.js loads slowly.
 *
 * | file               | holds                                                                |
 * | ------------------ | -------------------------------------------------------------------- |
 * | gpt.ts, lstm.ts    | the forward pass of each architecture                                |
 * | architecture.ts    | what an architecture is; linear layer, embedding lookup, loss        |
 * | adamw.ts           | the optimizer                                                        |
 * | tfjs-engine.ts     | the engine interface around them: training, evaluation, decoding     |
 * | backend.ts         | loads TensorFlow.js on a device                                      |
 * | memory-estimate.ts | the memory that training needs                                       |
 */
export { openTfjs } from './tfjs-engine.ts';
