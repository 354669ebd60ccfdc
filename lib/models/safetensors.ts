/**
 * Reads and writes safetensors files: 8 bytes of header length, a JSON header of names, shapes and offsets, then the numbers.
 * Float32 only, little-endian, as every machine is that Node runs on today. The same tensors give the same bytes.
 * Format: https://huggingface.co/docs/safetensors
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import { basename } from 'node:path';
import { ModelError } from './errors.ts';
import type { Weights } from './model-config.ts';
import { elementCount } from './parameters.ts';

/** What the format says of a tensor; offsets are from the end of the header. */
interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** The longest header that the format allows. */
const longestHeader = 100_000_000;

/** Writes tensors in the order of the map, under a temporary name until they are all on disk. */
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

  await writeWhole(file, async (handle) => {
    await handle.writeFile(Buffer.concat([length, padded]));
    for (const { data } of tensors.values())
      if (data.length > 0) await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });
}

/**
 * Writes a file so that under its name there is always a whole one: to a temporary name beside it, to disk, then renamed.
 */
export async function writeWhole(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
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

/** @throws ModelError when the file is not one, is cut short, or holds numbers other than float32 */
export async function readSafetensors(file: string): Promise<{ tensors: Weights; metadata: Record<string, string> }> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const name = basename(file);
    const foreign = (why: string) => new ModelError(`${file} is not a safetensors file: ${why}`);
    const cut = (needed: number) =>
      new ModelError(
        `${file} is cut short: ${size} bytes are there of ${needed}; ${name} has to be written or copied again`,
      );

    if (size < 8) throw foreign(`it has ${size} bytes`);
    const lengthBytes = Buffer.alloc(8);
    await readFully(handle, lengthBytes, 0);
    const headerLength = lengthBytes.readBigUInt64LE();
    if (headerLength > longestHeader) throw foreign(`its first 8 bytes give no length of a header`);
    const start = 8 + Number(headerLength);
    if (start > size) throw cut(start);
    const headerBytes = Buffer.alloc(Number(headerLength));
    await readFully(handle, headerBytes, 8);
    const { __metadata__: metadata = {}, ...entries } = parseHeader(headerBytes, foreign);

    let end = start;
    for (const [tensor, entry] of Object.entries(entries)) {
      const problem = problemOf(entry as Entry);
      if (problem) throw new ModelError(`${file}: ${tensor} ${problem}`);
      end = Math.max(end, start + (entry as Entry).data_offsets[1]);
    }
    if (end > size) throw cut(end);
    if (end < size) throw foreign(`${size - end} bytes belong to no tensor`);

    const tensors: Weights = new Map();
    for (const [tensor, { shape, data_offsets }] of Object.entries(entries as Record<string, Entry>)) {
      const data = new Float32Array(elementCount(shape));
      await readFully(handle, new Uint8Array(data.buffer), start + data_offsets[0]);
      tensors.set(tensor, { shape, data });
    }
    return { tensors, metadata: metadata as Record<string, string> };
  } finally {
    await handle.close();
  }
}

function parseHeader(bytes: Buffer, foreign: (why: string) => Error): Record<string, unknown> {
  try {
    const header = JSON.parse(bytes.toString('utf8'));
    if (typeof header === 'object' && header !== null && !Array.isArray(header)) return header;
  } catch {}
  throw foreign('its header is not a JSON object');
}

function problemOf(entry: Entry): string | undefined {
  const { dtype, shape, data_offsets: offsets } = entry ?? {};
  const whole = (list: unknown) => Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (dtype !== 'F32') return `has numbers of type ${dtype}; only F32 is read: convert it first`;
  if (!whole(shape) || !whole(offsets) || offsets.length !== 2) return 'has no proper shape and offsets';
  if (offsets[1] - offsets[0] !== 4 * elementCount(shape))
    return `has ${offsets[1] - offsets[0]} bytes, but its shape [${shape}] needs ${4 * elementCount(shape)}`;
  return undefined;
}

async function readFully(handle: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    // one read of Node's takes at most 2 GiB
    const length = Math.min(into.length - done, 2 ** 30);
    const { bytesRead } = await handle.read(into, done, length, position + done);
    if (bytesRead === 0) throw new ModelError('the file became shorter while it was read');
    done += bytesRead;
  }
}
