/**
 * Composes music from a seeded grammar: the study's synthetic data set.
 *
 *     const midi = composePiece(1);            // a Standard MIDI File, the same bytes on every machine
 *     const piece = compose('waltz-7', { style: 'waltz' });
 *
 * A piece has a style (styles.ts), a key, and a form of sections that return. The style determines the possible metres,
 * modes, forms, instruments and patterns. Each section has chords from a grammar (harmony.ts), a melody of motifs over
 * them (melody.ts), and accompanying voices (accompaniment.ts). So a piece has structure at every distance for a model
 * to learn: notes of one chord, bars that answer bars, sections that return. Every onset and duration is a whole number
 * of sixteenths.
 *
 * Artistic quality is not a goal. There are no dynamics, no rubato and no swing.
 */
import {
  bassVoice,
  chordVoice,
  drumVoice,
  imitationVoice,
  innerVoice,
  melodyVoice,
  type PlacedNote,
  type SectionGround,
  thirdsVoice,
  voiceChord,
} from './accompaniment.ts';
import type { Composition } from './composition.ts';
import {
  bluesChorus,
  type Cadence,
  type Chord,
  degreePitch,
  diatonicChord,
  functionalPhrase,
  keyOfSignature,
  loopPhrase,
  type ModalKey,
} from './harmony.ts';
import { composeMelody, type Melody, type Motif, ornamentMelody, varyMotif } from './melody.ts';
import { SeededRandom } from './random.ts';
import { type Beat, type Form, type Layer, METRES, type MetreGrid, type MetreName, type Style } from './style.ts';
import { STYLES } from './styles.ts';
import { compositionToMidi } from './write-midi.ts';

/** Options of composePiece. */
export interface ComposeOptions {
  /** one of `styleNames`; by default the seed chooses */
  style?: string;
}

/** The names of all styles. */
export const styleNames: readonly string[] = STYLES.map((style) => style.name);

/** Major keys by pitch class with their weights: signatures of up to four sharps or flats. */
const SIGNATURES: readonly (readonly [number, number])[] = [
  [0, 5],
  [7, 5],
  [2, 4],
  [5, 4],
  [9, 2],
  [10, 3],
  [3, 2],
  [4, 1],
  [8, 1],
];

/** Semitones by which an apostrophe in a form raises a section. */
const LIFT = 2;

/**
 * Composes a piece as a Standard MIDI File. Its bytes depend only on the seed and the options.
 *
 * @throws RangeError if there is no style of this name
 */
export function composePiece(seed: number | string, options: ComposeOptions = {}): Uint8Array {
  return compositionToMidi(compose(seed, options));
}

/**
 * Composes a piece as voices of notes.
 *
 *     1. choose style, metre, key, tempo, form, voices and their patterns
 *     2. compose each section that the form names, once
 *     3. lay the sections out in the form's order, varied where they return
 *     4. end on the tonic
 *
 * @throws RangeError if there is no style of this name
 */
export function compose(seed: number | string, options: ComposeOptions = {}): Composition {
  const random = new SeededRandom(seed);
  const plan = planPiece(random.fork('plan'), options);
  const sections = composeSections(random.fork('sections'), plan);
  const piece = layOut(random.fork('variations'), plan, sections);
  endPiece(piece, plan, sections);
  for (const voice of piece.voices) voice.notes.sort((x, y) => x.start - y.start || x.pitch - y.pitch);
  return { ...piece, voices: piece.voices.filter((voice) => voice.notes.length > 0) };
}

/** A voice of the piece: instrument and patterns. */
interface PlannedLayer extends Pick<Layer, 'role'> {
  program: number;
  /** the pattern of section A, and the pattern of all other sections */
  patterns: readonly [string, string];
  beat?: Beat;
  /** for an inner voice, the middle of its range (MIDI pitch) */
  centre: number;
}

interface PiecePlan {
  style: Style;
  metre: MetreGrid;
  key: ModalKey;
  tempo: number;
  form: Form;
  layers: PlannedLayer[];
}

interface Section {
  bars: number;
  chords: Chord[];
  melody: Melody;
}

