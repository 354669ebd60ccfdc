/**
 * The composer's accompaniment: turns the patterns of styles.ts into notes over a section's chords, and makes the
 * voices that follow the melody (thirds below it, an imitation one bar later, the inner voices of a chorale).
 *
 * Times are in sixteenths from the section's start; pitches are MIDI note numbers. Nothing here is random, so a section
 * that returns with the same patterns has the same notes.
 */
import { type Chord, chordDegrees, degreePitch, isChordTone, type ModalKey } from './harmony.ts';
import { layMotif, type Melody, type MelodyNote } from './melody.ts';
import { type Beat, DRUMS, type DrumName, type MetreGrid } from './style.ts';

/** A note with its pitch. Times are in sixteenths. */
export interface PlacedNote {
  start: number;
  duration: number;
  pitch: number;
}

/** The key, metre and chords of a section, which its voices follow. */
export interface SectionGround {
  key: ModalKey;
  metre: MetreGrid;
  bars: number;
  /** `bars` × `chordsPerBar` chords */
  chords: readonly Chord[];
  chordsPerBar: number;
}

/** MIDI pitch. The lowest note of a chord is at or above it; bare fifths are an octave lower. */
const LOWEST_CHORD_NOTE = 52;
/** MIDI pitch. The roots of a bass are in the octave above it. */
const LOWEST_BASS_NOTE = 31;
/** The least distance of an inner voice from the voice above it, in semitones. */
const INNER_GAP = 3;

function chordAt(ground: SectionGround, sixteenth: number): Chord {
  return ground.chords[Math.floor((sixteenth * ground.chordsPerBar) / ground.metre.bar)];
}

/**
 * Calls `stroke` for each stroke of a pattern, bar after bar. A stroke held over a change of chord is repeated there.
 */
function eachStroke(
  ground: SectionGround,
  pattern: string,
  stroke: (token: string, start: number, duration: number, chord: Chord) => void,
): void {
  const slot = ground.metre.bar / pattern.length;
  for (let bar = 0; bar < ground.bars; bar++) {
    let open: { token: string; start: number; chord: Chord } | undefined;
    const close = (at: number) => {
      if (open) stroke(open.token, open.start, at - open.start, open.chord);
      open = undefined;
    };
    for (let i = 0; i < pattern.length; i++) {
      const at = bar * ground.metre.bar + i * slot;
      const chord = chordAt(ground, at);
      const token = pattern[i];
      if (token === '-') {
        if (open && open.chord !== chord) {
          const held: string = open.token;
          close(at);
          open = { token: held, start: at, chord };
        }
        continue;
      }
      close(at);
      if (token !== '.') open = { token, start: at, chord };
    }
    close((bar + 1) * ground.metre.bar);
  }
}

/**
 * Places a chord in close position, in the inversion nearest to the chord before. Its lowest note lies within an octave
 * above LOWEST_CHORD_NOTE.
 */
export function voiceChord(key: ModalKey, chord: Chord, before: readonly number[] | undefined): number[] {
  const pitches = chordDegrees(chord).map((degree) => degreePitch(key, degree, chord.alter));
  if (chord.size === 2) {
    const root = LOWEST_CHORD_NOTE - 12 + ((((pitches[0] - LOWEST_CHORD_NOTE) % 12) + 12) % 12);
    return [root, root + (pitches[1] - pitches[0])];
  }
  // A seventh chord omits its fifth, so that every chord has three notes.
  const classes = (chord.size === 4 ? [pitches[0], pitches[1], pitches[3]] : pitches).map((pitch) => pitch % 12);
  let best: number[] = [];
  let bestCost = Number.POSITIVE_INFINITY;
  for (const lowest of classes) {
    const bottom = LOWEST_CHORD_NOTE + ((lowest - (LOWEST_CHORD_NOTE % 12) + 12) % 12);
    const voicing = classes.map((pitchClass) => bottom + ((pitchClass - lowest + 12) % 12)).sort((x, y) => x - y);
    const cost = before
      ? voicing.reduce((sum, pitch, i) => sum + Math.abs(pitch - before[i]), 0)
      : Math.abs(voicing[0] - LOWEST_CHORD_NOTE);
    if (cost < bestCost) [best, bestCost] = [voicing, cost];
  }
  return best;
}

/** Plays a pattern of chords: `x` is the whole chord, a digit one note of it. */
export function chordVoice(ground: SectionGround, pattern: string): PlacedNote[] {
  const notes: PlacedNote[] = [];
  let voicing: number[] | undefined;
  let voiced: Chord | undefined;
  eachStroke(ground, pattern, (token, start, duration, chord) => {
    if (chord !== voiced || !voicing) voicing = voiceChord(ground.key, chord, voicing);
    voiced = chord;
    if (token === 'x') for (const pitch of voicing) notes.push({ start, duration, pitch });
    else notes.push({ start, duration, pitch: voicing[Number(token) % voicing.length] });
  });
  return notes;
}

/**
 * Plays a pattern of bass notes over the chords of a section.
 *
 * @param pattern one character for each equal part of a bar: `R` the root, `3`, `5` and `7` chord notes above it, `8`
 *   the
 *   octave, `l` the fifth below, `a` a step to the next root, `-` holds the note, `.` is silent
 * @returns the notes in order; starts and durations in sixteenths
 */
