/**
 * Reads the measures of one part. The cursor of a measure moves on with each note and <forward>, and back with <backup>;
 * notes of a chord begin with the note before them.
 *
 * Grace notes, cue notes, dynamics and ornaments are left out, as they are from ABC.
 *
 * @see MusicXML 4.0: measure, note, backup, forward, attributes, direction
 */
import { type BarChange, type Metre, WHOLE } from '../abc/index.ts';
import { type Key, MusicError } from '../model/index.ts';
import { parseKey, parseTime, parseTranspose, soundingKey, type Transposition, type WrittenKey } from './attributes.ts';
import { guessedDrum, type Instruments } from './instruments.ts';
import {
  asksForJump,
  NO_SIGNS,
  parseBarline,
  playedOffset,
  type Signs,
  tempoOfDirection,
  tempoOfSound,
} from './playing.ts';
import { childOf, childrenOf, numberIn, textIn, type XmlElement } from './xml.ts';

const JUMP_WARNING = 'jumps (da capo, dal segno, to coda) are not played';

/** A note of a measure. Times are in ticks from the beginning of the measure. */
export interface MeasureNote {
  start: number;
  duration: number;
  pitch: number;
  program: number;
  drum: boolean;
  staff: number;
  tied: boolean;
  line: number;
}

/** A measure of one part. */
export interface Measure {
  line: number;
  notes: MeasureNote[];
  /** the end of its last note, and that of its last note, rest or <forward>; in ticks */
  notesEnd: number;
  end: number;
  /** undefined in free metre */
  metre: Metre | undefined;
  /** the key that sounds */
  key: Key;
  tempos: BarChange[];
  signs: Signs;
}

const QUARTER = WHOLE / 4;
/** Longer notes, rests and measures are faults of the file. In ticks. */
const MAX_LENGTH = 64 * WHOLE;
const MAX_MEASURE = 1024 * WHOLE;
/** An hour of music has a tenth of these. Without a limit, a short file could ask for millions of empty measures. */
const MAX_MEASURES = 50_000;
const MAX_STAVES = 32;
const SEMITONES: Record<string, number> = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const NOT_TRANSPOSED: Transposition = { semitones: 0, fifths: 0 };

/** Reads a part, one measure after another. */
export class PartReader {
  readonly id: string;
  readonly measures: Measure[] = [];
  /** whether the part has a key, and whether one of its keys says if it is major or minor */
  hasKey = false;
  hasMode = false;
  readonly #instruments: Instruments;
  readonly #warn: (warning: string) => void;
  #divisions: number | undefined;
  #key: WrittenKey = { fifths: 0, minor: false, hasMode: false };
  #metre: Metre | undefined = { numerator: 4, denominator: 4 };
  /** key and metre that were written within a measure: they begin with the next one */
  #next: { key?: WrittenKey; metre?: Metre | 'free' } = {};
  /** by staff; staff 0 stands for all others */
  readonly #transpositions = new Map<number, Transposition>();
  /** by pitch: the staff of the last tied note, which waits for the note that ends its tie */
  readonly #tiedStaves = new Map<number, number>();
  /** the place of the next note in its measure, and that of the last note, where the notes of its chord begin */
  #cursor = 0;
  #onset = 0;
  #measure: Measure = this.#emptyMeasure(1);

  constructor(id: string, instruments: Instruments, warn: (warning: string) => void) {
    this.id = id;
    this.#instruments = instruments;
    this.#warn = warn;
  }

