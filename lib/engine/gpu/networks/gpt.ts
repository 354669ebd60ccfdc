/**
 * GPT on the device, in the form of GPT-2: pre-LayerNorm, causal attention, GELU, a head tied to the embedding; positions are
 * learned or rotary. The parts follow native/engine/src/gpt.cpp.
 *
 * Shapes: B sequences of T tokens are R = B·T rows of C numbers; heads of D = C / heads numbers; V tokens in the vocabulary.
 */
import type { GptConfig } from '../../../models/index.ts';
import type { Slice } from '../device/device.ts';
import { afterFloats, type Matrix, type PassBuilder, type Purpose } from '../launches/pass-builder.ts';
import { columnSums, layerNormGradients, product, weightGradient } from '../launches/products.ts';
import { type Sums, summing } from '../launches/sums.ts';
import { type AttentionShape, attention, attentionBackward, usesTensorCores } from './attention.ts';
import { clear, dropout, embed, embedBackward, gradientOf, head } from './layers.ts';
import { type DecoderIo, dropoutThreshold, type ModelMemory, type Network, type Pass } from './network.ts';
import { rotaryOf, rotaryTables } from './rotary-tables.ts';

/** Dropout sites of a layer. The numbers select the masks, as in the native engine. */
const SITES = { attention: 0, attnProj: 1, fcProj: 2, embedding: 3 };

interface Statistics {
  mean: Slice;
  rstd: Slice;
}

/** Numbers that the forward pass of a layer stores for its backward pass. */
interface Activations {
  x: Matrix; // (R,C): input of the layer
  ln1: Matrix; // (R,C)
  ln1Statistics: Statistics;
  qkv: Matrix; // (R,3C)
  logSums: Slice; // (B,heads,T)
  attnOut: Matrix; // (R,C)
  residual: Matrix; // (R,C)
  ln2: Matrix; // (R,C)
  ln2Statistics: Statistics;
  fchPre: Matrix; // (R,4C): before GELU
  fch: Matrix; // (R,4C)
}

/** The launches of a GPT: training, evaluation and decoding. */
export function gpt(config: GptConfig): Network {
  return {
    timeMajor: false,
    tables: config.positions === 'rotary' ? rotaryTables(config) : undefined,
    build: (b, memory, pass) => new GptPass(config, b, memory, pass).build(),
    buildDecoder: (b, memory, io) => buildDecoder(config, b, memory, io),
    decoderStateSize: (streams) => 4 * 2 * config.layers * streams * config.block * config.width,
  };
}

const moduleOf = (layer: number) => `transformer.h.${layer}`;

