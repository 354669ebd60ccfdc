/**
 * Names for the bytes of a Standard MIDI File, shared by the reader and the writer.
 *
 * Two specifications define them:
 * - Standard MIDI Files 1.0 (RP-001): "Header Chunks", "Track Chunks" and "Meta-Event Definitions";
 * - MIDI 1.0 Detailed Specification: "Data Format" and Table I, the status bytes.
 */

/** The name of the header chunk, "MThd", as a big-endian number. */
export const MTHD = 0x4d546864;
/** The name of a track chunk, "MTrk", as a big-endian number. */
export const MTRK = 0x4d54726b;
/** Bytes of a chunk before its content: four of name, four of length. */
export const CHUNK_HEADER_BYTES = 8;
/** Content bytes of a header chunk: format, number of tracks, division. */
export const HEADER_BYTES = 6;

/** Status bytes have this bit; data bytes do not. */
export const STATUS_BIT = 0x80;
/** Channel messages: the upper four bits are the kind, the lower four the channel. */
export const NOTE_OFF = 0x80;
/** A note-on with velocity 0 is a note-off. */
export const NOTE_ON = 0x90;
/** Two data bytes: the controller and its value. */
export const CONTROL_CHANGE = 0xb0;
/** One data byte: the program, 0–127. */
export const PROGRAM_CHANGE = 0xc0;
/** One data byte, as a program change; all other channel messages have two. */
export const CHANNEL_PRESSURE = 0xd0;

/** The largest value of a data byte. */
export const MAX_DATA = 127;

/** Controller: the upper byte of the bank that the next program change takes its sound from. */
export const BANK_SELECT = 0;
/** Controllers that end the sounding notes of their channel: all sound off (120), all notes off (123), modes (124–127). */
export const ALL_SOUND_OFF = 120;
/** The first of the five channel mode messages that end all notes. */
export const ALL_NOTES_OFF = 123;

/** A system exclusive event: its length as a variable-length quantity, then its bytes. */
export const SYSEX = 0xf0;
/** Further bytes of a system exclusive message, or any bytes to send; its length follows as in SYSEX. */
export const SYSEX_CONTINUATION = 0xf7;
/** System common messages, which files do not have: quarter frame and song select carry one data byte. */
export const MTC_QUARTER_FRAME = 0xf1;
/** System common, two data bytes. */
export const SONG_POSITION = 0xf2;
/** System common, one data byte. */
export const SONG_SELECT = 0xf3;
/** A meta event: a type byte, its length as a variable-length quantity, then its bytes. */
export const META = 0xff;

/** Meta type: the track ends here. */
export const META_END_OF_TRACK = 0x2f;
/** Meta type: three bytes, microseconds of a quarter note. */
export const META_TEMPO = 0x51;
/** Meta type: numerator, exponent of the denominator, MIDI clocks of a click, 32nd notes of 24 MIDI clocks. */
export const META_TIME_SIGNATURE = 0x58;
/** Meta type: sharps (flats below zero) as a signed byte, then 1 for minor. */
export const META_KEY_SIGNATURE = 0x59;

/** MIDI channels of a port. */
export const CHANNELS = 16;
/** The drum channel of General MIDI, "10", counted from 0. */
export const DRUM_CHANNEL = 9;
/** Notes of a channel: pitches 0–127. */
export const PITCHES = 128;
/** The most bytes that a variable-length quantity may have. */
export const MAX_QUANTITY_BYTES = 4;
