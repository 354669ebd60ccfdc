/**
 * LSTM on the device, in the form of torch.nn.LSTM: gates i f g o, two biases; dropout on the embedding, between layers and
 * before the head; the head is tied to the embedding if their widths agree. The parts follow native/engine/src/lstm.cpp.
 *
 * Shapes: B sequences of T tokens are R = B·T rows in time-major order, row t·B + b. E: width of the embedding, H: hidden
 * width, I: width of a layer's input (E for the first, else H), V: vocabulary.
 */
import type { LstmConfig } from '../../../models/index.ts';
import type { Slice } from '../device/device.ts';
import { after, afterFloats, type Matrix, type PassBuilder, rowsOf } from '../launches/pass-builder.ts';
import { columnSums, product, weightGradient } from '../launches/products.ts';
import { summing } from '../launches/sums.ts';
import { asOperand, clear, copy, dropout, embed, embedBackward, gradientOf, type Head, head } from './layers.ts';
import { type Activations, backwardSteps, forwardStep, forwardSteps, type InitialState } from './lstm-time-steps.ts';
import { type DecoderIo, dropoutThreshold, type ModelMemory, type Network, type Pass } from './network.ts';

/** The parameters of a layer. */
interface Layer {
  input: Matrix; // (4H,I)
  recurrent: Matrix; // (4H,H)
  biasInput: Slice;
  biasRecurrent: Slice;
}

/** The launches of an LSTM: training, evaluation and decoding. */
export function lstm(config: LstmConfig): Network {
  return {
    timeMajor: true,
    build: (b, memory, pass) => new LstmPass(config, b, memory, pass).build(),
    buildDecoder: (b, memory, io) => buildDecoder(config, b, memory, io),
    decoderStateSize: (streams) => 4 * 2 * config.layers * streams * config.width,
  };
}

function layerOf({ layout, weights, rounded }: ModelMemory, index: number): Layer {
  return {
    input: layout.matrix(`rnn.weight_ih_l${index}`, weights, rounded),
    recurrent: layout.matrix(`rnn.weight_hh_l${index}`, weights, rounded),
    biasInput: layout.of(`rnn.bias_ih_l${index}`, weights),
    biasRecurrent: layout.of(`rnn.bias_hh_l${index}`, weights),
  };
}

const headName = ({ embedding, width }: LstmConfig) => (embedding === width ? 'encoder.weight' : 'decoder.weight');

function headOf(config: LstmConfig, memory: ModelMemory): Head {
  const { layout, weights, rounded } = memory;
  return {
    weight: layout.matrix(headName(config), weights, rounded),
    bias: layout.of('decoder.bias', weights),
    gradient: gradientOf(memory, headName(config)),
    biasGradient: gradientOf(memory, 'decoder.bias'),
  };
}

/** gates (R,4H) = x·Wᵀ + both biases, before their nonlinearities. */
function inputProducts(b: PassBuilder, l: Layer, x: Matrix, gates: Matrix, bias: Slice): void {
  b.forElements('add', gates.columns, [gates.columns, l.biasInput, l.biasRecurrent, bias]);
  product(b, 'NT', x, l.input, { ...gates, half: null }, { bias });
}

/** The launches of one pass. */
class LstmPass {
  readonly #config: LstmConfig;
  readonly #b: PassBuilder;
  readonly #memory: ModelMemory;
  readonly #p: Pass;
  readonly #rows: number;
  readonly #threshold: number;

  constructor(config: LstmConfig, b: PassBuilder, memory: ModelMemory, p: Pass) {
    this.#config = config;
    this.#b = b;
    this.#memory = memory;
    this.#p = p;
    this.#rows = p.sequences * p.length;
    this.#threshold = p.dropout ? dropoutThreshold(config) : 0;
  }

