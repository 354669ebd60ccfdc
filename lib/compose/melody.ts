/**
 * The composer's melody: motifs of one bar, their variations, and their placement over a section's chords.
 *
 * A motif is a rhythm and a contour in scale steps around an anchor. A phrase is a sequence of motifs (`a a b k`; k is
 * the cadence) whose anchors follow an arch. So a motif returns unchanged, transposed to another step, or varied. Notes
 * on beats move to the nearest chord tones; the notes between keep their steps.
 */
import { type Chord, degreePitch, isChordTone, type ModalKey, nearestChordTone } from './harmony.ts';
import type { SeededRandom } from './random.ts';
import type { Density, MetreGrid } from './style.ts';

/** A rhythm in sixteenths, rests negative, and a contour: `steps` has one entry for each sounding note. */
export interface Motif {
  rhythm: readonly number[];
  steps: readonly number[];
}

/** A note of a melody, in sixteenths from the section's start. `chord` may alter its degree. */
export interface MelodyNote {
  start: number;
  duration: number;
  degree: number;
  chord: Chord;
}

/** The melody of a section: its notes, and the motif of each bar for the imitating voice. */
export interface Melody {
  bars: { motif: Motif; anchor: number }[];
  notes: MelodyNote[];
}

/**
 * Rhythms of one or two beats for simple metres, by density, with weights. Lengths are in sixteenths, rests negative.
 */
const SIMPLE_CELLS: Record<Density, readonly (readonly [readonly number[], number])[]> = {
  calm: [
    [[4], 5],
    [[8], 3],
    [[6, 2], 3],
    [[4, 2, 2], 2],
    [[2, 2], 2],
  ],
  moving: [
    [[4], 3],
    [[2, 2], 5],
    [[3, 1], 1],
    [[6, 2], 2],
    [[4, 4], 1],
    [[-2, 2], 1],
  ],
  running: [
    [[2, 2], 6],
    [[2, 1, 1], 1],
    [[1, 1, 2], 1],
    [[4], 2],
    [[2, 2, 2, 2], 3],
  ],
  syncopated: [
    [[3, 3, 2], 4],
    [[2, 4, 2], 3],
    [[-2, 2, 2, 2], 2],
    [[2, 2], 3],
    [[4], 2],
    [[6, 2], 2],
  ],
};

/** Such rhythms for compound metres, whose beat is a dotted quarter. */
const COMPOUND_CELLS: Record<Density, readonly (readonly [readonly number[], number])[]> = {
  calm: [
    [[6], 4],
    [[4, 2], 4],
    [[12], 2],
  ],
  moving: [
    [[4, 2], 5],
    [[2, 2, 2], 4],
    [[6], 3],
    [[3, 1, 2], 1],
  ],
  running: [
    [[2, 2, 2], 6],
    [[4, 2], 3],
    [[2, 1, 1, 2], 1],
  ],
  syncopated: [
    [[4, 2], 3],
    [[2, 2, 2], 2],
    [[-2, 2, 2], 2],
    [[2, 4], 3],
    [[-4, 2], 1],
  ],
};

const CADENCES_SIMPLE: readonly (readonly number[])[] = [[4], [2, 2], [3, 1]];
const CADENCES_COMPOUND: readonly (readonly number[])[] = [[6], [4, 2], [2, 2, 2]];

/** Intervals between neighbours of a contour in scale steps, with weights: mostly steps, few leaps. */
const CONTOUR_STEPS: readonly (readonly [number, number])[] = [
  [1, 6],
  [-1, 6],
  [0, 2],
  [2, 3],
  [-2, 3],
  [3, 1],
  [-3, 1],
  [4, 1],
];

/** Phrases by length in bars. Letters are motifs, ′ marks a variation, k is the cadence. */
const PHRASE_SCHEMAS: Record<number, readonly (readonly string[])[]> = {
  2: [['a', 'k']],
  4: [
    ['a', 'a', 'b', 'k'],
    ['a', 'b', 'a', 'k'],
    ['a', 'a′', 'b', 'k'],
    ['a', 'b', 'a′', 'k'],
    ['a', 'a', 'a′', 'k'],
  ],
};

/** Anchors of a phrase's bars, in steps above the first: level, rising and falling sequences, arches. */
const ARCHES: readonly (readonly number[])[] = [
  [0, 0, 2, 0],
  [0, 1, 2, 0],
  [2, 1, 0, 0],
  [0, -1, -2, 0],
  [0, 2, 1, 0],
  [0, 0, -2, -1],
];