  /**
   * Reads the measure with this index. Those that the part does not have before it are empty.
   *
   * @param element <measure> of a partwise score, <part> of a timewise one
   * @throws MusicError with the line if a value is wrong
   */
  addMeasure(element: XmlElement, index: number): void {
    if (index >= MAX_MEASURES) {
      throw new MusicError(`line ${element.line}: there are more than ${MAX_MEASURES} measures`);
    }
    while (this.measures.length < index) this.measures.push(this.#emptyMeasure(element.line));
    const { key, metre } = this.#next;
    if (key !== undefined) this.#key = key;
    if (metre !== undefined) this.#metre = metre === 'free' ? undefined : metre;
    this.#next = {};
    this.#cursor = this.#onset = 0;
    this.#measure = this.#emptyMeasure(element.line);
    for (const child of element.children) this.#read(child);
    this.#measure.metre = this.#metre;
    this.#measure.key = soundingKey(this.#key, this.#transpositionOf(1));
    this.#measure.end = Math.round(this.#measure.end);
    this.measures.push(this.#measure);
  }

  #emptyMeasure(line: number): Measure {
    const key = soundingKey(this.#key, this.#transpositionOf(1));
    return { line, notes: [], notesEnd: 0, end: 0, metre: this.#metre, key, tempos: [], signs: { ...NO_SIGNS } };
  }

  #read(element: XmlElement): void {
    switch (element.name) {
      case 'note':
        this.#readNote(element);
        break;
      case 'backup':
        this.#moveTo(this.#cursor - this.#durationOf(element));
        break;
      case 'forward':
        this.#moveTo(this.#cursor + this.#durationOf(element));
        this.#reach(this.#cursor);
        break;
      case 'attributes':
        this.#readAttributes(element);
        break;
      case 'direction':
        this.#addTempo(tempoOfDirection(element), element);
        for (const sound of childrenOf(element, 'sound')) this.#readSound(sound);
        if (asksForJump(element)) this.#warn(JUMP_WARNING);
        break;
      case 'sound':
        this.#addTempo(tempoOfSound(element), element);
        this.#readSound(element);
        break;
      case 'barline':
        this.#readBarline(element);
    }
  }

  #moveTo(ticks: number): void {
    this.#cursor = this.#onset = Math.max(0, ticks);
  }

  /** Makes the measure at least so long. */
  #reach(ticks: number): void {
    if (ticks > MAX_MEASURE) {
      throw new MusicError(`line ${this.#measure.line}: this measure is longer than 1024 whole notes`);
    }
    this.#measure.end = Math.max(this.#measure.end, ticks);
  }

  /** The duration of a note, <backup> or <forward>, in ticks. */
  #durationOf(element: XmlElement): number {
    const duration = numberIn(element, 'duration');
    if (duration === undefined) throw new MusicError(`line ${element.line}: <${element.name}> has no <duration>`);
    if (this.#divisions === undefined) {
      this.#warn('a part has no <divisions>; its durations were read as quarter notes');
      this.#divisions = 1;
    }
    const ticks = (duration / this.#divisions) * QUARTER;
    // A <backup> that leads before the measure leads to its beginning.
    if (ticks >= 0 && (ticks <= MAX_LENGTH || element.name === 'backup')) return ticks;
    const what = ticks < 0 ? 'is negative' : 'is more than 64 whole notes';
    throw new MusicError(`line ${element.line}: the duration ${duration} of <${element.name}> ${what}`);
  }

