/**
 * The elements that change how a measure is played: tempos, and the signs of repeats and endings.
 *
 * @see MusicXML 4.0: sound, metronome, barline, repeat, ending
 */
import { isJump } from '../abc/index.ts';
import { childOf, childrenOf, numberIn, numberOf, textIn, type XmlElement } from './xml.ts';

/** The signs of a measure. */
export interface Signs {
  /** a repeated section begins with it */
  opensRepeat: boolean;
  /** number of times that the section ending with it is repeated */
  closesRepeat: number;
  /** passes of the ending that begins with it */
  endings: number[] | undefined;
  /** whether an ending ends with it */
  endsEnding: boolean;
}

export const NO_SIGNS: Signs = { opensRepeat: false, closesRepeat: 0, endings: undefined, endsEnding: false };

/** Sections are not played more often. */
const MAX_PASSES = 32;
const MAX_ENDINGS = 16;
/** Attributes of <sound> that jump, or end the music after a jump. */
const JUMPS = ['dacapo', 'dalsegno', 'tocoda', 'fine'];
/** Lengths of beats in quarter notes. */
const BEAT_UNITS: Record<string, number> = {
  breve: 8,
  whole: 4,
  half: 2,
  quarter: 1,
  eighth: 0.5,
  '16th': 0.25,
  '32nd': 0.125,
};

/** The tempo of a <sound>, in quarter notes a minute; undefined if it sets none. */
export function tempoOfSound(sound: XmlElement): number | undefined {
  const { tempo } = sound.attributes;
  if (tempo === undefined) return undefined;
  const value = numberOf(tempo, sound);
  return value > 0 ? value : undefined;
}

/**
 * The tempo of a <direction>: of its <sound>, otherwise of its metronome mark.
 *
 * @returns quarter notes per minute; undefined if the direction has no tempo above 0
 */
export function tempoOfDirection(direction: XmlElement): number | undefined {
  const sound = childOf(direction, 'sound');
  const played = sound === undefined ? undefined : tempoOfSound(sound);
  if (played !== undefined) return played;
  for (const type of childrenOf(direction, 'direction-type')) {
    const metronome = childOf(type, 'metronome');
    const tempo = metronome === undefined ? undefined : tempoOfMetronome(metronome);
    if (tempo !== undefined) return tempo;
  }
  return undefined;
}

function tempoOfMetronome(metronome: XmlElement): number | undefined {
  const unit = BEAT_UNITS[textIn(metronome, 'beat-unit') ?? ''];
  // The text may be "c. 108" or "108-116".
  const perMinute = Number(/\d+(?:\.\d+)?/.exec(textIn(metronome, 'per-minute') ?? '')?.[0]);
  if (unit === undefined || !(perMinute > 0)) return undefined;
  const dots = Math.min(4, childrenOf(metronome, 'beat-unit-dot').length);
  return perMinute * unit * (2 - 2 ** -dots);
}

/**
 * How much later a direction or sound is played than it is written.
 *
 * @returns divisions of a quarter note, as <divisions> of the part says; 0 if it has no <offset> that is played
 */
export function playedOffset(element: XmlElement): number {
  const offset = childOf(element, 'offset');
  const isPlayed = element.name === 'sound' || offset?.attributes.sound === 'yes';
  return offset !== undefined && isPlayed ? numberIn(element, 'offset')! : 0;
}

/** Whether a <sound> asks for a jump, or a <direction> by its words: "D.C. al Fine". */
export function asksForJump(element: XmlElement): boolean {
  if (element.name === 'sound') return JUMPS.some((jump) => element.attributes[jump] !== undefined);
  return childrenOf(element, 'direction-type').some((type) =>
    childrenOf(type, 'words').some(({ text }) => isJump(text)),
  );
}

/** A barline with what it asks for. */
export interface Barline {
  forward: boolean;
  /** number of times that the section before it is repeated */
  backward: number;
  ending: { begins: number[] } | 'ends' | undefined;
}

/** Parses a <barline>: its repeat signs and its ending. */
export function parseBarline(barline: XmlElement): Barline {
  const repeat = childOf(barline, 'repeat');
  const ending = childOf(barline, 'ending');
  const times = repeat?.attributes.times === undefined ? 2 : numberOf(repeat.attributes.times, repeat);
  return {
    forward: repeat?.attributes.direction === 'forward',
    backward:
      repeat?.attributes.direction === 'backward' ? Math.max(1, Math.min(MAX_PASSES, Math.round(times)) - 1) : 0,
    ending: ending && (ending.attributes.type === 'start' ? { begins: passesOf(ending) } : 'ends'),
  };
}

/** The passes of an ending: "1", "1, 2". A number that is missing or has no digit is 1. */
function passesOf({ attributes }: XmlElement): number[] {
  const numbers = [...(attributes.number ?? '').matchAll(/\d+/g)].map(([digits]) => Number(digits));
  const passes = [...new Set(numbers.filter((pass) => pass >= 1 && pass <= MAX_PASSES))];
  return passes.length === 0 ? [1] : passes.slice(0, MAX_ENDINGS);
}