  build(): void {
    const { layers, width: H, embedding: E } = this.#config;
    const [b, R, p] = [this.#b, this.#rows, this.#p];
    let x = this.#embedForward();
    const [activations, starts]: [Activations[], (InitialState | null)[]] = [[], []];
    for (let index = 0; index < layers; index++) {
      const start = this.#initialState(index);
      const a: Activations = {
        x,
        gates: b.matrix(R, 4 * H, p.backward ? 'both' : 'floats'),
        cell: b.floats(R * H),
        hidden: b.matrix(R, H, 'both'),
      };
      activations.push(a);
      starts.push(start);
      this.#layerForward(a, index, start);
      x = this.#withDropout(index + 1, a.hidden);
    }
    const widest = Math.max(E, H);
    const [d, other] = p.backward ? [b.floats(R * widest), b.floats(R * widest)] : [null, null];
    head(b, headOf(this.#config, this.#memory), x, p, d);
    if (!d || !other) return;
    const dcell = b.floats(p.sequences * H);
    let [dhidden, dx] = [d, other];
    for (let index = layers - 1; index >= 0; index--) {
      if (this.#threshold > 0) this.#dropout(index + 1, H, dhidden, this.#plain(dhidden, H));
      this.#layerBackward(activations[index], index, starts[index], dhidden, dcell, dx);
      [dhidden, dx] = [dx, dhidden];
    }
    this.#embedBackward(dhidden);
  }

  /** R rows of fp32 numbers as a matrix. */
  #plain(floats: Slice, columns: number): Matrix {
    return { rows: this.#rows, columns, floats, half: null, stride: 0 };
  }

  // ── dropout and embedding ──

  /** site 0: the embedding; site l + 1: the output of layer l */
  #dropout(site: number, width: number, x: Slice, out: Matrix): void {
    const { sequences, length, firstSequence } = this.#p;
    const { settings } = this.#memory;
    const threshold = this.#threshold;
    const units = sequences * length;
    dropout(this.#b, { units, n: width, sequences, firstSequence, settings, threshold, site }, x, out);
  }

  /** Applies dropout to x and returns the result as an operand. Without dropout, returns x. */
  #withDropout(site: number, x: Matrix): Matrix {
    if (this.#threshold === 0) return x;
    const out = this.#b.matrix(x.rows, x.columns, 'operand');
    this.#dropout(site, x.columns, x.floats as Slice, out);
    return out;
  }

  #embedForward(): Matrix {
    const { embedding: E } = this.#config;
    const { layout, weights } = this.#memory;
    const x = this.#b.matrix(this.#rows, E, this.#threshold > 0 ? 'both' : 'operand');
    embed(this.#b, this.#p.input.tokens, layout.of('encoder.weight', weights), x, null);
    return this.#withDropout(0, x);
  }

  /** dx (R,E): the gradient of the first layer's input */
  #embedBackward(dx: Slice): void {
    const { vocabularySize: V, embedding: E, width: H } = this.#config;
    if (this.#threshold > 0) this.#dropout(0, E, dx, this.#plain(dx, E));
    const gradient = gradientOf(this.#memory, 'encoder.weight');
    // If the head is tied to the embedding, it has written this gradient.
    if (E !== H && this.#p.isFirst) clear(this.#b, gradient, V * E);
    embedBackward(this.#b, this.#p.input, dx, [V, E], gradient);
  }

  // ── the state ──

  /** Part 0 (hidden) or 1 (cell) of a layer's state, of the sequences of this pass. */
  #statePart(state: Slice, layer: number, part: number): Slice {
    const { batch, firstSequence } = this.#p;
    return afterFloats(state, ((2 * layer + part) * batch + firstSequence) * this.#config.width);
  }

  #initialState(layer: number): InitialState | null {
    const { state, sequences } = this.#p;
    if (!state) return null;
    const hidden = asOperand(this.#b, this.#statePart(state, layer, 0), sequences, this.#config.width);
    return { hidden, cell: this.#statePart(state, layer, 1) };
  }

  // ── a layer ──

  #layerForward(a: Activations, index: number, start: InitialState | null): void {
    const { sequences: B, length: T, stateAfter } = this.#p;
    const H = this.#config.width;
    const b = this.#b;
    const l = layerOf(this.#memory, index);
    b.within(() => inputProducts(b, l, a.x, a.gates, b.floats(4 * H)));
    forwardSteps(b, [T, B], l.recurrent, start, a);
    if (!stateAfter) return;
    const last = (T - 1) * B * H;
    copy(b, afterFloats(a.hidden.floats as Slice, last), this.#statePart(stateAfter, index, 0), B * H);
    copy(b, afterFloats(a.cell, last), this.#statePart(stateAfter, index, 1), B * H);
  }

  /** dhidden (R,H): the gradient of the layer's output → dx (R,I), and the gradients of the parameters */
  #layerBackward(
    a: Activations,
    index: number,
    start: InitialState | null,
    dhidden: Slice,
    dcell: Slice,
    dx: Slice,
  ): void {
    const { sequences: B, length: T, isFirst } = this.#p;
    const [H, R, b] = [this.#config.width, this.#rows, this.#b];
    const l = layerOf(this.#memory, index);
    clear(b, dcell, B * H);
    backwardSteps(b, [T, B], l.recurrent, start, a, dhidden, dcell);
    const gradient = (name: string) => gradientOf(this.#memory, `rnn.${name}_l${index}`);
    const dgates = a.gates;
    summing(b, (sums) => {
      columnSums(sums, dgates.floats as Slice, R, 4 * H, [gradient('bias_ih'), gradient('bias_hh')], !isFirst);
      weightGradient(sums, dgates, a.x, gradient('weight_ih'), !isFirst);
      // The gates of time t depend on the hidden state of time t − 1.
      let accumulate = !isFirst;
      if (T > 1) {
        const [after, before] = [rowsOf(dgates, B, R - B), rowsOf(a.hidden, 0, R - B)];
        weightGradient(sums, after, before, gradient('weight_hh'), accumulate);
        accumulate = true;
      }
      if (start) weightGradient(sums, rowsOf(dgates, 0, B), start.hidden, gradient('weight_hh'), accumulate);
      else if (!accumulate) clear(b, gradient('weight_hh'), 4 * H * H);
    });
    product(b, 'NN', dgates, l.input, this.#plain(dx, l.input.columns));
  }
}

/** Adds the launches for one token of each of B streams. The state is (layers,2,B,H): hidden states, then cells. */
function buildDecoder(config: LstmConfig, b: PassBuilder, memory: ModelMemory, io: DecoderIo): void {
  const { layers, width: H, embedding: E } = config;
  const B = io.streams;
  let x = b.matrix(B, E, 'operand');
  embed(b, io.tokens, memory.layout.of('encoder.weight', memory.weights), x, null);
  const [gates, bias] = [b.matrix(B, 4 * H, 'floats'), b.floats(4 * H)];
  for (let index = 0; index < layers; index++) {
    const l = layerOf(memory, index);
    const [state, cell] = [0, 1].map((part) => after(io.state, 4 * (2 * index + part) * B * H));
    inputProducts(b, l, x, gates, bias);
    const before = { hidden: asOperand(b, state, B, H), cell };
    // The new hidden state may not overwrite the old one, which other blocks still read.
    const hidden = b.matrix(B, H, 'both');
    forwardStep(b, l.recurrent, before, gates.floats as Slice, cell, hidden);
    copy(b, hidden.floats as Slice, state, B * H);
    x = hidden;
  }
  const { weight, bias: headBias } = headOf(config, memory);
  const out = { rows: B, columns: weight.rows, floats: io.logits, half: null, stride: 0 };
  product(b, 'NT', x, weight, out, { bias: headBias });
}
