/**
 * Where the parameters of a model are on the device: one array of all weights, in fp32, in which each parameter is aligned.
 * Gradients and moments have the same layout. In bf16, matrices that are factors of products have a rounded copy.
 */
import { elementCount, type ModelConfig, parameters, type Weights } from '../../../models/index.ts';
import { numbersOf } from '../../interface/index.ts';
import type { Slice } from '../device/device.ts';
import { after, afterFloats, type Matrix, paddedColumns } from './pass-builder.ts';

/** A parameter and its places. */
interface Place {
  name: string;
  shape: number[];
  /** offset in the array of all parameters, in floats */
  offset: number;
  size: number;
  decay: boolean;
  /** offset of the rounded copy, in bf16 numbers; undefined if the parameter has none */
  rounded?: number;
}

/** Numbers that a block of AdamW updates. */
const CHUNK = 4096;
const NO_COPY = 0xffffffff;
const ALIGNED_FLOATS = 64;
/** Parameters without a rounded copy: embeddings of positions are only added, never multiplied. */
const WITHOUT_COPY = new Set(['transformer.wpe.weight']);

/** The layout of one model's parameters. */
export class ParameterLayout {
  readonly places = new Map<string, Place>();
  /** floats of all parameters, with padding */
  readonly total: number;
  /** bf16 numbers of all rounded copies */
  readonly roundedTotal: number;

  constructor(config: ModelConfig) {
    let [offset, rounded] = [0, 0];
    for (const { name, shape, decay } of parameters(config)) {
      const size = elementCount(shape);
      const hasCopy = shape.length === 2 && !WITHOUT_COPY.has(name);
      this.places.set(name, { name, shape, offset, size, decay, ...(hasCopy && { rounded }) });
      offset += Math.ceil(size / ALIGNED_FLOATS) * ALIGNED_FLOATS;
      if (hasCopy) rounded += Math.ceil((shape[0] * paddedColumns(shape[1])) / ALIGNED_FLOATS) * ALIGNED_FLOATS;
    }
    this.total = offset;
    this.roundedTotal = rounded;
  }

  /** The place of a parameter in an array of all parameters. */
  of(name: string, array: Slice): Slice {
    const { offset, size } = this.#place(name);
    return { address: afterFloats(array, offset).address, size: 4 * size };
  }

  /** A weight (rows,columns) as an operand of products. `rounded` is null in fp32. */
  matrix(name: string, weights: Slice, rounded: Slice | null): Matrix {
    const { shape, rounded: at } = this.#place(name);
    const [rows, columns] = shape;
    const half = rounded && at !== undefined ? after(rounded, 2 * at) : null;
    return { rows, columns, floats: this.of(name, weights), half, stride: paddedColumns(columns) };
  }

  /** All parameters in one array, as the device has them. @throws EngineError if they do not fit the model */
  flatten(weights: Weights): Float32Array {
    const flat = new Float32Array(this.total);
    for (const place of this.places.values()) flat.set(numbersOf(weights, place), place.offset);
    return flat;
  }

  /** The parameters by name, copied from such an array. */
  byName(flat: Float32Array): Weights {
    return new Map(
      [...this.places.values()].map(({ name, shape, offset, size }) => [
        name,
        { shape: [...shape], data: flat.slice(offset, offset + size) },
      ]),
    );
  }

  /** The chunks by which AdamW updates the parameters: UpdateChunk of native/cuda/kernels/update.cuh, 8 words each. */
  chunks(): Uint32Array {
    const words: number[] = [];
    for (const { shape, offset, size, decay, rounded } of this.places.values()) {
      const columns = shape.at(-1) as number;
      const copy = rounded === undefined ? NO_COPY : rounded / 8;
      for (let first = 0; first < size; first += CHUNK)
        words.push(
          ...[offset + first, Math.min(CHUNK, size - first), Number(decay), columns],
          ...[first, copy, paddedColumns(columns), 0],
        );
    }
    return Uint32Array.from(words);
  }

  #place(name: string): Place {
    const place = this.places.get(name);
    if (!place) throw new Error(`the model has no parameter ${name}`);
    return place;
  }
}
