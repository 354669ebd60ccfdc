/**
 * Drum notation: each drum at its usual position on the staff, cymbals with crosses as note heads.
 *
 * Models write drums as pitches of the General MIDI percussion key map, most of which lie far below the staff.
 */

/**
 * For drums by General MIDI key: the position as an ABC note, and whether its head is a cross. ^c and ^g are drawn at c
 * and g.
 */
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
/** Position of all other percussion, with a cross. */
const OTHER = 'B';

/** Header lines for abcjs that define the positions with crosses. */
export const DRUM_HEADS = [
  ...PLACES.filter(([, , cross]) => cross).map(([[key], place]) => `%%percmap ${place} ${key} x`),
  `%%percmap ${OTHER} 56 x`,
];

/**
 * The staff position of a drum, as an ABC note. `pitch` is its MIDI note number, by the General MIDI percussion key
 * map.
 */
export function drumPlace(pitch: number): string {
  return PLACES.find(([keys]) => keys.includes(pitch))?.[1] ?? OTHER;
}
