/**
 * Plays a tune: turns it into a NoteSequence. play-order.ts writes out repeats, endings and parts. Here ties are
 * joined, and changes of program, tempo, metre and key get their times.
 */
import { DEFAULT_TEMPO, type NoteSequence, type Part, type PlayedNote } from '../../model/index.ts';
import {
  type BarChange,
  metreDuration,
  type Problem,
  type Tune,
  type TuneBar,
  type TuneNote,
  type TuneVoice,
  WHOLE,
} from '../tune.ts';
import { playOrders } from './play-order.ts';

/**
 * Plays a tune as far as possible.
 *
 * @returns the notes, and the problems that are found only when playing: ties without a second note, and repeats that
 * make the tune too long
 */
export function performTune(tune: Tune): { sequence: NoteSequence; problems: Problem[] } {
  const problems: Problem[] = [];
  const sequence: NoteSequence = {
    ticksPerBeat: WHOLE / 4,
    parts: [],
    tempos: [{ tick: 0, microsecondsPerBeat: tune.microsecondsPerBeat ?? DEFAULT_TEMPO }],
    metres: [],
    keys: [],
  };
  const conductor = tune.voices.findIndex((voice) => !voice.drum);
  const orders = playOrders(tune, problems);
  for (const [index, voice] of tune.voices.entries()) {
    const bars = orders[index];
    sequence.parts.push(playVoice(voice, bars, sequence, problems));
    if (index === Math.max(0, conductor)) addMetresAndKeys(bars, sequence);
  }
  sequence.tempos.sort((a, b) => a.tick - b.tick);
  return { sequence, problems };
}

/** A tied note that still waits for the note that continues it. */
interface OpenTie {
  note: PlayedNote;
  written: TuneNote;
  until: number;
}

function playVoice(voice: TuneVoice, bars: TuneBar[], sequence: NoteSequence, problems: Problem[]): Part {
  const notes: PlayedNote[] = [];
  let ties: OpenTie[] = [];
  let program = voice.program;
  let tick = 0;
  const unterminated = ({ written: { line, column } }: OpenTie): false => {
    problems.push({ line, column, kind: 'tie', message: 'no note continues this tie' });
    return false;
  };
  for (const bar of bars) {
    const programs = programChanges(bar);
    for (const { offset, microsecondsPerBeat } of bar.changes) {
      if (microsecondsPerBeat !== undefined) sequence.tempos.push({ tick: tick + offset, microsecondsPerBeat });
    }
    for (const layer of bar.layers) {
      for (const written of layer.notes) {
        const start = tick + written.start;
        const end = start + written.duration;
        const tie = ties.length === 0 ? undefined : takeTie(ties, written, start, bar);
        let note: PlayedNote;
        if (tie !== undefined) {
          ({ note } = tie);
          note.duration = end - note.start;
        } else {
          note = {
            start,
            duration: written.duration,
            pitch: written.pitch,
            program: programAt(programs, written.start) ?? program,
          };
          notes.push(note);
        }
        if (written.tied) ties.push({ note, written, until: end });
      }
    }
    tick += bar.duration;
    if (programs.length > 0) program = programs.at(-1)!.program!;
    // A tie whose first note ended before the bar line can no longer be continued.
    if (ties.length > 0) ties = ties.filter((tie) => tie.until >= tick || unterminated(tie));
  }
  ties.forEach(unterminated);
  notes.sort((a, b) => a.start - b.start);
  return { drum: voice.drum, notes };
}

const NO_CHANGES: BarChange[] = [];

/** The program changes of a bar, in order of time. */
function programChanges({ changes }: TuneBar): BarChange[] {
  if (changes.length === 0) return NO_CHANGES;
  return changes.filter((change) => change.program !== undefined).sort((a, b) => a.offset - b.offset);
}

/** The program that a bar's changes have set at an offset; undefined before the first change. */
function programAt(changes: BarChange[], offset: number): number | undefined {
  for (let i = changes.length - 1; i >= 0; i--) if (changes[i].offset <= offset) return changes[i].program;
  return undefined;
}

/**
 * Removes and returns the open tie that a note continues.
 *
 * It is the tie of the same pitch. If there is none and the note has no accidental, it is the tie of the same letter
 * and octave: a tie carries its accidental over the bar line. This does not apply if another note at this onset has the
 * tied pitch.
 */
function takeTie(ties: OpenTie[], written: TuneNote, start: number, bar: TuneBar): OpenTie | undefined {
  let index = ties.findIndex((tie) => tie.until === start && tie.note.pitch === written.pitch);
  if (index < 0 && !written.explicit) {
    index = ties.findIndex(
      (tie) =>
        tie.until === start &&
        tie.written.position === written.position &&
        !bar.layers.some(({ notes }) => notes.some((n) => n.start === written.start && n.pitch === tie.note.pitch)),
    );
  }
  return index < 0 ? undefined : ties.splice(index, 1)[0];
}

/**
 * Adds the metres and keys of one voice's bars, so that the bars of the sequence are those of the text.
 *
 * A bar that is shorter or longer than its metre gets a metre of its own length. Two short bars that complete each
 * other, such as the last bar and the upbeat of a repeated section, are one bar.
 */
function addMetresAndKeys(bars: TuneBar[], sequence: NoteSequence): void {
  let tick = 0;
  const { metres, keys } = sequence;
  for (let i = 0; i < bars.length; i++) {
    const bar = bars[i];
    const next = bars[i + 1];
    const { fifths, minor } = bar.key;
    const key = keys.at(-1);
    if (key?.fifths !== fifths || key.minor !== minor) keys.push({ tick, fifths, minor });
    const full = bar.metre === undefined ? undefined : metreDuration(bar.metre);
    const isCompleted =
      full !== undefined && i > 0 && bar.duration < full && next !== undefined && bar.duration + next.duration === full;
    const duration = isCompleted ? full : bar.duration;
    const { numerator, denominator } =
      full === duration ? bar.metre! : (metreOf(duration) ?? bar.metre ?? { numerator: 4, denominator: 4 });
    const metre = metres.at(-1);
    if (metre?.numerator !== numerator || metre.denominator !== denominator) {
      metres.push({ tick, numerator, denominator });
    }
    tick += duration;
    if (isCompleted) i++;
  }
}

/** Long bars of free metre are not one bar. */
const MAX_BAR = 16 * WHOLE;

/** The metre of a duration, with quarter notes or the longest shorter notes that fit. Undefined if none fits. */
function metreOf(duration: number): { numerator: number; denominator: number } | undefined {
  const sixtyFourths = (duration * 64) / WHOLE;
  if (!Number.isInteger(sixtyFourths) || duration > MAX_BAR) return undefined;
  let denominator = 64;
  let numerator = sixtyFourths;
  while (numerator % 2 === 0 && denominator > 4) {
    numerator /= 2;
    denominator /= 2;
  }
  return { numerator, denominator };
}
