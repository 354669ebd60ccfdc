/**
 * Tune → Performance: repeats and endings played out, ties joined, changes of program, tempo, metre and key put in time.
 */
import { DEFAULT_TEMPO, type Part, type Performance, type PlayedNote } from './performance.ts';
import { metreDuration, type Problem, type Tune, type TuneBar, type TuneNote, type TuneVoice, WHOLE } from './tune.ts';

/** Repeats of repeats do not exist, so this is far beyond any tune. */
const MAX_PLAYED_BARS = 50_000;

/** Plays what can be played, and returns beside it the problems that only playing shows. */
export function performTune(tune: Tune): { performance: Performance; problems: Problem[] } {
  const problems: Problem[] = [];
  const performance: Performance = {
    ticksPerBeat: WHOLE / 4,
    parts: [],
    tempos: [{ tick: 0, microsecondsPerBeat: tune.microsecondsPerBeat ?? DEFAULT_TEMPO }],
    metres: [],
    keys: [],
  };
  const conductor = tune.voices.findIndex((voice) => !voice.drum);
  for (const [index, voice] of tune.voices.entries()) {
    const bars = playOrder(voice.bars, problems);
    performance.parts.push(playVoice(voice, bars, performance, problems));
    if (index === Math.max(0, conductor)) conduct(bars, performance);
  }
  performance.tempos.sort((a, b) => a.tick - b.tick);
  return { performance, problems };
}

/** Bars as they are played: each repeated section as often as its signs and endings say. */
function playOrder(bars: TuneBar[], problems: Problem[]): TuneBar[] {
  const played: TuneBar[] = [];
  let section = 0;
  let pass = 1;
  let ending: number[] | undefined;
  for (let i = 0; i < bars.length; ) {
    const bar = bars[i];
    if (bar.opensRepeat && i !== section) {
      section = i;
      pass = 1;
      ending = undefined;
    }
    if (bar.endings !== undefined) {
      ending = bar.endings;
      if (!ending.includes(pass)) {
        const next = bars.findIndex((other, j) => j > i && (other.endings !== undefined || other.opensRepeat));
        if (next < 0 || bars[next].opensRepeat) {
          // No ending for this pass: go on after this one.
          const end = bars.findIndex((other, j) => j >= i && (other.closesRepeat > 0 || other.doubleBar));
          i = end < 0 ? bars.length : end + 1;
          section = i;
          pass = 1;
          ending = undefined;
        } else i = next;
        continue;
      }
    }
    if (played.length >= MAX_PLAYED_BARS) {
      problems.push({
        line: bar.line,
        column: bar.column,
        kind: 'repeat',
        message: `with its repeats the tune is more than ${MAX_PLAYED_BARS} bars long`,
      });
      break;
    }
    played.push(bar);
    i++;
    if (bar.closesRepeat > 0) {
      const anotherEnding = ending !== undefined && (ending.some((p) => p > pass) || bars[i]?.endings !== undefined);
      const passes = ending === undefined ? bar.closesRepeat + 1 : anotherEnding ? pass + 1 : Math.max(...ending);
      if (pass < passes && pass < 32) {
        i = section;
        pass++;
      } else {
        section = i;
        pass = 1;
      }
      ending = undefined;
    } else if (bar.doubleBar && ending !== undefined) {
      section = i;
      pass = 1;
      ending = undefined;
    }
  }
  return played;
}

/** A note that waits for the note it is tied to. */
interface OpenTie {
  note: PlayedNote;
  written: TuneNote;
  until: number;
}

function playVoice(voice: TuneVoice, bars: TuneBar[], performance: Performance, problems: Problem[]): Part {
  const notes: PlayedNote[] = [];
  const ties = new Map<number, OpenTie[]>();
  let program = voice.program;
  let tick = 0;
  const unterminated = ({ written: { line, column } }: OpenTie): false => {
    problems.push({ line, column, kind: 'tie', message: 'a tie that no note takes up' });
    return false;
  };
  for (const bar of bars) {
    const programs = bar.changes.filter((change) => change.program !== undefined);
    for (const { offset, microsecondsPerBeat } of bar.changes) {
      if (microsecondsPerBeat !== undefined) performance.tempos.push({ tick: tick + offset, microsecondsPerBeat });
    }
    programs.sort((a, b) => a.offset - b.offset);
    const programAt = (offset: number) => programs.findLast((change) => change.offset <= offset)?.program ?? program;
    for (const layer of bar.layers) {
      for (const written of layer.notes) {
        const start = tick + written.start;
        const end = start + written.duration;
        const waiting = ties.get(written.position);
        const match =
          waiting === undefined
            ? -1
            : waiting.findIndex(
                (tie) => tie.until === start && (!written.explicit || tie.note.pitch === written.pitch),
              );
        let note: PlayedNote;
        if (match >= 0) {
          ({ note } = waiting!.splice(match, 1)[0]);
          note.duration = end - note.start;
        } else {
          note = { start, duration: written.duration, pitch: written.pitch, program: programAt(written.start) };
          notes.push(note);
        }
        if (written.tied) {
          const tie = { note, written, until: end };
          const list = ties.get(written.position);
          if (list === undefined) ties.set(written.position, [tie]);
          else list.push(tie);
        }
      }
    }
    tick += bar.duration;
    if (programs.length > 0) program = programs.at(-1)!.program!;
    // Ties that end within the bar can wait no longer.
    for (const [position, list] of ties) {
      const waiting = list.filter((tie) => tie.until >= tick || unterminated(tie));
      if (waiting.length === 0) ties.delete(position);
      else ties.set(position, waiting);
    }
  }
  for (const list of ties.values()) for (const tie of list) unterminated(tie);
  notes.sort((a, b) => a.start - b.start);
  return { drum: voice.drum, notes };
}

/** Metres and keys, from the bars of one voice. A first bar that is too short is an upbeat, and has a metre of its own. */
function conduct(bars: TuneBar[], performance: Performance): void {
  let tick = 0;
  let metre = '';
  let key = '';
  for (const [index, bar] of bars.entries()) {
    let { numerator, denominator } = bar.metre ?? { numerator: 4, denominator: 4 };
    if (index === 0 && bar.metre !== undefined && bar.duration < metreDuration(bar.metre)) {
      const sixteenths = (bar.duration * 16) / WHOLE;
      if (Number.isInteger(sixteenths)) {
        const halvings = sixteenths % 4 === 0 ? 4 : sixteenths % 2 === 0 ? 2 : 1;
        numerator = sixteenths / halvings;
        denominator = 16 / halvings;
      }
    }
    if (metre !== (metre = `${numerator}/${denominator}`)) performance.metres.push({ tick, numerator, denominator });
    const { fifths, minor } = bar.key;
    if (key !== (key = `${fifths} ${minor}`)) performance.keys.push({ tick, fifths, minor });
    tick += bar.duration;
  }
}
