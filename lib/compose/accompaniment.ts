/**
 * The composer's accompaniment: patterns of compose-styles.ts turned into notes over a section's chords, and the voices that
 * follow the melody (thirds below it, an imitation of its last bar, the inner voices of a chorale).
 *
 * Times are sixteenths from the section's start; pitches are MIDI's. Nothing here is random: a section that returns with the same
 * patterns returns note for note.
 */
import { type Chord, chordDegrees, degreePitch, isChordTone, type ModalKey } from './harmony.ts';
import { layMotif, type Melody, type MelodyNote } from './melody.ts';
import { type Beat, DRUMS, type DrumName, type MetreGrid } from './style.ts';

export interface PlacedNote {
  start: number;
  duration: number;
  pitch: number;
}

/** What a section's voices follow. */
export interface SectionGround {
  key: ModalKey;
  metre: MetreGrid;
  bars: number;
  /** `bars × chordsPerBar` */
  chords: readonly Chord[];
  chordsPerBar: number;
}

/** Chords lie with their lowest note at or above this, bare fifths an octave under it. */
const LOWEST_CHORD_NOTE = 52;
/** The roots of a bass lie in the octave above this. */
const LOWEST_BASS_NOTE = 31;
/** The gap an inner voice keeps from the one above it, in semitones. */
const INNER_GAP = 3;

function chordAt(ground: SectionGround, sixteenth: number): Chord {
  return ground.chords[Math.floor((sixteenth * ground.chordsPerBar) / ground.metre.bar)];
}

/** Calls back for each stroke of a pattern, bar after bar; a stroke held over a change of chord is struck anew there. */
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

/** Close position, lowest note within an octave above `LOWEST_CHORD_NOTE`, the inversion nearest to the chord before. */
export function voiceChord(key: ModalKey, chord: Chord, before: readonly number[] | undefined): number[] {
  const pitches = chordDegrees(chord).map((degree) => degreePitch(key, degree, chord.alter));
  if (chord.size === 2) {
    const root = LOWEST_CHORD_NOTE - 12 + ((((pitches[0] - LOWEST_CHORD_NOTE) % 12) + 12) % 12);
    return [root, root + (pitches[1] - pitches[0])];
  }
  // A seventh chord leaves out its fifth, so that every chord has three notes.
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

/** A pattern of chords: `x` strikes all of the voicing, a digit one note of it. */
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

/** A pattern of bass notes. */
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
          // A step to the next root, from the side on which the line already is.
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

/** The kit: a groove, a fill in the last bar, a crash on the first beat if asked for. A hit lasts until the next, at most a beat. */
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

/** A melody's notes as pitches. */
export function melodyVoice(key: ModalKey, notes: readonly MelodyNote[], octaves = 0): PlacedNote[] {
  return notes.map(({ start, duration, degree, chord }) => ({
    start,
    duration,
    pitch: degreePitch(key, degree, chord.alter) + 12 * octaves,
  }));
}

/** A second voice a third below the melody, or a fourth where only that is in the chord. */
export function thirdsVoice(key: ModalKey, notes: readonly MelodyNote[]): PlacedNote[] {
  return notes.map(({ start, duration, degree, chord }) => {
    const fits = isChordTone(degree - 2, chord) || !isChordTone(degree - 3, chord);
    const below = fits ? degree - 2 : degree - 3;
    return { start, duration, pitch: degreePitch(key, below, chord.alter) };
  });
}

/** A lower voice that answers each bar of the melody one bar later, an octave and more below, bent to the chords it meets. */
export function imitationVoice(ground: SectionGround, melody: Melody): PlacedNote[] {
  const { key, metre, chords, chordsPerBar } = ground;
  const notes: MelodyNote[] = [];
  for (let bar = 0; bar < ground.bars; bar++) {
    const barChords = chords.slice(bar * chordsPerBar, (bar + 1) * chordsPerBar);
    const offset = bar * metre.bar;
    if (bar === 0) {
      // While the theme is stated alone, the lower voice only sets the root.
      notes.push({ start: offset, duration: metre.beat, degree: barChords[0].root - 7, chord: barChords[0] });
    } else {
      const { motif, anchor } = melody.bars[bar - 1];
      notes.push(...layMotif({ motif, anchor: anchor - 9, metre, barChords, offset }));
    }
  }
  return melodyVoice(key, notes);
}

/** An inner voice of a chorale: at each chord the nearest chord tone to where it was, below `upper` and off its neighbours. */
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
