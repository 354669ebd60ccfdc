/** Decodes several streams on a GPU, one token of each at a time. */
import { decoderCapacity, type ModelConfig } from '../../../models/index.ts';
import { type CallQueue, checkInputs, type Decoder, EngineError } from '../../interface/index.ts';
import type { Device, Plan, Slice } from '../device/device.ts';
import { PassBuilder } from '../launches/pass-builder.ts';
import type { Target } from '../launches/target.ts';
import type { DecoderIo, ModelMemory, Network } from '../networks/network.ts';

/** Decodes with the weights of one model. Made by GpuModel. */
export class GpuDecoder implements Decoder {
  position = 0;
  readonly #device: Device;
  readonly #config: ModelConfig;
  readonly #streams: number;
  /** the calls of the model, which the decoder's calls are queued with */
  readonly #calls: CallQueue;
  readonly #memory: Slice;
  readonly #stateSize: number;
  readonly #io: DecoderIo;
  readonly #plan: Plan;

  /** @throws EngineError if the GPU has too little memory for so many streams */
  constructor(
    device: Device,
    target: Target,
    config: ModelConfig,
    network: Network,
    memory: ModelMemory,
    streams: number,
    calls: CallQueue,
  ) {
    this.#device = device;
    this.#config = config;
    this.#streams = streams;
    this.#calls = calls;
    this.#stateSize = network.decoderStateSize(streams);
    const build = (b: PassBuilder): DecoderIo => {
      const io = {
        streams,
        state: b.allocate(this.#stateSize),
        tokens: b.allocate(4 * streams),
        position: b.allocate(4),
        logits: b.floats(streams * config.vocabularySize),
      };
      network.buildDecoder(b, memory, io);
      return io;
    };
    const first = new PassBuilder(target);
    build(first);
    this.#memory = device.allocate(first.size, `a decoder of ${streams} streams`);
    const b = new PassBuilder(target, this.#memory.address, first.layoutSize);
    this.#io = build(b);
    this.#plan = device.plan(b.launches);
  }

  step(tokens: Uint16Array | Uint32Array): Promise<Float32Array> {
    return this.#calls.run(() => this.#step(tokens));
  }

  async #step(tokens: Uint16Array | Uint32Array): Promise<Float32Array> {
    checkInputs(tokens, this.#streams, 1, this.#config);
    if (this.position === decoderCapacity(this.#config))
      throw new EngineError(
        `the block of ${this.#config.block} tokens is full; reset the decoder and feed it the end of the text`,
      );
    const { tokens: to, position, logits: from } = this.#io;
    const logits = new Float32Array(this.#streams * this.#config.vocabularySize);
    await this.#plan.run(
      [
        [to, Uint32Array.from(tokens)],
        [position, Uint32Array.of(this.position)],
      ],
      [[from, logits]],
    );
    this.position++;
    return logits;
  }

  reset(): void {
    this.#device.write(this.#io.state, new Uint8Array(this.#stateSize));
    this.position = 0;
  }

  dispose(): void {
    this.#plan.dispose();
    this.#device.free(this.#memory);
  }
}
