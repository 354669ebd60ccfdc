/** Writes tar and zip archives byte by byte, so that tests can make damaged and hostile ones. */
import { deflateRawSync } from 'node:zlib';

/** An entry of a tar archive to write. */
export interface TarMember {
  path: string;
  content?: Uint8Array;
  /** '0' file, '1' hard link, '2' symbolic link, '3' device, '5' folder, 'x' pax header, 'L' GNU long name */
  type?: string;
  linkTo?: string;
  /** size in the header, if not that of the content */
  statedSize?: number;
}

/** Writes a ustar archive that ends with two zero blocks. */
export function tar(members: readonly TarMember[]): Buffer {
  const blocks: Buffer[] = [];
  for (const { path, content = new Uint8Array(0), type = '0', linkTo = '', statedSize } of members) {
    const header = Buffer.alloc(512);
    header.write(path, 0, 100, 'utf8');
    header.write('0000644\0', 100);
    header.write(`${(statedSize ?? content.length).toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(linkTo, 157);
    header.write('ustar\0', 257, 'latin1');
    header.write('00', 263);
    let sum = 0;
    for (const byte of header) sum += byte;
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** Writes a pax record, "LENGTH KEY=VALUE\n". */
export function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

/** An entry of a zip archive to write. */
export interface ZipMember {
  path: string;
  content?: Uint8Array;
  stored?: boolean;
  /** general purpose flags in the directory; 1 is encrypted */
  flags?: number;
  method?: number;
  unixMode?: number;
  statedSize?: number;
  statedCrc?: number;
  /** whether sizes and offset are in the zip64 extra field */
  zip64?: boolean;
}

/** Writes a zip archive. */
export function zip(members: readonly ZipMember[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const content = Buffer.from(member.content ?? []);
    const data = member.stored ? content : deflateRawSync(content);
    const name = Buffer.from(member.path);
    const method = member.method ?? (member.stored ? 0 : 8);
    const crc = member.statedCrc ?? crcOf(content);
    const size = member.statedSize ?? content.length;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(crc, 14);
    local.writeUInt32LE(data.length, 18);
    local.writeUInt32LE(size, 22);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt8(3, 5);
    central.writeUInt16LE(member.flags ?? 0, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(data.length, 20);
    central.writeUInt32LE(size, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(((member.unixMode ?? 0o100644) << 16) >>> 0, 38);
    central.writeUInt32LE(offset, 42);
    const extra = Buffer.alloc(member.zip64 ? 28 : 0);
    if (member.zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      for (const [i, field] of [size, data.length, offset].entries()) extra.writeBigUInt64LE(BigInt(field), 4 + 8 * i);
      for (const at of [20, 24, 42]) central.writeUInt32LE(0xffffffff, at);
      central.writeUInt16LE(extra.length, 30);
    }
    parts.push(local, name, data);
    directory.push(central, name, extra);
    offset += local.length + name.length + data.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  if (!members.some((member) => member.zip64)) return Buffer.concat([...parts, central, end]);
  end.fill(0xff, 8, 20);
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeBigUInt64LE(BigInt(members.length), 24);
  end64.writeBigUInt64LE(BigInt(members.length), 32);
  end64.writeBigUInt64LE(BigInt(central.length), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + central.length), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([...parts, central, end64, locator, end]);
}

/** Computes the CRC-32 bit by bit, as the standard defines it. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
