/**
 * Which channels are drums. In General MIDI it is channel 10. Other channels become drums, and channel 10 can become
 * melodic, in three ways:
 *
 * - GS: the system exclusive message "use for rhythm part";
 * - XG: the message "part mode", and bank 127 (126 for effects) before a program change;
 * - GM2: bank 120 before a program change makes drums, bank 121 a melody.
 *
 * @see Roland SC-88 owner's manual, "Parameter Address Map"; Yamaha XG Specifications 1.26, tables 1-2 and 1-4;
 *   General MIDI 2 (RP-024), "Bank Select"
 */
import { DRUM_CHANNEL } from './midi-format.ts';

/** The sets of sounds that a file can ask for. They differ in the meaning of bank numbers. */
export type SoundSet = 'GS' | 'XG' | 'GM2';

/** A channel becomes drums, or melodic. */
export interface RhythmChange {
  tick: number;
  channel: number;
  drum: boolean;
}

/** A program change of one channel. */
export interface ProgramChange {
  tick: number;
  program: number;
  /** the upper byte of the bank that was selected before it; undefined if there was none */
  bank?: number;
}

/** The effect of a system exclusive message on drums; undefined if it has none. */
export type SysexMeaning = { soundSet: SoundSet } | { channel: number; drum: boolean } | undefined;

const ROLAND = 0x41;
const GS_MODEL = 0x42;
const GS_SEND = 0x12;
const YAMAHA = 0x43;
const XG_MODEL = 0x4c;
const UNIVERSAL_NON_REAL_TIME = 0x7e;

const XG_DRUMS = 127;
const XG_EFFECTS = 126;
const GM2_DRUMS = 120;
const GM2_MELODY = 121;

/** Reads a system exclusive message, whose bytes after the status and the length begin at `at`. */
export function readSysex(bytes: Uint8Array, at: number): SysexMeaning {
  const [maker, , model, fourth] = bytes.subarray(at, at + 4);
  if (maker === ROLAND && model === GS_MODEL && fourth === GS_SEND) return readGs(bytes.subarray(at + 4, at + 8));
  if (maker === YAMAHA && model === XG_MODEL) return readXg(bytes.subarray(at + 3, at + 7));
  if (maker === UNIVERSAL_NON_REAL_TIME && model === 9 && fourth === 3) return { soundSet: 'GM2' };
  return undefined;
}

/** 40 00 7F resets to GS; 40 1x 15 sets a part to a melody (0) or to drums (1, 2). */
function readGs([high, middle, low, value]: Uint8Array): SysexMeaning {
  if (high !== 0x40) return undefined;
  if (middle === 0 && low === 0x7f) return { soundSet: 'GS' };
  if (middle >> 4 !== 1 || low !== 0x15 || value === undefined) return undefined;
  // Block 0 is part 10; blocks 1 to 9 are parts 1 to 9, and A to F are parts 11 to 16.
  const block = middle & 0x0f;
  return { channel: block === 0 ? DRUM_CHANNEL : block <= DRUM_CHANNEL ? block - 1 : block, drum: value > 0 };
}

/** 00 00 7E turns XG on; 08 pp 07 sets a part to a melody (0) or to drums. */
function readXg([high, middle, low, value]: Uint8Array): SysexMeaning {
  if (high === 0 && middle === 0 && low === 0x7e) return { soundSet: 'XG' };
  if (high !== 8 || low !== 7 || middle > 15 || value === undefined) return undefined;
  return { channel: middle, drum: value > 0 };
}

/**
 * Whether a channel is drums, from each tick on. Changes are in order of tick.
 *
 * @param programs the program changes that apply to the channel
 * @param rhythm the system exclusive messages of all tracks
 */
export function drumChanges(
  channel: number,
  programs: readonly ProgramChange[],
  rhythm: readonly RhythmChange[],
  soundSet: SoundSet | undefined,
): { tick: number; drum: boolean }[] {
  const changes: { tick: number; drum: boolean }[] = rhythm.filter((change) => change.channel === channel);
  for (const { tick, bank } of programs) {
    const drum = bank === undefined ? undefined : drumsOfBank(channel, bank, soundSet);
    if (drum !== undefined) changes.push({ tick, drum });
  }
  return changes.sort((a, b) => a.tick - b.tick);
}

/** Whether a bank is drums; undefined if it does not say. GS has melodies in all banks. */
function drumsOfBank(channel: number, bank: number, soundSet: SoundSet | undefined): boolean | undefined {
  if (soundSet === 'GS') return undefined;
  if (bank === XG_DRUMS && soundSet !== 'GM2') return true;
  if (bank === XG_EFFECTS && soundSet === 'XG') return true;
  if (bank === GM2_DRUMS && soundSet !== 'XG') return true;
  // Channel 10 stays drums in the other banks: many programs select bank 0 on every channel.
  if (channel === DRUM_CHANNEL) return bank === GM2_MELODY && soundSet === 'GM2' ? false : undefined;
  return false;
}