/** The lowest, highest and middle pitch of a melody, as MIDI pitches. */
const LOWEST = 58;
const CENTRE = 72;
const HIGHEST = 84;

/** Makes a motif of one bar. */
function newMotif(random: SeededRandom, metre: MetreGrid, density: Density): Motif {
  const cells = (metre.compound ? COMPOUND_CELLS : SIMPLE_CELLS)[density];
  const rhythm: number[] = [];
  for (let filled = 0; filled < metre.bar; ) {
    const free = metre.bar - filled;
    const fitting = cells.filter(([cell]) => length(cell) <= free && length(cell) % metre.beat === 0);
    const cell = random.weighted(fitting);
    rhythm.push(...cell);
    filled += length(cell);
  }
  // A bar with fewer than two notes is too empty: turn a rest at its beginning into a note.
  if (rhythm.filter((duration) => duration > 0).length < 2) rhythm[0] = Math.abs(rhythm[0]);
  return { rhythm, steps: newContour(random, rhythm.filter((duration) => duration > 0).length) };
}

function newContour(random: SeededRandom, notes: number): number[] {
  const steps = [0];
  while (steps.length < notes) {
    const last = steps[steps.length - 1];
    const before = steps.length > 1 ? steps[steps.length - 2] : last;
    const leapt = Math.abs(last - before) > 2;
    // After a leap the line turns back by step. It stays within four steps of its anchor.
    const step = leapt ? (last > before ? -1 : 1) : random.weighted(CONTOUR_STEPS);
    steps.push(Math.abs(last + step) > 4 ? last - step : last + step);
  }
  return steps;
}

/** Varies a motif recognisably: inverts it, gives its rhythm a new contour, or inverts its second half. */
export function varyMotif(random: SeededRandom, motif: Motif): Motif {
  const kind = random.choose(['invert', 'recontour', 'ending'] as const);
  if (kind === 'invert') return { rhythm: motif.rhythm, steps: motif.steps.map((step) => (step === 0 ? 0 : -step)) };
  if (kind === 'recontour') return { rhythm: motif.rhythm, steps: newContour(random, motif.steps.length) };
  const half = Math.ceil(motif.steps.length / 2);
  const turn = motif.steps[half - 1];
  return {
    rhythm: motif.rhythm,
    steps: motif.steps.map((step, i) => (i < half ? step : turn - (step - turn))),
  };
}

/** Makes the bar of a cadence: one beat of movement, then a long note. */
function cadenceMotif(random: SeededRandom, metre: MetreGrid): Motif {
  const start = random.choose(metre.compound ? CADENCES_COMPOUND : CADENCES_SIMPLE);
  const rest = metre.bar - length(start);
  const rhythm = rest > 12 ? [...start, 12, 12 - rest] : [...start, rest];
  return { rhythm, steps: newContour(random, start.length + 1) };
}

/**
 * Composes a section's melody over its chords.
 *
 * @param chords one for each equal part of each bar: `bars × chordsPerBar`
 * @param theme the first motif, so that sections of a piece are related; by default a new one
 * @param phraseBars bars of a phrase: 4 if it divides `bars`, else 2
 * @param targets the degree (0–6) of each phrase's last note, if its chord has that degree
 */
