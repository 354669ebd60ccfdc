/**
 * Reads and writes safetensors files: 8 bytes of header length, a JSON header of names, shapes and offsets, then the values.
 *
 * Values are little-endian float32; other types are refused. They are copied as they are in memory, because all machines
 * that Node runs on are little-endian. The same tensors give the same bytes.
 *
 * @see https://huggingface.co/docs/safetensors, "Format"
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import { basename } from 'node:path';
import { ModelError } from './errors.ts';
import type { Weights } from './model-config.ts';
import { elementCount } from './parameters.ts';
import { type Entry, HeaderProblem, MAX_HEADER_BYTES, parseHeader } from './safetensors-header.ts';

/**
 * Writes tensors to a file, in the order of the map. The file is replaced atomically.
 *
 * @throws ModelError if a tensor's values do not fit its shape
 */
export async function writeSafetensors(
  file: string,
  tensors: Weights,
  metadata: Record<string, string> = {},
): Promise<void> {
  const header: Record<string, Entry | Record<string, string>> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    if (data.length !== elementCount(shape))
      throw new ModelError(`${name} has ${data.length} numbers, but its shape [${shape}] has ${elementCount(shape)}`);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));

  await writeAtomically(file, async (handle) => {
    await handle.writeFile(Buffer.concat([length, padded]));
    for (const { data } of tensors.values())
      if (data.length > 0) await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });
}

/**
 * Replaces a file atomically: writes a temporary file beside it, flushes it to disk, and renames it. So a file with
 * this name is always complete.
 */
export async function writeAtomically(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const partial = `${file}.partial`;
  const handle = await open(partial, 'w');
  try {
    await write(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, file);
}

/**
 * Reads all tensors of a file.
 *
 * @param checkShapes called with the shape of each tensor before any value is read; it throws if they are not wanted
 * @throws ModelError if it is not a safetensors file, is cut short, or has values that are not float32
 */
export async function readSafetensors(
  file: string,
  checkShapes: (shapes: Map<string, number[]>) => void = () => {},
): Promise<{ tensors: Weights; metadata: Record<string, string> }> {
  const handle = await open(file, 'r');
  try {
    const stats = await handle.stat();
    const { size } = stats;
    const name = basename(file);
    const notSafetensors = (why: string) => new ModelError(`${file} is not a safetensors file: ${why}`);
    const cut = (needed: number) =>
      new ModelError(
        `${file} is cut short: it has ${size} of ${needed} bytes; ${name} has to be written or copied again`,
      );

    if (!stats.isFile()) throw notSafetensors('it is not a file');
    if (size < 8) throw notSafetensors(`it has ${size} bytes`);
    const lengthBytes = Buffer.alloc(8);
    await readFully(handle, lengthBytes, 0);
    const headerLength = lengthBytes.readBigUInt64LE();
    if (headerLength > MAX_HEADER_BYTES)
      throw notSafetensors(
        `its first 8 bytes are not the length of a header, or it has ${headerLength} bytes, more than the ${MAX_HEADER_BYTES} that are read`,
      );
    const start = 8 + Number(headerLength);
    if (start > size) throw cut(start);
    const headerBytes = Buffer.alloc(Number(headerLength));
    await readFully(handle, headerBytes, 8);
    const { entries, end, metadata } = readHeader(headerBytes, file, notSafetensors);
    if (start + end > size) throw cut(start + end);
    if (start + end < size) throw notSafetensors(`${size - start - end} bytes belong to no tensor`);
    checkShapes(new Map(entries.map(([tensor, { shape }]) => [tensor, shape])));

    const tensors: Weights = new Map();
    for (const [tensor, { shape, data_offsets }] of entries) {
      const data = new Float32Array(elementCount(shape));
      await readFully(handle, new Uint8Array(data.buffer), start + data_offsets[0]);
      tensors.set(tensor, { shape, data });
    }
    return { tensors, metadata: metadata as Record<string, string> };
  } finally {
    await handle.close();
  }
}

function readHeader(bytes: Buffer, file: string, notSafetensors: (why: string) => Error) {
  try {
    return parseHeader(bytes);
  } catch (error) {
    if (!(error instanceof HeaderProblem)) throw error;
    if (error.tensor === undefined) throw notSafetensors(error.message);
    throw new ModelError(`${file}: ${error.tensor} ${error.message}`);
  }
}

async function readFully(handle: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    // Node reads at most 2 GiB at a time.
    const length = Math.min(into.length - done, 2 ** 30);
    const { bytesRead } = await handle.read(into, done, length, position + done);
    if (bytesRead === 0) throw new ModelError('the file became shorter while it was read');
    done += bytesRead;
  }
}
