/**
 * Reads MusicXML: partwise and timewise scores of any version.
 *
 * The measures of all parts become the bars of a Tune (abc/tune.ts), so that repeats, endings, ties and short bars are
 * played as those of ABC are. Each staff of a part is a voice, and its percussion another one.
 *
 * @see https://www.w3.org/2021/06/musicxml40/
 */
import { metreDuration, performTune, type TuneBar, type TuneNote, type TuneVoice, WHOLE } from '../abc/index.ts';
import { DEFAULT_TEMPO, keyFit, MusicError, type NoteSequence, pitchClassDurations } from '../model/index.ts';
import { Instruments } from './instruments.ts';
import { type Measure, type MeasureNote, PartReader } from './part-reader.ts';
import { NO_SIGNS, type Signs } from './playing.ts';
import { readXml, type XmlElement } from './xml.ts';

/**
 * Reads a score.
 *
 * @param xml the text of the document
 * @returns the notes as they sound, and a sentence for each kind of thing that was left out or guessed
 * @throws MusicError with the line if the text is not XML or not a score, or if a value in it is wrong
 */
export function readMusicXml(xml: string): { sequence: NoteSequence; warnings: string[] } {
  const warnings = new Set<string>();
  const parts = readParts(xml, (warning) => warnings.add(warning));
  if (parts.every(({ measures }) => measures.every(({ notes }) => notes.length === 0))) {
    throw new MusicError('there is no note in it');
  }
  const { sequence, problems } = performTune({
    fields: [],
    voices: voicesOf(parts),
    microsecondsPerBeat: DEFAULT_TEMPO,
    partOrder: undefined,
    remarks: [],
    problems: [],
  });
  for (const { line, message } of problems) warnings.add(`line ${line}: ${message}`);
  if (!parts.some(({ hasKey }) => hasKey)) sequence.keys = [];
  else if (!parts.some(({ hasMode }) => hasMode)) chooseModes(sequence);
  return { sequence, warnings: [...warnings] };
}

/** Reads all measures of all parts. */
function readParts(xml: string, warn: (warning: string) => void): PartReader[] {
  const parts = new Map<string, PartReader>();
  const instruments = new Map<string, Instruments>();
  const instrumentsOf = (id: string) => instruments.get(id) ?? instruments.set(id, new Instruments()).get(id)!;
  const partOf = (id: string) => parts.get(id) ?? parts.set(id, new PartReader(id, instrumentsOf(id), warn)).get(id)!;
  /** of a timewise score: the current measure, and its number from 0 */
  let measure: XmlElement | undefined;
  let index = -1;
  readXml(xml, {
    onRoot: requireScore,
    onElement(element, [root, around]) {
      const { id = '' } = element.attributes;
      if (element.name === 'score-part') instrumentsOf(id).add(element);
      else if (root.name === 'score-partwise' && element.name === 'measure') {
        const part = partOf(around.attributes.id ?? '');
        part.addMeasure(element, part.measures.length);
      } else if (root.name === 'score-timewise' && element.name === 'part') {
        if (around !== measure) index++;
        measure = around;
        partOf(id).addMeasure(element, index);
      }
    },
  });
  return [...parts.values()];
}

function requireScore({ name, line }: XmlElement): void {
  if (name === 'score-partwise' || name === 'score-timewise') return;
  const hint = name === 'opus' ? 'an opus only lists the files of scores' : 'it must be <score-partwise>';
  throw new MusicError(`line ${line}: the root element is <${name}>, not that of a MusicXML score: ${hint}`);
}

/** The staves of all parts as voices with equal bars. */
function voicesOf(parts: readonly PartReader[]): TuneVoice[] {
  const count = Math.max(...parts.map(({ measures }) => measures.length));
  const columns = Array.from({ length: count }, (_, i) => columnOf(parts.flatMap(({ measures }) => measures[i] ?? [])));
  return parts.flatMap((part) => {
    const staves = new Map<string, { drum: boolean; staff: number }>();
    for (const { notes } of part.measures) for (const note of notes) staves.set(staffOf(note), note);
    return [...staves.values()]
      .sort((a, b) => Number(a.drum) - Number(b.drum) || a.staff - b.staff)
      .map((staff, s) => voiceOf(part, staffOf(staff), columns, s === 0));
  });
}