function planPiece(random: SeededRandom, options: ComposeOptions): PiecePlan {
  const style = options.style
    ? STYLES.find(({ name }) => name === options.style)
    : random.weighted(STYLES.map((candidate) => [candidate, candidate.weight] as const));
  if (!style) throw new RangeError(`there is no style "${options.style}"; there are ${styleNames.join(', ')}`);
  const metreName = random.choose(Object.keys(style.patterns) as MetreName[]);
  const patterns = style.patterns[metreName]!;
  const key = keyOfSignature(random.weighted(SIGNATURES), random.weighted(style.modes));
  let inner = 0;
  const ensembles = new Map<string, number>();
  const layers: PlannedLayer[] = [];
  for (const layer of style.layers) {
    // Every choice is drawn even if the voice is absent, so that its absence does not change other choices.
    const present = random.chance(layer.presence);
    // Voices with the same list of instruments play the same instrument.
    const ensemble = layer.programs.join();
    const drawn = random.choose(layer.programs);
    const program = ensembles.get(ensemble) ?? drawn;
    ensembles.set(ensemble, program);
    const choices = layer.role === 'bass' ? patterns.bass : layer.role === 'chords' ? patterns.chords : [];
    const first = choices.length > 0 ? random.choose(choices) : '';
    const second = choices.length > 0 && random.chance(0.5) ? random.choose(choices) : first;
    const beat = layer.role === 'drums' && patterns.drums.length > 0 ? random.choose(patterns.drums) : undefined;
    const centre = layer.role === 'inner' ? 65 - 8 * inner++ : 0;
    const silent = layer.role === 'drums' && !beat;
    if (present && !silent) layers.push({ role: layer.role, program, patterns: [first, second], beat, centre });
  }
  // A piece needs at least two voices, so a melody alone gets chords or a bass.
  if (layers.length < 2) {
    const role = patterns.chords.length > 0 ? 'chords' : 'bass';
    const program = style.layers.find((layer) => layer.role === role)!.programs[0];
    const pattern = (role === 'chords' ? patterns.chords : patterns.bass)[0];
    layers.push({ role, program, patterns: [pattern, pattern], centre: 0 });
  }
  return {
    style,
    metre: METRES[metreName],
    key,
    tempo: random.between(style.tempo[0], style.tempo[1], 2),
    form: random.choose(style.forms),
    layers,
  };
}

/**
 * Composes a section for each letter. Half of the later sections vary the theme of the first, so that they are related.
 */
function composeSections(random: SeededRandom, plan: PiecePlan): Record<string, Section> {
  const sections: Record<string, Section> = {};
  let theme: Motif | undefined;
  const { style, metre, key, form } = plan;
  const density = random.choose(style.density);
  lettersOf(form).forEach((letter, index) => {
    const chords = composeChords(random, style, key, form.bars, index);
    const melody = composeMelody(random, {
      key,
      metre,
      density: index === 0 ? density : random.choose(style.density),
      chords,
      chordsPerBar: style.chordsPerBar,
      bars: form.bars,
      // Phrases alternately end open, on degree 1 (the second note of the scale), and closed, on the tonic.
      targets: Array.from({ length: Math.ceil(form.bars / 2) }, (_, phrase) => (phrase % 2 === 0 ? 1 : 0)),
      theme: theme && random.chance(0.5) ? varyMotif(random, theme) : undefined,
    });
    theme ??= melody.bars[0].motif;
    sections[letter] = { bars: form.bars, chords, melody };
  });
  return sections;
}

/** The letters of a form in order, without `i`: introductions are made from the first section. */
function lettersOf(form: Form): string[] {
  return [...new Set(form.sections.map((name) => name[0]))].filter((letter) => letter !== 'i');
}

/**
 * Composes a section's chords in phrases of four bars. The first phrase ends open. Later ones begin like it and end
 * closed.
 */
function composeChords(random: SeededRandom, style: Style, key: ModalKey, bars: number, index: number): Chord[] {
  if (style.harmony === 'blues') return bluesChorus(random);
  const slots = 4 * style.chordsPerBar;
  const size = style.chordSize;
  if (style.harmony === 'loop') return loopPhrase(random, key.mode, bars * style.chordsPerBar, size);
  const phrases = bars / 4;
  const opening =
    phrases > 1
      ? random.weighted<Cadence>([
          ['half', 4],
          ['deceptive', 1],
        ])
      : 'authentic';
  const first = functionalPhrase(random, key.mode, slots, opening, size);
  const chords = [...first];
  for (let phrase = 1; phrase < phrases; phrase++) {
    const cadence = random.weighted<Cadence>([
      ['authentic', 4 - (index % 2)],
      ['plagal', 1],
    ]);
    const answer = functionalPhrase(random, key.mode, slots, cadence, size);
    chords.push(...first.slice(0, slots / 2), ...answer.slice(slots / 2));
  }
  return chords;
}

/** The beginning of a section without its melody: at most four bars. */
function introduction(section: Section, plan: PiecePlan): Section {
  const bars = Math.min(4, section.bars / 2);
  const chords = section.chords.slice(0, bars * plan.style.chordsPerBar);
  return { bars, chords, melody: { bars: section.melody.bars.slice(0, bars), notes: [] } };
}