  #readNote(note: XmlElement): void {
    if (childOf(note, 'grace') !== undefined) return;
    const duration = this.#durationOf(note);
    if (childOf(note, 'chord') === undefined) {
      this.#onset = this.#cursor;
      this.#cursor += duration;
    }
    const start = this.#onset;
    this.#reach(start + duration);
    const isSilent = childOf(note, 'rest') !== undefined || childOf(note, 'cue') !== undefined;
    const from = Math.round(start);
    const to = Math.round(start + duration);
    const sound = isSilent || to <= from ? undefined : this.#soundOf(note);
    if (sound === undefined) return;
    const read: MeasureNote = { start: from, duration: to - from, ...sound, tied: false };
    this.#tie(note, read);
    this.#measure.notes.push(read);
    this.#measure.notesEnd = Math.max(this.#measure.notesEnd, to);
  }

  /** Pitch and instrument of a note; undefined, with a warning, if it has none that MIDI has. */
  #soundOf(note: XmlElement): Pick<MeasureNote, 'pitch' | 'program' | 'drum' | 'staff' | 'line'> | undefined {
    const staff = this.#staffOf(note);
    const { program, drum, unpitched } = this.#instruments.of(childOf(note, 'instrument')?.attributes.id);
    const { line } = note;
    const written = childOf(note, 'pitch');
    if (written === undefined) {
      const element = childOf(note, 'unpitched');
      if (element === undefined) {
        throw new MusicError(`line ${line}: <note> has neither <pitch>, <unpitched> nor <rest>`);
      }
      if (unpitched === undefined) this.#warn('sounds of percussion are not named, and were chosen by their place');
      return { pitch: unpitched ?? guessedDrum(element), program, drum: true, staff, line };
    }
    if (drum && unpitched !== undefined) return { pitch: unpitched, program, drum, staff, line };
    const pitch = this.#pitchOf(written) + (drum ? 0 : this.#transpositionOf(staff).semitones);
    if (pitch < 0 || pitch > 127) {
      this.#warn('notes beyond the range of MIDI were left out');
      return undefined;
    }
    return { pitch, program, drum, staff, line };
  }

  #pitchOf(pitch: XmlElement): number {
    const step = textIn(pitch, 'step') ?? '';
    const octave = numberIn(pitch, 'octave');
    if (!Object.hasOwn(SEMITONES, step)) {
      throw new MusicError(`line ${pitch.line}: the <step> of a pitch is "${step}"; it must be one of C to B`);
    }
    if (octave === undefined) throw new MusicError(`line ${pitch.line}: a pitch has no <octave>`);
    const alter = numberIn(pitch, 'alter') ?? 0;
    if (!Number.isInteger(alter)) this.#warn('microtones were rounded to semitones');
    return 12 * (Math.round(octave) + 1) + SEMITONES[step] + Math.round(alter);
  }

  #staffOf(element: XmlElement): number {
    const staff = numberIn(element, 'staff') ?? 1;
    if (Number.isInteger(staff) && staff >= 1 && staff <= MAX_STAVES) return staff;
    throw new MusicError(`line ${element.line}: there is no staff ${staff}; a part has at most ${MAX_STAVES}`);
  }

  /**
   * Begins a tie from a note, as the file says. It ends at the next note of that pitch, also where the file does not
   * say so. A tied note stays in the staff in which it began.
   */
  #tie(element: XmlElement, note: MeasureNote): void {
    let types = childrenOf(element, 'tie').map(({ attributes }) => attributes.type);
    if (types.length === 0) {
      const tied = childrenOf(element, 'notations').flatMap((notations) => childrenOf(notations, 'tied'));
      types = tied.map(({ attributes }) => attributes.type);
    }
    const isContinued = types.includes('continue');
    if (isContinued || types.includes('stop')) note.staff = this.#tiedStaves.get(note.pitch) ?? note.staff;
    note.tied = isContinued || types.includes('start');
    if (note.tied) this.#tiedStaves.set(note.pitch, note.staff);
    else this.#tiedStaves.delete(note.pitch);
  }

  #readAttributes(attributes: XmlElement): void {
    const divisions = numberIn(attributes, 'divisions');
    if (divisions !== undefined) {
      if (divisions <= 0) {
        throw new MusicError(`line ${attributes.line}: <divisions> is ${divisions}; it must be more than 0`);
      }
      this.#divisions = divisions;
    }
    const isBeginning = this.#cursor === 0;
    const keyElement = childOf(attributes, 'key');
    const key = keyElement && parseKey(keyElement);
    if (key !== undefined) {
      this.hasKey = true;
      this.hasMode ||= key.hasMode;
      if (isBeginning) this.#key = key;
      else this.#next.key = key;
    } else if (keyElement !== undefined) this.#warn('keys without a number of sharps or flats were passed over');
    const time = childOf(attributes, 'time');
    const metre = time && parseTime(time);
    if (metre !== undefined) {
      if (isBeginning) this.#metre = metre === 'free' ? undefined : metre;
      else this.#next.metre = metre;
    } else if (time !== undefined) this.#warn('metres that are no sum of notes were passed over');
    for (const transpose of childrenOf(attributes, 'transpose')) {
      const staff = Number(transpose.attributes.number ?? 0);
      if (staff === 0) this.#transpositions.clear();
      this.#transpositions.set(staff, parseTranspose(transpose));
    }
    for (const style of childrenOf(attributes, 'measure-style')) {
      if (childOf(style, 'measure-repeat')?.attributes.type === 'start') {
        this.#warn('signs that repeat the measure before are not played');
      }
    }
  }

  #transpositionOf(staff: number): Transposition {
    return this.#transpositions.get(staff) ?? this.#transpositions.get(0) ?? NOT_TRANSPOSED;
  }

  #addTempo(quartersPerMinute: number | undefined, element: XmlElement): void {
    if (quartersPerMinute === undefined) return;
    const offset = this.#cursor + (playedOffset(element) / (this.#divisions ?? 1)) * QUARTER;
    this.#measure.tempos.push({
      offset: Math.max(0, Math.round(offset)),
      microsecondsPerBeat: Math.max(1, Math.round(60e6 / quartersPerMinute)),
    });
  }

  #readSound(sound: XmlElement): void {
    this.#instruments.add(sound);
    if (sound.attributes['forward-repeat'] === 'yes') this.#measure.signs.opensRepeat = true;
    if (asksForJump(sound)) this.#warn(JUMP_WARNING);
  }

  #readBarline(element: XmlElement): void {
    const { forward, backward, ending } = parseBarline(element);
    const { location } = element.attributes;
    if (location === 'middle' && (forward || backward > 0 || ending !== undefined)) {
      this.#warn('signs of repeats within a measure are not played');
      return;
    }
    const { signs } = this.#measure;
    const isBegin = location === 'left' || (location === undefined && this.#measure.end === 0);
    if (forward) signs.opensRepeat = true;
    if (backward > 0) {
      const closed = isBegin ? this.measures.at(-1)?.signs : signs;
      if (closed !== undefined) closed.closesRepeat = backward;
    }
    if (ending === 'ends') signs.endsEnding = true;
    else if (ending !== undefined) signs.endings = ending.begins;
  }
}
