/**
 * A model on a GPU: its arrays, and the work on them. Arguments are checked here. Calls on one model are queued, and two
 * training steps may be in flight.
 */
import type { ModelConfig, Weights } from '../../../models/index.ts';
import {
  type Batch,
  CallQueue,
  checkBatch,
  checkInputs,
  checkOptimizerStep,
  checkStepOptions,
  checkStreams,
  type Decoder,
  type Model,
  type OptimizerState,
  type StepOptions,
  type StepResult,
} from '../../interface/index.ts';
import type { Device, Slice } from '../device/device.ts';
import type { ParameterLayout } from '../launches/parameter-layout.ts';
import { PassBuilder } from '../launches/pass-builder.ts';
import type { Target } from '../launches/target.ts';
import type { ModelMemory, Network } from '../networks/network.ts';
import { fillInput, inputWords, type Microbatch, microbatches, placeOfRow } from './batch-input.ts';
import { GpuDecoder } from './gpu-decoder.ts';
import { type OptimizerMemory, Plans, type PreparedPlan, type Work } from './plans.ts';
import { OUTCOME_BYTES, readOutcome, SETTINGS_BYTES, stepSettings } from './step-settings.ts';

/** Everything that the engine passes to a model. */
export interface ModelSetup {
  device: Device;
  target: Target;
  config: ModelConfig;
  network: Network;
  layout: ParameterLayout;
  weights: Weights;
  /** number of sequences of this length in a microbatch, if the caller does not choose one */
  defaultMicrobatch: (length: number) => number;
}

/** Inputs of a call. Targets and state may be missing. */
type Inputs = Omit<Batch, 'targets'> & Partial<Batch>;

/** The model interface of all engines, on one GPU. Made by the gpu engine. */
export class GpuModel implements Model {
  readonly config: ModelConfig;
  readonly #setup: ModelSetup;
  readonly #memory: ModelMemory;
  readonly #optimizer: OptimizerMemory;
  readonly #allocated: Slice[] = [];
  readonly #plans: Plans;
  /** number of AdamW updates that were made or started */
  #step = 0;
  readonly #calls = new CallQueue();

