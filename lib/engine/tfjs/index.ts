/** The TensorFlow.js engine: the same models in public TensorFlow.js operations. Import it dynamically: TensorFlow.js loads slowly. */
export { openTfjs } from './tfjs-engine.ts';