export function composeMelody(
  random: SeededRandom,
  options: {
    key: ModalKey;
    metre: MetreGrid;
    density: Density;
    chords: readonly Chord[];
    chordsPerBar: number;
    bars: number;
    targets: readonly number[];
    theme?: Motif;
  },
): Melody {
  const { key, metre, density, chords, chordsPerBar, bars, targets } = options;
  const phraseBars = bars % 4 === 0 ? 4 : 2;
  const phrases = bars / phraseBars;
  const a = options.theme ?? newMotif(random, metre, density);
  const motifs: Record<string, Motif> = { a, 'a′': varyMotif(random, a), b: newMotif(random, metre, density) };
  // The answering phrase has the same shape as the first (a period) or another one.
  const shape = () => ({ schema: random.choose(PHRASE_SCHEMAS[phraseBars]), arch: random.choose(ARCHES) });
  const first = shape();
  const answer = random.chance(0.5) ? first : shape();
  const cadence = cadenceMotif(random, metre);
  const home = nearestChordTone(centreDegree(key) + random.between(-2, 2), chords[0]);
  // A later phrase begins at the same height or a third above.
  const lifts = Array.from({ length: phrases }, (_, phrase) => (phrase > 0 && random.chance(0.25) ? 2 : 0));

  const melody: Melody = { bars: [], notes: [] };
  for (let bar = 0; bar < bars; bar++) {
    const phrase = Math.floor(bar / phraseBars);
    const within = bar % phraseBars;
    const { schema, arch } = phrase % 2 === 0 ? first : answer;
    const letter = schema[within];
    const motif = letter === 'k' ? cadence : motifs[letter];
    const barChords = chords.slice(bar * chordsPerBar, (bar + 1) * chordsPerBar);
    const wanted = home + arch[within] + lifts[phrase];
    const anchor = nearestChordTone(wanted, barChords[0], wanted >= home ? 1 : -1);
    const target = letter === 'k' ? targets[phrase] : undefined;
    const notes = layMotif({ motif, anchor, metre, barChords, offset: bar * metre.bar, target });
    const shift = octaveIntoRange(key, notes);
    melody.bars.push({ motif, anchor: anchor + shift });
    melody.notes.push(...notes.map((note) => ({ ...note, degree: note.degree + shift })));
  }
  return melody;
}

/** Places a motif over the chords of a bar. With a target, the last note becomes that degree in the nearest octave. */
export function layMotif(bar: {
  motif: Motif;
  anchor: number;
  metre: MetreGrid;
  barChords: readonly Chord[];
  /** beginning of the bar, in sixteenths from the section's start */
  offset: number;
  target?: number;
}): MelodyNote[] {
  const { motif, anchor, metre, barChords, offset, target } = bar;
  const notes: MelodyNote[] = [];
  let at = 0;
  for (const duration of motif.rhythm) {
    if (duration > 0) {
      const chord = barChords[Math.floor((at * barChords.length) / metre.bar)];
      const index = notes.length;
      const step = motif.steps[index];
      const wanted = anchor + step;
      const rising = index === 0 || step >= motif.steps[index - 1];
      const strong = at % metre.beat === 0;
      const degree = strong ? nearestChordTone(wanted, chord, rising ? 1 : -1) : wanted;
      notes.push({ start: offset + at, duration, degree, chord });
    }
    at += Math.abs(duration);
  }
  const last = notes[notes.length - 1];
  if (target !== undefined) {
    // The last note is the target if the chord contains it (the tonic on I), otherwise the chord's root.
    const goal = isChordTone(target, last.chord) ? target : last.chord.root;
    last.degree += ((((goal - last.degree) % 7) + 10) % 7) - 3;
  }
  return notes;
}

/** Adds a passing note between notes a third apart, if the first lasts from `beat` to 6 sixteenths. */
export function ornamentMelody(notes: readonly MelodyNote[], beat: number): MelodyNote[] {
  return notes.flatMap((note, i) => {
    const next = notes[i + 1];
    const third = next !== undefined && Math.abs(next.degree - note.degree) === 2;
    const joined = next !== undefined && next.start === note.start + note.duration;
    if (!third || !joined || note.duration < beat || note.duration > 6) return [note];
    const passing = note.duration === 6 ? 2 : note.duration / 2;
    const held = note.duration - passing;
    const degree = (note.degree + next.degree) / 2;
    return [
      { ...note, duration: held },
      { ...note, start: note.start + held, duration: passing, degree },
    ];
  });
}

/** The lowest degree at or above the middle of the range. */
function centreDegree(key: ModalKey): number {
  for (let degree = 0; degree < 14; degree++) if (degreePitch(key, degree) >= CENTRE) return degree;
  return 7;
}

/** The shift in degrees, an octave or 0, that keeps a bar within the range. */
function octaveIntoRange(key: ModalKey, notes: readonly MelodyNote[]): number {
  const pitches = notes.map((note) => degreePitch(key, note.degree, note.chord.alter));
  const [low, high] = [Math.min(...pitches), Math.max(...pitches)];
  if (high > HIGHEST) return -7;
  return low < LOWEST && high + 12 <= HIGHEST ? 7 : 0;
}

/** The length of a rhythm, rests included, in sixteenths. */
function length(rhythm: readonly number[]): number {
  return rhythm.reduce((sum, duration) => sum + Math.abs(duration), 0);
}
