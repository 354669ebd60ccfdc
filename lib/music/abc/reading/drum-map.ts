/**
 * Reads the directives that give the notes of a drum voice their percussion sounds: `%%MIDI drummap C 36`,
 * `%%percmap C bass-drum-1`.
 *
 * @see abcMIDI, doc/abcguide.txt (drummap); abcjs, "percmap"; General MIDI, "Percussion Key Map"
 */
import { pitchAt } from './abc-fields.ts';
import { LETTERS } from './characters.ts';

/** General MIDI's names of the percussion sounds from 35 on, as percmap writes them. */
const NAMES = (
  'acoustic-bass-drum bass-drum-1 side-stick acoustic-snare hand-clap electric-snare low-floor-tom closed-hi-hat ' +
  'high-floor-tom pedal-hi-hat low-tom open-hi-hat low-mid-tom hi-mid-tom crash-cymbal-1 high-tom ride-cymbal-1 ' +
  'chinese-cymbal ride-bell tambourine splash-cymbal cowbell crash-cymbal-2 vibraslap ride-cymbal-2 hi-bongo ' +
  'low-bongo mute-hi-conga open-hi-conga low-conga high-timbale low-timbale high-agogo low-agogo cabasa maracas ' +
  'short-whistle long-whistle short-guiro long-guiro claves hi-wood-block low-wood-block mute-cuica open-cuica ' +
  'mute-triangle open-triangle'
).split(' ');
const FIRST_NAMED_SOUND = 35;

/**
 * Reads a directive without its `%%`.
 *
 * @returns the pitch that is written, and the percussion sound, which may be over 127; undefined for other directives
 */
export function parseDrumMap(text: string): { pitch: number; sound: number } | undefined {
  const match = /^(?:MIDI\s+drummap|percmap)\s+([=^_]*[A-Ga-g][,']*)\s+(?:(\d{1,3})\b|([a-z][a-z\d-]*))/.exec(text);
  if (match === null) return undefined;
  const [, note, number, name] = match;
  if (number !== undefined) return { pitch: pitchOf(note), sound: Number(number) };
  const named = NAMES.indexOf(name);
  return named < 0 ? undefined : { pitch: pitchOf(note), sound: FIRST_NAMED_SOUND + named };
}

/** The pitch of a note's text without a key: `^c'`. */
function pitchOf(note: string): number {
  const index = LETTERS.indexOf(/[A-Ga-g]/.exec(note)![0]);
  const count = (mark: string) => note.split(mark).length - 1;
  const octave = (index < 7 ? 5 : 6) + count("'") - count(',');
  return pitchAt(7 * octave + (index % 7), count('^') - count('_'));
}