/** Lays out all voices through all sections of the form. A returning melody may be ornamented. */
function layOut(random: SeededRandom, plan: PiecePlan, sections: Readonly<Record<string, Section>>): Composition {
  const { style, metre, form, layers } = plan;
  const piece: Composition = {
    style: style.name,
    metre,
    tempo: plan.tempo,
    form: form.name,
    bars: 0,
    keys: [{ bar: 0, key: plan.key }],
    sections: [],
    voices: layers.map(({ role, program }) => ({ role, program, drums: role === 'drums', notes: [] })),
  };
  const played = new Set<string>();
  for (const name of form.sections) {
    const letter = name[0];
    const key = name.endsWith("'") ? { ...plan.key, tonic: (plan.key.tonic + LIFT) % 12 } : plan.key;
    if (key.tonic !== piece.keys[piece.keys.length - 1].key.tonic) piece.keys.push({ bar: piece.bars, key });
    const section = letter === 'i' ? introduction(sections[lettersOf(form)[0]], plan) : sections[letter];
    const ornamented = played.has(letter) && random.chance(0.3);
    played.add(letter);
    const notes = ornamented ? ornamentMelody(section.melody.notes, metre.beat) : section.melody.notes;
    const ground: SectionGround = { ...section, key, metre, chordsPerBar: style.chordsPerBar };
    const voices = sectionVoices(layers, ground, { ...section.melody, notes }, letter !== 'A', piece.bars > 0);
    const offset = piece.bars * metre.bar;
    voices.forEach((placed, v) => {
      for (const note of placed) piece.voices[v].notes.push({ ...note, start: note.start + offset });
    });
    piece.sections.push({ letter, bar: piece.bars, bars: section.bars });
    piece.bars += section.bars;
  }
  return piece;
}

/**
 * Returns the notes of each layer in one section.
 *
 * @param second whether the section is not A; such a section uses the second patterns and all voices
 * @param crash whether a cymbal marks the section's beginning
 */
function sectionVoices(
  layers: readonly PlannedLayer[],
  ground: SectionGround,
  melody: Melody,
  second: boolean,
  crash: boolean,
): PlacedNote[][] {
  const lead = melodyVoice(ground.key, melody.notes);
  /** the voice above the next inner voice */
  let above = lead;
  return layers.map(({ role, patterns, centre, beat }) => {
    const pattern = patterns[second ? 1 : 0];
    switch (role) {
      case 'melody':
        return lead;
      case 'thirds':
        return second ? thirdsVoice(ground.key, melody.notes) : [];
      case 'imitation':
        return imitationVoice(ground, melody);
      case 'chords':
        return chordVoice(ground, pattern);
      case 'pad':
        return second ? chordVoice(ground, 'x') : [];
      case 'inner':
        above = innerVoice(ground, above, centre);
        return above;
      case 'bass':
        return bassVoice(ground, pattern);
      default:
        return drumVoice(ground, beat!, crash);
    }
  });
}

/**
 * Ends the piece with a held tonic chord: in its last bar if the harmony closes on the tonic, otherwise in an added
 * bar.
 */
function endPiece(piece: Composition, plan: PiecePlan, sections: Readonly<Record<string, Section>>): void {
  const { metre, style, form } = plan;
  const first = sections[lettersOf(form)[0]];
  const { key } = piece.keys[piece.keys.length - 1];
  const blues = style.harmony === 'blues';
  const tonic: Chord = blues ? first.chords[0] : diatonicChord(key.mode, 0, style.chordSize);
  const closes = style.harmony === 'functional';
  const bar = closes ? piece.bars - 1 : piece.bars;
  if (!closes) {
    piece.sections.push({ letter: 'end', bar, bars: 1 });
    piece.bars += 1;
  }
  const start = bar * metre.bar;
  const duration = metre.bar > 16 ? 12 : metre.bar;
  const ground: SectionGround = { key, metre, bars: 1, chords: [tonic], chordsPerBar: 1 };
  piece.voices.forEach((voice, v) => {
    const wasPlaying = voice.notes.some((note) => note.start >= start - metre.bar);
    voice.notes = voice.notes.filter((note) => note.start < start);
    if (!wasPlaying) return;
    const last = voice.notes[voice.notes.length - 1];
    const hold = (pitches: readonly number[]) =>
      voice.notes.push(...pitches.map((pitch) => ({ start, duration, pitch })));
    if (voice.role === 'chords' || voice.role === 'pad') {
      hold(voiceChord(key, tonic, undefined));
    } else if (voice.role === 'bass') {
      hold([bassVoice(ground, 'R')[0].pitch]);
    } else if (voice.role === 'drums') {
      hold([36, 49]);
    } else {
      const degrees = voice.role === 'melody' ? [0] : voice.role === 'inner' ? [v === 1 ? 2 : 4] : [2, 0];
      hold([
        nearestPitch(
          degrees.map((degree) => degreePitch(key, degree)),
          last?.pitch ?? 60,
        ),
      ]);
    }
  });
}

/** The pitch nearest to `near` among these pitches in all octaves. */
function nearestPitch(pitches: readonly number[], near: number): number {
  let best = pitches[0];
  for (const pitch of pitches) {
    for (let octave = -4; octave <= 4; octave++) {
      if (Math.abs(pitch + 12 * octave - near) < Math.abs(best - near)) best = pitch + 12 * octave;
    }
  }
  return best;
}
