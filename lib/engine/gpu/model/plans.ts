/**
 * The plans of a model. A plan runs one kind of work on one shape of batch, from the copy of the tokens to the results. Plans
 * are made once and kept. All plans of a model share one memory block, as large as the largest plan needs.
 */
import { elementCount, type ModelConfig, stateShape } from '../../../models/index.ts';
import type { Device, Plan, Slice } from '../device/device.ts';
import { after, afterFloats, PassBuilder } from '../launches/pass-builder.ts';
import type { Target } from '../launches/target.ts';
import type { ModelMemory, Network } from '../networks/network.ts';
import { adamw, finishStep } from './adamw.ts';
import { inputSlices, inputWords, type Microbatch } from './batch-input.ts';
import { OUTCOME_BYTES } from './step-settings.ts';

/** Kinds of work. */
export type Work = 'train' | 'gradients' | 'loss' | 'logits';

/** Everything that a plan depends on. */
export interface PlanKey {
  work: Work;
  /** B and T of the batch */
  sequences: number;
  length: number;
  microbatches: Microbatch[];
  /** whether the batch has a state */
  state: boolean;
}

/** A plan and the places of its inputs and results. */
export interface PreparedPlan {
  plan: Plan;
  /** the arrays of all microbatches, one after the other (batch-input.ts) */
  input: Slice;
  /** (L,2,B,H), or null */
  state: Slice | null;
  stateAfter: Slice | null;
  /** losses (B,T) or logits (B,T,V), in the order of the microbatches' rows */
  results: Slice;
  outcome: Slice;
}

/** The arrays of the optimizer. */
export interface OptimizerMemory {
  chunks: Slice;
  chunkCount: number;
  first: Slice;
  second: Slice;
}

type Places = Omit<PreparedPlan, 'plan'>;

/** Adds everything that a plan does. */
function build(
  b: PassBuilder,
  config: ModelConfig,
  network: Network,
  memory: ModelMemory,
  optimizer: OptimizerMemory,
  key: PlanKey,
): Places {
  const { work, sequences, length, microbatches } = key;
  const V = config.vocabularySize;
  const tokens = sequences * length;
  const rowsOf = (m: Microbatch) => m.sequences * length;
  const words = microbatches.map((m) => inputWords(rowsOf(m), V));
  const input = b.allocate(4 * words.reduce((sum, n) => sum + n, 0));
  const stateSize = key.state ? elementCount(stateShape(config, sequences) as number[]) : 0;
  const state = key.state ? b.floats(stateSize) : null;
  const stateAfter = key.state && work === 'train' ? b.floats(stateSize) : null;
  const results = b.floats(tokens * (work === 'logits' ? V : 1));
  const outcome = b.allocate(OUTCOME_BYTES);
  let start = 0;
  for (const [i, microbatch] of microbatches.entries()) {
    const firstRow = microbatch.first * length;
    const pass = {
      sequences: microbatch.sequences,
      length,
      firstSequence: microbatch.first,
      batch: sequences,
      input: inputSlices(after(input, 4 * start), rowsOf(microbatch), V),
      backward: work === 'train' || work === 'gradients',
      isFirst: i === 0,
      dropout: work === 'train' && config.dropout > 0,
      losses: afterFloats(results, firstRow),
      logits: work === 'logits' ? afterFloats(results, firstRow * V) : null,
      state,
      stateAfter,
    };
    b.within(() => network.build(b, memory, pass));
    start += words[i];
  }
  if (work !== 'logits') finishStep(b, memory, results, tokens, outcome, work === 'train');
  if (work === 'train') adamw(b, memory, outcome, optimizer);
  return { input, state, stateAfter, results, outcome };
}

/** Bytes of memory that a plan needs. Allocates none of it. */
export function planSize(
  target: Target,
  config: ModelConfig,
  network: Network,
  layout: ModelMemory['layout'],
  key: PlanKey,
): number {
  const nothing = { address: 0, size: 0 };
  const memory: ModelMemory = {
    layout,
    weights: nothing,
    gradients: nothing,
    rounded: target.precision === 'bf16' ? nothing : null,
    settings: nothing,
    tables: network.tables ? nothing : null,
  };
  const optimizer = { chunks: nothing, chunkCount: 1, first: nothing, second: nothing };
  const b = new PassBuilder(target);
  build(b, config, network, memory, optimizer, key);
  return b.size;
}

/** The plans of one model. */
export class Plans {
  readonly #device: Device;
  readonly #target: Target;
  readonly #config: ModelConfig;
  readonly #network: Network;
  readonly #memory: ModelMemory;
  readonly #optimizer: OptimizerMemory;
  readonly #prepared = new Map<string, PreparedPlan>();
  #pool?: Slice;

  constructor(
    device: Device,
    target: Target,
    config: ModelConfig,
    network: Network,
    memory: ModelMemory,
    optimizer: OptimizerMemory,
  ) {
    this.#device = device;
    this.#target = target;
    this.#config = config;
    this.#network = network;
    this.#memory = memory;
    this.#optimizer = optimizer;
  }

  /** @throws EngineError if the GPU has too little memory */
  prepare(key: PlanKey): PreparedPlan {
    const name = JSON.stringify(key);
    const known = this.#prepared.get(name);
    if (known) return known;
    const first = new PassBuilder(this.#target);
    this.#build(first, key);
    this.#ensurePool(first.size);
    const b = new PassBuilder(this.#target, (this.#pool as Slice).address, first.layoutSize);
    const places = this.#build(b, key);
    const prepared = { plan: this.#device.plan(b.launches), ...places };
    this.#prepared.set(name, prepared);
    return prepared;
  }

  dispose(): void {
    for (const { plan } of this.#prepared.values()) plan.dispose();
    this.#prepared.clear();
    if (this.#pool) this.#device.free(this.#pool);
    this.#pool = undefined;
  }

  #build(b: PassBuilder, key: PlanKey): Places {
    return build(b, this.#config, this.#network, this.#memory, this.#optimizer, key);
  }

  /** If the memory must grow, drops all plans, because they hold addresses in it. */
  #ensurePool(bytes: number): void {
    if (this.#pool && this.#pool.size >= bytes) return;
    this.dispose();
    this.#pool = this.#device.allocate(bytes, 'the activations of a microbatch');
  }
}
