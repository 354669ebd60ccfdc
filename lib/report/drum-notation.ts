/**
 * Drums as drummers read them: each on its place of the five lines, cymbals with crosses. Models write drums as the pitches of General
 * MIDI, which a staff would show far below itself. For the eye only; what is played comes from the MIDI file.
 */

/** By General MIDI drum: the place on the staff as ABC writes it (in C, so that ^c is the place of c), and whether a cross. */
const PLACES: [keys: number[], place: string, cross: boolean][] = [
  [[35, 36], 'F', false], // bass drum
  [[38, 40], 'c', false], // snare
  [[37, 39], '^c', true], // side stick, clap
  [[41, 43], 'A', false], // floor toms
  [[45, 47], 'd', false], // low and middle toms
  [[48, 50], 'e', false], // high toms
  [[42], 'g', true], // closed hi-hat
  [[46], '^g', true], // open hi-hat
  [[44], 'D', true], // pedal hi-hat
  [[51, 53, 59], 'f', true], // ride
  [[49, 52, 55, 57], 'a', true], // crash
];
const OTHER = 'B';

/** Header lines that give crosses to the places that have them. */
export const DRUM_HEADS = [
  ...PLACES.filter(([, , cross]) => cross).map(([[key], place]) => `%%percmap ${place} ${key} x`),
  `%%percmap ${OTHER} 56 x`,
];

/** A bar of drums with each note on its place. */
export function drumBar(bar: string): string {
  /** accidentals in force, by letter and octave */
  const altered = new Map<string, number>();
  let chord: Set<string> | undefined;
  return bar.replace(/\[[A-Za-z]:[^\]]*\]|\[|\]|([_=^]{0,2})([A-Ga-g][,']*)/g, (text, accidental, note) => {
    if (note === undefined) {
      if (text === '[') chord = new Set();
      if (text === ']') chord = undefined;
      return text;
    }
    if (accidental !== '') altered.set(note, SEMITONES[accidental] ?? 0);
    const place = placeOf(pitchOf(note) + (altered.get(note) ?? 0));
    // Two drums of one place are one head.
    if (chord?.has(place)) return '';
    chord?.add(place);
    return place;
  });
}

const SEMITONES: Record<string, number> = { '=': 0, '^': 1, '^^': 2, _: -1, __: -2 };

/** MIDI note number of a letter with its octave marks; C is 60. */
function pitchOf(note: string): number {
  const letter = note[0];
  const octave = (letter >= 'a' ? 1 : 0) + note.split("'").length - note.split(',').length;
  return 60 + 12 * octave + [9, 11, 0, 2, 4, 5, 7]['ABCDEFG'.indexOf(letter.toUpperCase())];
}

function placeOf(pitch: number): string {
  return PLACES.find(([keys]) => keys.includes(pitch))?.[1] ?? OTHER;
}
