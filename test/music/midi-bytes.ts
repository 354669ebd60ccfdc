/** Builds MIDI files byte by byte, so that tests can choose every byte, valid or not. */

/** Builds a chunk: a name of four letters, its length, its content. */
export function chunk(name: string, content: number[]): number[] {
  const { length } = content;
  return [
    ...Buffer.from(name, 'latin1'),
    (length >>> 24) & 255,
    (length >> 16) & 255,
    (length >> 8) & 255,
    length & 255,
    ...content,
  ];
}

/** Builds an MThd chunk. */
export function header(format: number, tracks: number, division: number): number[] {
  return chunk('MThd', [format >> 8, format & 255, tracks >> 8, tracks & 255, (division >> 8) & 255, division & 255]);
}

/** Encodes a number as a variable-length quantity of MIDI. */
export function quantity(value: number): number[] {
  const bytes = [value & 127];
  for (let rest = value >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}

/** Delta time 0 and the end-of-track event. */
export const END_OF_TRACK = [0, 0xff, 0x2f, 0];

/** Builds note-ons and note-offs of notes, given as [pitch, start, duration] in ticks, on one channel. */
export function notes(events: [pitch: number, start: number, duration: number][], channel = 0): number[] {
  const timed = events.flatMap(([pitch, start, duration]) => [
    { tick: start, order: 1, bytes: [0x90 | channel, pitch, 64] },
    { tick: start + duration, order: 0, bytes: [0x80 | channel, pitch, 0] },
  ]);
  timed.sort((a, b) => a.tick - b.tick || a.order - b.order);
  let tick = 0;
  const bytes: number[] = [];
  for (const event of timed) {
    bytes.push(...quantity(event.tick - tick), ...event.bytes);
    tick = event.tick;
  }
  return bytes;
}

/** Builds a meta event after a delta time. */
export function meta(delta: number, type: number, data: number[]): number[] {
  return [...quantity(delta), 0xff, type, ...quantity(data.length), ...data];
}

/**
 * Builds a file of format 1 (0 for one track) with 480 ticks per beat. Tracks are given without their end-of-track
 * event.
 */
export function midi(...tracks: number[][]): Uint8Array {
  const body = tracks.flatMap((events) => chunk('MTrk', [...events, ...END_OF_TRACK]));
  return Uint8Array.from([...header(tracks.length > 1 ? 1 : 0, tracks.length, 480), ...body]);
}