/** Weights of a linear layer or LayerNorm by the name of its module. */
class Parameters {
  readonly #memory: ModelMemory;
  readonly #bias: boolean;
  constructor(config: GptConfig, memory: ModelMemory) {
    this.#memory = memory;
    this.#bias = config.bias;
  }
  weight(module: string): Matrix {
    const { layout, weights, rounded } = this.#memory;
    return layout.matrix(`${module}.weight`, weights, rounded);
  }
  vector(module: string): Slice {
    return this.#memory.layout.of(`${module}.weight`, this.#memory.weights);
  }
  bias(module: string): Slice | null {
    return this.#bias ? this.#memory.layout.of(`${module}.bias`, this.#memory.weights) : null;
  }
  gradients(module: string): { weight: Slice; bias: Slice | null } {
    const bias = this.#bias ? gradientOf(this.#memory, `${module}.bias`) : null;
    return { weight: gradientOf(this.#memory, `${module}.weight`), bias };
  }
}

function layerNorm(b: PassBuilder, ps: Parameters, module: string, x: Matrix, out: Matrix, s: Statistics): void {
  const [rows, C] = [x.rows, x.columns];
  b.launch('layerNorm', [Math.ceil(rows / 4), 1, 1], 128, [
    ...[rows, C, x.floats, ps.vector(module), ps.bias(module)],
    ...[out.floats, out.half, out.stride, s.mean, s.rstd],
  ]);
}

/** The launches of one pass. */
class GptPass {
  readonly #config: GptConfig;
  readonly #b: PassBuilder;
  readonly #memory: ModelMemory;
  readonly #p: Pass;
  readonly #parameters: Parameters;
  readonly #rows: number;
  readonly #threshold: number;
  readonly #rotary?: { cosines: Slice; sines: Slice };

  constructor(config: GptConfig, b: PassBuilder, memory: ModelMemory, p: Pass) {
    this.#config = config;
    this.#b = b;
    this.#memory = memory;
    this.#p = p;
    this.#parameters = new Parameters(config, memory);
    this.#rows = p.sequences * p.length;
    this.#threshold = p.dropout ? dropoutThreshold(config) : 0;
    this.#rotary = rotaryOf(config, memory.tables);
  }

  build(): void {
    const { layers, width: C } = this.#config;
    const b = this.#b;
    const R = this.#rows;
    let x = b.matrix(R, C, 'floats');
    this.#embedForward(x);
    const activations: Activations[] = [];
    for (let layer = 0; layer < layers; layer++) {
      // Without a backward pass, all layers share the buffers of the first.
      const a = this.#p.backward || layer === 0 ? this.#activations(x) : { ...activations[0], x };
      activations.push(a);
      x = this.#p.backward ? b.matrix(R, C, 'floats') : x;
      this.#attentionForward(a, layer);
      this.#mlpForward(a, layer, x);
    }
    const lnf = 'transformer.ln_f';
    const [lnOut, statistics] = [b.matrix(R, C, 'operand'), this.#statistics()];
    layerNorm(b, this.#parameters, lnf, x, lnOut, statistics);
    const dout = this.#p.backward ? b.floats(R * C) : null;
    const wte = 'transformer.wte';
    const gradient = gradientOf(this.#memory, `${wte}.weight`);
    head(b, { weight: this.#parameters.weight(wte), bias: null, gradient, biasGradient: null }, lnOut, this.#p, dout);
    if (!dout) return;
    const dx = b.matrix(R, C, 'both');
    summing(b, (sums) => this.#layerNormBackward(sums, lnf, x, statistics, dout, dx, false));
    const dbranch = this.#threshold > 0 ? b.matrix(R, C, 'both') : dx;
    const dfch = b.matrix(R, 4 * C, 'both');
    const dqkv = b.matrix(R, 3 * C, 'both');
    for (let layer = layers - 1; layer >= 0; layer--) {
      summing(b, (sums) => this.#mlpBackward(sums, activations[layer], layer, dx, dbranch, dfch, dout));
      summing(b, (sums) => this.#attentionBackward(sums, activations[layer], layer, dx, dbranch, dqkv, dout));
    }
    this.#embedBackward(dx);
  }

  #statistics(): Statistics {
    return { mean: this.#b.floats(this.#rows), rstd: this.#b.floats(this.#rows) };
  }

  #activations(x: Matrix): Activations {
    const { width: C, heads } = this.#config;
    const b = this.#b;
    const R = this.#rows;
    return {
      x,
      ln1: b.matrix(R, C, 'operand'),
      ln1Statistics: this.#statistics(),
      qkv: b.matrix(R, 3 * C, this.#qkvPurpose()),
      logSums: b.floats(R * heads),
      attnOut: b.matrix(R, C, 'both'),
      residual: b.matrix(R, C, 'floats'),
      ln2: b.matrix(R, C, 'operand'),
      ln2Statistics: this.#statistics(),
      fchPre: b.matrix(R, 4 * C, 'floats'),
      fch: b.matrix(R, 4 * C, 'operand'),
    };
  }

  /** Tensor cores take qkv in bf16. Positions are rotated in fp32, and rounded then. */
  #qkvPurpose(): Purpose {
    const { width, heads } = this.#config;
    if (!usesTensorCores(this.#b.bf16, width / heads)) return 'floats';
    return this.#rotary ? 'both' : 'operand';
  }

  // ── dropout and embedding ──

  #dropout(layer: number, site: number, x: Slice, out: Matrix, addend: Slice | null = null): void {
    const { sequences, length, firstSequence } = this.#p;
    const n = length * this.#config.width;
    const { settings } = this.#memory;
    const threshold = this.#threshold;
    dropout(
      this.#b,
      { units: sequences, n, sequences, firstSequence, settings, threshold, site: layer * 4 + site },
      x,
      out,
      addend,
    );
  }

  #embedForward(x: Matrix): void {
    const { layout, weights } = this.#memory;
    const { input, length } = this.#p;
    const learned = this.#config.positions !== 'rotary';
    const table = learned ? layout.of('transformer.wpe.weight', weights) : null;
    const wte = layout.of('transformer.wte.weight', weights);
    embed(this.#b, input.tokens, wte, x, table && { table, length });
    if (this.#threshold > 0) this.#dropout(0, SITES.embedding, x.floats as Slice, x);
  }

  #embedBackward(dx: Matrix): void {
    const { vocabularySize: V, width: C, block, positions } = this.#config;
    const { input, length, sequences, isFirst } = this.#p;
    const d = dx.floats as Slice;
    if (this.#threshold > 0) this.#dropout(0, SITES.embedding, d, { ...dx, half: null });
    embedBackward(this.#b, input, d, [V, C], gradientOf(this.#memory, 'transformer.wte.weight'));
    if (positions === 'rotary') return;
    const gradient = gradientOf(this.#memory, 'transformer.wpe.weight');
    if (isFirst && length < block) clear(this.#b, gradient, block * C);
    // dx as (B, T·C): the sum over sequences
    const accumulate = !isFirst || length < block;
    summing(this.#b, (sums) => columnSums(sums, d, sequences, length * C, [gradient], accumulate));
  }

  // ── linear layers ──

  /** out = residual + dropout(x·W + b) */
  #projectAndAdd(module: string, layer: number, site: number, x: Matrix, residual: Slice, out: Matrix): void {
    const [weight, bias] = [this.#parameters.weight(module), this.#parameters.bias(module)];
    const hasDropout = this.#threshold > 0;
    product(this.#b, 'NN', x, weight, out, { bias, addend: hasDropout ? null : residual });
    if (hasDropout) this.#dropout(layer, site, out.floats as Slice, out, residual);
  }

  /** The gradients of a linear layer's weight and bias. */
  #weightBackward(sums: Sums, module: string, x: Matrix, dout: Matrix): void {
    const { weight, bias } = this.#parameters.gradients(module);
    const accumulate = !this.#p.isFirst;
    weightGradient(sums, x, dout, weight, accumulate);
    if (bias) columnSums(sums, dout.floats as Slice, dout.rows, dout.columns, [bias], accumulate);
  }

  /** dx = gradient through LayerNorm, or += if `accumulate`. */
  #layerNormBackward(
    sums: Sums,
    module: string,
    x: Matrix,
    s: Statistics,
    dout: Slice,
    dx: Matrix,
    accumulate: boolean,
  ): void {
    const [R, C] = [x.rows, x.columns];
    const from = x.floats as Slice;
    layerNormGradients(sums, from, s, dout, [R, C], this.#parameters.gradients(module), !this.#p.isFirst);
    this.#b.launch('layerNormBackward', [Math.ceil(R / 4), 1, 1], 128, [
      ...[R, C, from, this.#parameters.vector(module), s.mean, s.rstd, dout],
      ...[accumulate ? dx.floats : null, dx.floats, dx.half, dx.stride],
    ]);
  }

  /** The gradient of a branch's output: dx, with the dropout mask of that output applied. */
  #branchGradient(layer: number, site: number, dx: Matrix, dbranch: Matrix): Matrix {
    if (this.#threshold > 0) this.#dropout(layer, site, dx.floats as Slice, dbranch);
    return dbranch;
  }

  // ── attention ──

  #rotate(qkv: Matrix, direction: number): void {
    if (!this.#rotary) return;
    const { width: C, heads } = this.#config;
    const { cosines, sines } = this.#rotary;
    this.#b.forElements('rotate', qkv.rows * C, [
      ...[qkv.rows, this.#p.length, C, C / heads, cosines, sines, { float: direction }, null],
      ...[qkv.floats, qkv.half, qkv.stride],
    ]);
  }

  #attentionShape(layer: number): AttentionShape {
    const { width, heads } = this.#config;
    const { sequences, length, firstSequence } = this.#p;
    const { settings } = this.#memory;
    const mask = { settings, threshold: this.#threshold, site: layer * 4 + SITES.attention, firstSequence };
    return { sequences, length, width, heads, mask };
  }

  #attentionForward(a: Activations, layer: number): void {
    const h = moduleOf(layer);
    const b = this.#b;
    layerNorm(b, this.#parameters, `${h}.ln_1`, a.x, a.ln1, a.ln1Statistics);
    product(b, 'NN', a.ln1, this.#parameters.weight(`${h}.attn.c_attn`), a.qkv, {
      bias: this.#parameters.bias(`${h}.attn.c_attn`),
    });
    this.#rotate(a.qkv, 1);
    attention(b, this.#attentionShape(layer), a.qkv, a.attnOut, a.logSums);
    this.#projectAndAdd(`${h}.attn.c_proj`, layer, SITES.attnProj, a.attnOut, a.x.floats as Slice, a.residual);
  }

  /** dx: on entry the gradient of the residual, on return the gradient of x. dln: scratch (R,C). */
  #attentionBackward(
    sums: Sums,
    a: Activations,
    layer: number,
    dx: Matrix,
    dbranch: Matrix,
    dqkv: Matrix,
    dln: Slice,
  ): void {
    const h = moduleOf(layer);
    const b = this.#b;
    const dout = this.#branchGradient(layer, SITES.attnProj, dx, dbranch);
    this.#weightBackward(sums, `${h}.attn.c_proj`, a.attnOut, dout);
    b.within(() => {
      const { half, stride } = b.bf16 ? b.matrix(this.#rows, this.#config.width, 'operand') : a.attnOut;
      const dattnOut = { ...a.attnOut, floats: dln, half, stride };
      product(b, 'NT', dout, this.#parameters.weight(`${h}.attn.c_proj`), dattnOut);
      attentionBackward(b, this.#attentionShape(layer), a.qkv, a.attnOut, a.logSums, dattnOut, dqkv);
    });
    this.#rotate(dqkv, -1);
    this.#weightBackward(sums, `${h}.attn.c_attn`, a.ln1, dqkv);
    product(b, 'NT', dqkv, this.#parameters.weight(`${h}.attn.c_attn`), { ...a.x, floats: dln, half: null });
    this.#layerNormBackward(sums, `${h}.ln_1`, a.x, a.ln1Statistics, dln, dx, true);
  }

  // ── MLP ──

  #mlpForward(a: Activations, layer: number, out: Matrix): void {
    const h = moduleOf(layer);
    layerNorm(this.#b, this.#parameters, `${h}.ln_2`, a.residual, a.ln2, a.ln2Statistics);
    product(this.#b, 'NN', a.ln2, this.#parameters.weight(`${h}.mlp.c_fc`), a.fch, {
      bias: this.#parameters.bias(`${h}.mlp.c_fc`),
      gelu: 'forward',
      pre: a.fchPre.floats,
    });
    this.#projectAndAdd(`${h}.mlp.c_proj`, layer, SITES.fcProj, a.fch, a.residual.floats as Slice, out);
  }

  /** dx: on entry the gradient of the layer's output, on return the gradient of the residual. dln: scratch (R,C). */
  #mlpBackward(sums: Sums, a: Activations, layer: number, dx: Matrix, dbranch: Matrix, dfch: Matrix, dln: Slice): void {
    const h = moduleOf(layer);
    const dout = this.#branchGradient(layer, SITES.fcProj, dx, dbranch);
    this.#weightBackward(sums, `${h}.mlp.c_proj`, a.fch, dout);
    product(this.#b, 'NT', dout, this.#parameters.weight(`${h}.mlp.c_proj`), dfch, {
      gelu: 'backward',
      pre: a.fchPre.floats,
    });
    this.#weightBackward(sums, `${h}.mlp.c_fc`, a.ln2, dfch);
    product(this.#b, 'NT', dfch, this.#parameters.weight(`${h}.mlp.c_fc`), { ...a.x, floats: dln, half: null });
    this.#layerNormBackward(sums, `${h}.ln_2`, a.residual, a.ln2Statistics, dln, dx, true);
  }
}

/** Adds the launches for one token of each of B streams. The state is a cache of keys and values (layers,2,B,block,C). */
function buildDecoder(config: GptConfig, b: PassBuilder, memory: ModelMemory, io: DecoderIo): void {
  const { layers, width: C, heads, block } = config;
  const { streams: B, position } = io;
  const [D, ps] = [C / heads, new Parameters(config, memory)];
  const statistics = { mean: b.floats(B), rstd: b.floats(B) };
  const rotary = rotaryOf(config, memory.tables);
  const { layout, weights } = memory;
  const x = b.matrix(B, C, 'floats');
  const table = rotary ? null : layout.of('transformer.wpe.weight', weights);
  embed(b, io.tokens, layout.of('transformer.wte.weight', weights), x, table && { table, length: block, position });
  const [lnOut, qkv] = [b.matrix(B, C, 'operand'), b.matrix(B, 3 * C, 'floats')];
  const [attnOut, fchPre, fch] = [b.matrix(B, C, 'operand'), b.floats(B * 4 * C), b.matrix(B, 4 * C, 'operand')];
  const linear = (module: string, from: Matrix, to: Matrix, more = {}) =>
    product(b, 'NN', from, ps.weight(module), to, { bias: ps.bias(module), ...more });
  for (let layer = 0; layer < layers; layer++) {
    const h = moduleOf(layer);
    layerNorm(b, ps, `${h}.ln_1`, x, lnOut, statistics);
    linear(`${h}.attn.c_attn`, lnOut, qkv);
    if (rotary)
      b.forElements('rotate', B * C, [
        ...[B, 1, C, D, rotary.cosines, rotary.sines, { float: 1 }, position, qkv.floats, null, 0],
      ]);
    const keys = afterFloats(io.state, 2 * layer * B * block * C);
    const values = afterFloats(keys, B * block * C);
    b.launch(
      'attentionDecode',
      [heads, B, 1],
      128,
      [
        ...[block, C, D, { float: 1 / Math.sqrt(D) }, position, qkv.floats, keys, values],
        ...[attnOut.floats, attnOut.half, attnOut.stride],
      ],
      4 * (block + 4),
    );
    linear(`${h}.attn.c_proj`, attnOut, x, { addend: x.floats });
    layerNorm(b, ps, `${h}.ln_2`, x, lnOut, statistics);
    linear(`${h}.mlp.c_fc`, lnOut, fch, { gelu: 'forward', pre: fchPre });
    linear(`${h}.mlp.c_proj`, fch, x, { addend: x.floats });
  }
  layerNorm(b, ps, 'transformer.ln_f', x, lnOut, statistics);
  const wte = ps.weight('transformer.wte');
  product(b, 'NT', lnOut, wte, { rows: B, columns: wte.rows, floats: io.logits, half: null, stride: 0 });
}
