/** Decodes several streams in TensorFlow.js, one token of each at a time. */
import type { Tensor2D } from '@tensorflow/tfjs-core';
import { decoderCapacity, type ModelConfig } from '../../models/index.ts';
import { type CallQueue, checkInputs, type Decoder, EngineError } from '../interface/index.ts';
import type { Forward, State, Tokens } from './architecture.ts';
import type { TensorFlow } from './backend.ts';

/** Runs tokens through a model, from a state and a position. */
type ForwardFunction = (tokens: Tokens, state: State | undefined, position: number) => Forward;

/** Decodes with the weights of one model. Made by TfjsModel. */
export class TfjsDecoder implements Decoder {
  position = 0;
  #state: State | undefined;
  readonly #tf: TensorFlow;
  readonly #config: ModelConfig;
  readonly #sequences: number;
  /** those of the model */
  readonly #calls: CallQueue;
  readonly #forward: ForwardFunction;

  constructor(tf: TensorFlow, config: ModelConfig, sequences: number, calls: CallQueue, forward: ForwardFunction) {
    this.#tf = tf;
    this.#config = config;
    this.#sequences = sequences;
    this.#calls = calls;
    this.#forward = forward;
  }

  step(tokens: Uint16Array | Uint32Array): Promise<Float32Array> {
    return this.#calls.run(() => this.#step(tokens));
  }

  async #step(tokens: Uint16Array | Uint32Array): Promise<Float32Array> {
    checkInputs(tokens, this.#sequences, 1, this.#config);
    if (this.position === decoderCapacity(this.#config))
      throw new EngineError(
        `the block of ${this.#config.block} tokens is full; reset the decoder and feed it the end of the text`,
      );
    const before = this.#state;
    const { logits, state } = this.#tf.tidy(() => {
      const ids = Int32Array.from(tokens);
      const after = this.#forward({ ids, sequences: this.#sequences, length: 1 }, before, this.position);
      return after as Forward & Record<string, Tensor2D | State>;
    });
    this.#tf.dispose(before ?? []);
    this.#state = state;
    this.position++;
    const values = ((await logits.data()) as Float32Array).slice();
    logits.dispose();
    return values;
  }

  reset(): void {
    this.dispose();
    this.#state = undefined;
    this.position = 0;
  }

  dispose(): void {
    this.#tf.dispose(this.#state ?? []);
  }
}
