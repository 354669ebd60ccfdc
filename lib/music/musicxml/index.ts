/**
 * MusicXML: reading.
 *
 * - read-musicxml.ts: readMusicXml, text to NoteSequence
 * - part-reader.ts: the measures of a part: notes, chords, voices, ties
 * - attributes.ts: key, metre, transposition; playing.ts: tempos, repeats, endings; instruments.ts: programs, percussion
 * - xml.ts: XML as a stream of small trees
 */
export { readMusicXml } from './read-musicxml.ts';