  /** @throws EngineError if the GPU has too little memory for the model */
  constructor(setup: ModelSetup) {
    const { device, target, config, network, layout, weights } = setup;
    this.#setup = setup;
    this.config = config;
    const flat = layout.flatten(weights);
    const chunks = layout.chunks();
    const allocate = (bytes: number) => {
      const slice = device.allocate(bytes, 'the weights, gradients and moments of the model');
      this.#allocated.push(slice);
      return slice;
    };
    try {
      const array = () => allocate(4 * layout.total);
      this.#memory = {
        layout,
        weights: array(),
        gradients: array(),
        rounded: target.precision === 'bf16' ? allocate(2 * layout.roundedTotal) : null,
        settings: allocate(SETTINGS_BYTES),
        tables: network.tables ? allocate(network.tables.byteLength) : null,
      };
      this.#optimizer = {
        chunks: allocate(chunks.byteLength),
        chunkCount: chunks.length / 8,
        first: array(),
        second: array(),
      };
      device.write(this.#optimizer.chunks, chunks);
      if (network.tables) device.write(this.#memory.tables as Slice, network.tables);
      this.#plans = new Plans(device, target, config, network, this.#memory, this.#optimizer);
      this.#writeWeights(flat);
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  /** The next step may be started before this one ends. The device runs them in order, and decides whether to update. */
  trainStep(batch: Batch, options: StepOptions): Promise<StepResult> {
    return this.#calls.overlap(async () => {
      checkBatch(batch, this.config);
      checkStepOptions(options);
      const settings = stepSettings(options, this.#step);
      const stateAfter = batch.state && new Float32Array(batch.state.length);
      const running = this.#run('train', batch, {
        settings,
        microbatch: options.microbatch,
        download: ({ stateAfter: from }) => (stateAfter ? [[from as Slice, stateAfter]] : []),
      });
      this.#step++;
      const { outcome } = await running;
      const { loss, gradientNorm, finite } = readOutcome(outcome);
      if (!finite) this.#step--;
      return { loss, gradientNorm, ...(stateAfter && { state: stateAfter }) };
    });
  }

  loss(batch: Batch): Promise<number> {
    return this.#calls.run(async () => {
      checkBatch(batch, this.config);
      return readOutcome((await this.#run('loss', batch)).outcome).loss;
    });
  }

  tokenLosses(batch: Batch): Promise<Float32Array> {
    return this.#calls.run(async () => {
      checkBatch(batch, this.config);
      const rows = new Float32Array(batch.inputs.length);
      const { parts } = await this.#run('loss', batch, { download: ({ results }) => [[results, rows]] });
      return this.#inBatchOrder(rows, parts, batch.length, 1);
    });
  }

  gradients(batch: Batch): Promise<{ loss: number; gradients: Weights }> {
    return this.#calls.run(async () => {
      checkBatch(batch, this.config);
      const { layout, gradients } = this.#memory;
      const flat = new Float32Array(layout.total);
      const { outcome } = await this.#run('gradients', batch, { download: () => [[gradients, flat]] });
      return { loss: readOutcome(outcome).loss, gradients: layout.byName(flat) };
    });
  }

  logits(inputs: Batch['inputs'], sequences: number, length: number): Promise<Float32Array> {
    return this.#calls.run(async () => {
      checkInputs(inputs, sequences, length, this.config);
      const rows = new Float32Array(inputs.length * this.config.vocabularySize);
      const { parts } = await this.#run(
        'logits',
        { inputs, sequences, length },
        { download: ({ results }) => [[results, rows]] },
      );
      return this.#inBatchOrder(rows, parts, length, this.config.vocabularySize);
    });
  }

  decoder(sequences: number): Decoder {
    this.#calls.checkIdle('make a decoder');
    checkStreams(sequences);
    const { device, target, network } = this.#setup;
    return new GpuDecoder(device, target, this.config, network, this.#memory, sequences, this.#calls);
  }

  weights(): Promise<Weights> {
    return this.#calls.run(() => this.#read(this.#memory.weights));
  }

  optimizerState(): Promise<OptimizerState> {
    return this.#calls.run(async () => {
      const { first, second } = this.#optimizer;
      return { step: this.#step, first: await this.#read(first), second: await this.#read(second) };
    });
  }

  restoreOptimizer({ step, first, second }: OptimizerState): Promise<void> {
    return this.#calls.runNow(() => {
      checkOptimizerStep(step);
      const { device, layout } = this.#setup;
      const [flatFirst, flatSecond] = [layout.flatten(first), layout.flatten(second)];
      device.write(this.#optimizer.first, flatFirst);
      device.write(this.#optimizer.second, flatSecond);
      this.#step = step;
    });
  }

  dispose(): void {
    // A call that is under way still needs the memory.
    this.#calls.close(() => this.#free());
  }

  /** Runs one plan, and returns its outcome and the microbatches that it had. */
  async #run(
    work: Work,
    batch: Inputs,
    {
      settings,
      microbatch = this.#setup.defaultMicrobatch(batch.length),
      download = () => [],
    }: {
      settings?: Uint8Array;
      microbatch?: number;
      download?: (plan: PreparedPlan) => [Slice, ArrayBufferView][];
    } = {},
  ): Promise<{ outcome: Uint8Array; parts: Microbatch[] }> {
    const { sequences, length, state } = batch;
    const parts = microbatches(sequences, microbatch);
    const prepared = this.#plans.prepare({ work, sequences, length, microbatches: parts, state: state !== undefined });
    const uploads: [Slice, ArrayBufferView][] = [[prepared.input, this.#fillInputs(batch, parts, work)]];
    if (settings) uploads.push([this.#memory.settings, settings]);
    if (state) uploads.push([prepared.state as Slice, state]);
    const outcome = new Uint8Array(OUTCOME_BYTES);
    const downloads = download(prepared);
    if (work !== 'logits') downloads.push([prepared.outcome, outcome]);
    await prepared.plan.run(uploads, downloads);
    return { outcome, parts };
  }

  #fillInputs(batch: Inputs, parts: Microbatch[], work: Work): Uint32Array {
    const vocabulary = this.config.vocabularySize;
    const sizes = parts.map(({ sequences }) => inputWords(sequences * batch.length, vocabulary));
    const words = new Uint32Array(sizes.reduce((sum, n) => sum + n, 0));
    const sorted = work === 'train' || work === 'gradients';
    let start = 0;
    for (const [i, part] of parts.entries()) {
      const { timeMajor } = this.#setup.network;
      fillInput(words.subarray(start, start + sizes[i]), batch, part, { timeMajor, vocabulary, sorted });
      start += sizes[i];
    }
    return words;
  }

  /** Rows of `width` numbers, from the order of the network to (B,T). */
  #inBatchOrder(rows: Float32Array, parts: Microbatch[], length: number, width: number): Float32Array {
    if (!this.#setup.network.timeMajor) return rows;
    const out = new Float32Array(rows.length);
    for (const { first, sequences } of parts)
      for (let row = 0; row < sequences * length; row++) {
        const from = (first * length + row) * width;
        out.set(rows.subarray(from, from + width), (first * length + placeOfRow(row, true, sequences, length)) * width);
      }
    return out;
  }

  #writeWeights(flat: Float32Array): void {
    const { device, target } = this.#setup;
    const { weights, rounded } = this.#memory;
    device.write(weights, flat);
    if (!rounded) return;
    const b = new PassBuilder(target);
    const { chunks, chunkCount } = this.#optimizer;
    b.launch('roundWeights', [chunkCount, 1, 1], 256, [chunks, weights, rounded]);
    const plan = device.plan(b.launches);
    plan.runNow([], []);
    plan.dispose();
  }

  async #read(from: Slice): Promise<Weights> {
    const { device, layout } = this.#setup;
    const flat = new Float32Array(layout.total);
    await device.readLater(from, flat);
    return layout.byName(flat);
  }

  #free(): void {
    this.#plans?.dispose();
    for (const slice of this.#allocated.splice(0)) this.#setup.device.free(slice);
  }
}