function staffOf({ drum, staff }: { drum: boolean; staff: number }): string {
  return `${drum ? 'drums' : 'notes'} ${staff}`;
}

/** The common properties of the measures with one number, in all parts. */
interface Column {
  duration: number;
  signs: Signs;
}

/** Duration and signs of the measures of all parts with one number. */
function columnOf(measures: readonly Measure[]): Column {
  const signs = { ...NO_SIGNS };
  for (const measure of measures) {
    signs.opensRepeat ||= measure.signs.opensRepeat;
    signs.closesRepeat = Math.max(signs.closesRepeat, measure.signs.closesRepeat);
    signs.endings ??= measure.signs.endings;
    signs.endsEnding ||= measure.signs.endsEnding;
  }
  return { duration: durationOf(measures), signs };
}

/**
 * A measure is as long as its longest part with notes. Rests may make it shorter than its metre, but not longer:
 * programs write rests of whole bars into pickups, and rests of several voices one after another. A measure without
 * notes is as long as its metre.
 */
function durationOf(measures: readonly Measure[]): number {
  let duration = 0;
  for (const { notesEnd, end, metre } of measures) {
    if (notesEnd === 0) continue;
    const full = metre === undefined ? end : metreDuration(metre);
    duration = Math.max(duration, notesEnd, Math.min(end, full));
  }
  if (duration > 0) return duration;
  const metre = measures[0]?.metre;
  const rests = Math.max(0, ...measures.map(({ end }) => end));
  if (metre === undefined) return rests || WHOLE;
  return Math.min(rests || metreDuration(metre), metreDuration(metre));
}

/**
 * The voice of a staff.
 *
 * @param columns duration and signs of the bars
 * @param isFirst whether it is the first of its part, which has the tempos
 */
function voiceOf(part: PartReader, staff: string, columns: readonly Column[], isFirst: boolean): TuneVoice {
  const voice: TuneVoice = { id: part.id, drum: staff.startsWith('drums'), program: 0, bars: [] };
  let program: number | undefined;
  let last = part.measures[0];
  for (const [i, { duration, signs }] of columns.entries()) {
    const measure: Measure | undefined = part.measures[i];
    if (measure !== undefined) last = measure;
    const changes = isFirst ? [...(measure?.tempos ?? [])] : [];
    const notes = (measure?.notes ?? []).filter((note) => staffOf(note) === staff).sort((a, b) => a.start - b.start);
    for (const note of notes) {
      if (program === undefined) voice.program = note.program;
      else if (note.program !== program) changes.push({ offset: note.start, program: note.program });
      program = note.program;
    }
    const { line, metre, key } = last;
    const bar: TuneBar = {
      line,
      column: 1,
      endLine: line,
      endColumn: 1,
      duration,
      layers: [{ notes: notes.map(tuneNote), duration }],
      metre,
      key,
      changes,
      opensRepeat: signs.opensRepeat,
      closesRepeat: signs.closesRepeat,
      doubleBar: signs.endsEnding,
      endings: signs.endings,
      part: undefined,
    };
    voice.bars.push(bar);
  }
  return voice;
}

/** A tie joins notes of one pitch, so their places on the staff do not matter. */
function tuneNote({ start, duration, pitch, tied, line }: MeasureNote): TuneNote {
  return { start, duration, pitch, position: 0, explicit: true, tied, line, column: 1, endColumn: 1 };
}

/** Makes keys minor whose notes fit the minor key better: many programs do not write the mode. */
function chooseModes({ parts, keys }: NoteSequence): void {
  for (const [i, key] of keys.entries()) {
    const to = keys[i + 1]?.tick ?? Number.POSITIVE_INFINITY;
    const isHere = ({ start }: { start: number }) => start >= key.tick && start < to;
    const durations = pitchClassDurations(parts.map(({ drum, notes }) => ({ drum, notes: notes.filter(isHere) })));
    key.minor = keyFit(durations, { ...key, minor: true }) > keyFit(durations, { ...key, minor: false });
  }
}