export function bassVoice(ground: SectionGround, pattern: string): PlacedNote[] {
  const { key } = ground;
  const notes: PlacedNote[] = [];
  const rootPitch = (chord: Chord) => {
    const pitch = degreePitch(key, chord.root, chord.alter);
    return LOWEST_BASS_NOTE + ((((pitch - LOWEST_BASS_NOTE) % 12) + 12) % 12);
  };
  const above = (chord: Chord, steps: number) =>
    rootPitch(chord) + degreePitch(key, chord.root + steps, chord.alter) - degreePitch(key, chord.root, chord.alter);
  eachStroke(ground, pattern, (token, start, duration, chord) => {
    const pitch = (): number => {
      switch (token) {
        case '3':
          return above(chord, 2);
        case '5':
          return above(chord, 4);
        case '7':
          return above(chord, 6);
        case '8':
          return rootPitch(chord) + 12;
        case 'l':
          return above(chord, 4) - 12;
        case 'a': {
          // The note one step from the next root, on the side of the current root.
          const end = Math.min(start + duration, ground.bars * ground.metre.bar - 1);
          const next = chordAt(ground, end);
          const from = rootPitch(next) > rootPitch(chord) ? -1 : 1;
          return above(next, from);
        }
        default:
          return rootPitch(chord);
      }
    };
    notes.push({ start, duration, pitch: pitch() });
  });
  return notes;
}

/**
 * Plays the drums: the groove, a fill in the last bar and, if `crash`, a crash cymbal on the first beat. A hit lasts
 * until the next one, but at most a beat.
 */
export function drumVoice(ground: SectionGround, beat: Beat, crash: boolean): PlacedNote[] {
  const { metre, bars } = ground;
  const hits = new Map<number, Set<number>>();
  const hit = (at: number, pitch: number) => {
    const there = hits.get(at) ?? new Set();
    hits.set(at, there.add(pitch));
  };
  for (let bar = 0; bar < bars; bar++) {
    for (const [name, pattern] of Object.entries(bar === bars - 1 ? beat.fill : beat.groove)) {
      for (let i = 0; i < pattern.length; i++) {
        if (pattern[i] === 'x') hit(bar * metre.bar + (i * metre.bar) / pattern.length, DRUMS[name as DrumName]);
      }
    }
  }
  if (crash) hit(0, DRUMS.crash);
  const starts = [...hits.keys()].sort((x, y) => x - y);
  return starts.flatMap((start, i) => {
    const duration = Math.min((starts[i + 1] ?? bars * metre.bar) - start, metre.beat);
    return [...hits.get(start)!].sort((x, y) => x - y).map((pitch) => ({ start, duration, pitch }));
  });
}

/** Converts the degrees of a melody to pitches. */
export function melodyVoice(key: ModalKey, notes: readonly MelodyNote[], octaves = 0): PlacedNote[] {
  return notes.map(({ start, duration, degree, chord }) => ({
    start,
    duration,
    pitch: degreePitch(key, degree, chord.alter) + 12 * octaves,
  }));
}

/** A second voice a third below the melody, or a fourth if only the fourth is a chord tone. */
export function thirdsVoice(key: ModalKey, notes: readonly MelodyNote[]): PlacedNote[] {
  return notes.map(({ start, duration, degree, chord }) => {
    const fits = isChordTone(degree - 2, chord) || !isChordTone(degree - 3, chord);
    const below = fits ? degree - 2 : degree - 3;
    return { start, duration, pitch: degreePitch(key, below, chord.alter) };
  });
}

/**
 * A lower voice that repeats each bar of the melody one bar later, more than an octave below, adapted to the chords.
 */
export function imitationVoice(ground: SectionGround, melody: Melody): PlacedNote[] {
  const { key, metre, chords, chordsPerBar } = ground;
  const notes: MelodyNote[] = [];
  for (let bar = 0; bar < ground.bars; bar++) {
    const barChords = chords.slice(bar * chordsPerBar, (bar + 1) * chordsPerBar);
    const offset = bar * metre.bar;
    if (bar === 0) {
      // The first bar has no bar before it to imitate, so the voice plays one root.
      notes.push({ start: offset, duration: metre.beat, degree: barChords[0].root - 7, chord: barChords[0] });
    } else {
      const { motif, anchor } = melody.bars[bar - 1];
      notes.push(...layMotif({ motif, anchor: anchor - 9, metre, barChords, offset }));
    }
  }
  return melodyVoice(key, notes);
}

/**
 * Plays an inner voice of a chorale. On each chord it moves to the chord tone nearest to its last note, at least
 * INNER_GAP below `upper`.
 */
export function innerVoice(ground: SectionGround, upper: readonly PlacedNote[], centre: number): PlacedNote[] {
  const { key, metre, chords, chordsPerBar } = ground;
  const span = metre.bar / chordsPerBar;
  let at = centre;
  return chords.map((chord, i) => {
    const start = i * span;
    const sounding = upper.filter((note) => note.start < start + span && note.start + note.duration > start);
    const ceiling = Math.min(...sounding.map((note) => note.pitch), 127) - INNER_GAP;
    const classes = chordDegrees(chord).map((degree) => degreePitch(key, degree, chord.alter) % 12);
    const candidates: number[] = [];
    for (let pitch = centre - 10; pitch <= centre + 10; pitch++) {
      if (classes.includes(pitch % 12)) candidates.push(pitch);
    }
    const below = candidates.filter((pitch) => pitch <= ceiling);
    const usable = below.length > 0 ? below : candidates.slice(0, 1);
    at = usable.reduce((best, pitch) => (Math.abs(pitch - at) < Math.abs(best - at) ? pitch : best));
    return { start, duration: span, pitch: at };
  });
}
