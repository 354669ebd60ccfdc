/** Converts MusicXML to ABC or to a score: read, quantise, write. */
import { writeAbc } from './abc/index.ts';
import type { AbcResult, MidiToAbcOptions, MidiToScoreOptions } from './midi-to-abc.ts';
import { countNotes, type Score } from './model/index.ts';
import { readMusicXml } from './musicxml/index.ts';
import { quantise } from './quantise/index.ts';

const MAX_WARNINGS = 20;

/**
 * Reads MusicXML as a score.
 *
 * @param xml the text of a partwise or timewise score
 * @returns the score, and at most 20 warnings: one sentence for each repair or omission
 * @throws MusicError if the text is not such a score, a value in it is wrong, or it has no note
 */
export function musicXmlToScore(xml: string, options: MidiToScoreOptions = {}): { score: Score; warnings: string[] } {
  const { sequence, warnings } = readMusicXml(xml);
  const quantised = quantise(sequence, options);
  return { score: quantised.score, warnings: [...warnings, ...quantised.warnings].slice(0, MAX_WARNINGS) };
}

/**
 * Converts MusicXML to ABC. Repeats are written out; titles, words, chord symbols, dynamics and ornaments are left out.
 *
 * @throws MusicError as musicXmlToScore does
 * @example musicXmlToAbc(await readFile('tune.musicxml', 'utf8'), { grid: 8 }).abc
 */
export function musicXmlToAbc(xml: string, options: MidiToAbcOptions = {}): AbcResult {
  const { layout, ...scoreOptions } = options;
  const { score, warnings } = musicXmlToScore(xml, scoreOptions);
  return { abc: writeAbc(score, layout), notes: countNotes(score), warnings, performance: false };
}
