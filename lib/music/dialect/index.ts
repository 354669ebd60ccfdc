/**
 * The dialect of docs/music.md as a state machine over characters: which character may come next in a tune, and whether
 * the tune may end. Generators use it to write only whole tunes.
 *
 * - tune-state.ts: header, voices, lines and bars
 * - bar-state.ts: the fields, notes, chords, rests, ties and layers of one bar; bar-setting.ts: its context
 * - field-state.ts, note-state.ts: a field, and the pitch of a note
 * - tuplet-state.ts: the lengths that the notes of a tuplet may have
 * - lengths.ts, values.ts: the texts of note lengths and of fields' values
 */
export { TuneState } from './tune-state.ts';
