/**
 * The views of a run, which print its events as they come:
 * - on a terminal: one permanent line for each finished stage and, below these, one live line for each running stage;
 * - elsewhere: plain lines, with a status line when nothing else was printed for a while;
 * - for programs (`--json`): each event as one line of JSON.
 *
 * Text of events comes from outside, so control characters in it are shown as escapes.
 */

import type { Listener, RunEvent } from '../execution/index.ts';
import {
  describeDuration,
  describeRoughDuration,
  describeStateCounts,
  describeUpToDate,
  escapeLine,
  listNames,
  outputLine,
  plural,
} from '../messages/index.ts';
import { describeReasons } from './describe-reason.ts';
import { printJson } from './json-output.ts';
import { printLine, showsColours } from './output.ts';
import { describeProgress, type RunningStage, runningLine } from './progress-bar.ts';
import { columnsOf, cutToColumns, rowsOf } from './terminal-width.ts';

/** Prints the events of one run. */
export interface View {
  listen: Listener;
  /** Stops the timers and, on a terminal, shows the cursor again. */
  close(): void;
}

/** Milliseconds between two frames on a terminal. */
const FRAME = 100;
/**
 * Milliseconds without a frame after the terminal was resized. tmux wraps lines again immediately, but reports all
 * sizes after the first one only 250 ms later. A frame of the old width would be wrapped and could not be replaced.
 */
const SETTLING = 300;
/** Milliseconds without output after which the plain view prints how far the running stages are. */
const STATUS_PERIOD = 10_000;
/** At most this many lines of a failed stage's output are printed again: the last ones. */
const MAX_REPLAYED_LINES = 60;
/** Characters of output without a line break that are kept until the break comes. */
const LONGEST_PARTIAL_LINE = 64 << 10;
/** At most this many columns for the names of stages on a terminal. */
const MAX_NAME_WIDTH = 40;

/** Options of the two views for people. */
export interface ViewOptions {
  /** Returns the last lines of the kept output of an attempt, and how many come before them, if that is known. */
  lastLines(path: string, count: number): { lines: string[]; earlier: number | undefined };
  /** Leave out the output of stages. */
  quiet?: boolean;
}

/**
 * Opens the view of a run.
 *
 * @param kind `terminal`: live lines. `lines`: plain lines. `json`: events as JSON, one a line
 */
export function openView(kind: 'terminal' | 'lines' | 'json', options: ViewOptions): View {
  if (kind === 'json') return jsonView();
  return kind === 'terminal' ? new TerminalView(options) : new LinesView(options);
}

function jsonView(): View {
  return { listen: (event) => printJson(event), close: () => {} };
}

/**
 * The shared part of both views for people: it tracks which stages run, wait and have ended, and describes the events.
 */
abstract class PeopleView implements View {
  protected readonly running = new Map<string, RunningStage>();
  protected readonly options: ViewOptions;
  /** The stages that have not started, in the order of the plan. */
  protected waiting = new Set<string>();
  protected total = 0;
  protected ended = 0;
  /** `performance.now()` when the run will end, by the last forecast. */
  #end: number | undefined;
  readonly #failed: string[] = [];
  readonly #skipped: { stage: string; because: string }[] = [];
  readonly #detached: { stage: string; job: string | undefined }[] = [];
  /** Whether the colours of stages are printed. */
  protected readonly colours = showsColours();

  constructor(options: ViewOptions) {
    this.options = options;
  }

  abstract listen(event: RunEvent): void;
  abstract close(): void;
  /** Whether the whole output of a stage was printed just above, so that a failure need not print it again. */
  protected abstract isOutputJustAbove(stage: string): boolean;

  /** Updates the tracked state, and returns the permanent lines for the event, ready to print. */
  protected update(event: RunEvent): string[] {
    switch (event.event) {
      case 'plan':
        this.total = event.stages.length;
        this.waiting = new Set(event.stages.map(({ stage }) => stage));
        return safeLines(describePlanSummary(event));
      case 'start':
        this.waiting.delete(event.stage);
        this.running.set(event.stage, { stage: event.stage, started: performance.now(), expected: event.expected });
        return [];
      case 'queued':
        this.waiting.add(event.stage);
        this.running.delete(event.stage);
        return [];
      case 'progress':
      case 'output': {
        const running = this.running.get(event.stage);
        if (running === undefined) return [];
        if (event.event === 'progress') running.progress = event;
        else running.lastLine = lastLine(event.text) ?? running.lastLine;
        return [];
      }
      case 'remaining':
        this.#end = performance.now() + event.seconds * 1000;
        return [];
      case 'note':
        return safeLines([`! ${event.stage ? `${event.stage}: ` : ''}${event.text}`]);
      case 'end':
        this.ended++;
        this.waiting.delete(event.stage);
        this.running.delete(event.stage);
        return [...safeLines(this.#describeEnd(event)), ...this.#replay(event)];
      case 'done':
        return safeLines([...this.#describeSkipped(), ...this.#describeDetached(), describeRunSummary(event)]);
    }
  }

  /** @example '1 of 8 done, 3 running, about 2 min left' */
  protected describeRun(): string {
    const parts = [`${this.ended} of ${this.total} done`, `${this.running.size} running`];
    if (this.#end !== undefined) {
      const seconds = Math.max(1, (this.#end - performance.now()) / 1000);
      parts.push(`about ${describeRoughDuration(Math.round(seconds))} left`);
    }
    return parts.join(', ');
  }

  #describeEnd(event: Extract<RunEvent, { event: 'end' }>): string[] {
    switch (event.outcome) {
      case 'ran':
        return [`✓ ${event.stage}  ${describeDuration(event.seconds)}`];
      case 'restored':
        return [`✓ ${event.stage}  restored from the run cache`];
      case 'fresh':
        return [];
      case 'skipped':
        if (event.reason === 'detached') this.#detached.push({ stage: event.stage, job: event.job });
        // After an interruption the last line counts them.
        else if (!event.interrupted) this.#skipped.push(event);
        return [];
      case 'failed':
        this.#failed.push(event.stage);
        return [`✗ ${event.stage}: ${event.message}`];
    }
  }

  /** One line, so that the message of the failed stage stays on the screen. */
  #describeSkipped(): string[] {
    if (this.#skipped.length === 0) return [];
    const [first] = this.#skipped;
    if (this.#skipped.length === 1) return [`- ${first.stage}  not run: ${first.because}`];
    const names = listNames(this.#skipped.map(({ stage }) => stage));
    return [`- ${this.#skipped.length} stages not run, because ${listNames(this.#failed)} failed: ${names}`];
  }

  #describeDetached(): string[] {
    const going = this.#detached.flatMap(({ stage, job }) => (job === undefined ? [] : `${stage} (job ${job})`));
    const left = this.#detached.flatMap(({ stage, job }) => (job === undefined ? [stage] : []));
    const verb = going.length === 1 ? 'goes' : 'go';
    return [
      ...(going.length > 0 ? [`- ${listNames(going)} ${verb} on; run repro again for the results`] : []),
      ...(left.length > 0 ? [`- not submitted yet: ${listNames(left)}`] : []),
    ];
  }

  /** The last lines of a failed stage's output, unless they are just above. */
  #replay(event: Extract<RunEvent, { event: 'end' }>): string[] {
    if (event.outcome !== 'failed' || !event.log || this.isOutputJustAbove(event.stage)) return [];
    const { lines, earlier } = this.options.lastLines(event.log, MAX_REPLAYED_LINES);
    const omitted = earlier === undefined ? 'earlier lines' : plural(earlier, 'earlier line');
    return [
      ...(earlier === 0 ? [] : [`  … (${omitted} in ${event.log})`]),
      ...lines.map((line) => `  │ ${outputLine(line, this.colours)}`),
    ];
  }
}

/**
 * Rewrites the live lines in place with ANSI escape codes (ECMA-48): CSI A moves the cursor up, CSI J and CSI K erase,
 * and CSI ?25l and ?25h hide and show the cursor.
 */
class TerminalView extends PeopleView {
  readonly #timer: NodeJS.Timeout;
  /** The live lines on the screen. */
  #live: readonly string[] = [];
  /** Permanent lines that wait for the next frame. */
  #unprinted: string[] = [];
  /** Time, as of `performance.now()`, after which the size of the terminal counts as settled. */
  #settled = 0;
  readonly #onResize = () => {
    this.#settled = performance.now() + SETTLING;
  };

  constructor(options: ViewOptions) {
    super(options);
    this.#timer = setInterval(() => this.#draw([]), FRAME);
    process.stdout.on('resize', this.#onResize);
    process.stdout.write('\u001b[?25l');
  }

  listen(event: RunEvent): void {
    const lines = this.update(event);
    if (lines.length > 0 || event.event === 'start') this.#draw(lines);
  }

  close(): void {
    clearInterval(this.#timer);
    process.stdout.off('resize', this.#onResize);
    this.running.clear();
    this.#draw([], true);
    process.stdout.write('\u001b[?25h');
  }

  protected isOutputJustAbove(): boolean {
    return false;
  }

  #describeQueue(): string {
    const queue = this.waiting.size > 0 ? `: ${listNames([...this.waiting])}` : '';
    return `  ${this.describeRun()}, ${this.waiting.size} waiting${queue}`;
  }

  /** Prints the permanent `lines`, and redraws the live lines below them; `last` leaves no live line. */
  #draw(lines: readonly string[], last = false): void {
    this.#unprinted.push(...lines);
    const now = performance.now();
    if (now < this.#settled && !last) return;
    const columns = process.stdout.columns || 80;
    const rows = Math.max(3, (process.stdout.rows || 24) - 2);
    const running = [...this.running.values()];
    const nameWidth = Math.min(
      MAX_NAME_WIDTH,
      Math.max(0, ...running.map(({ stage }) => columnsOf(escapeLine(stage)))),
    );
    const live = running.slice(0, rows - 1).map((stage) => runningLine(stage, now, nameWidth, columns - 1));
    if (running.length > 0 && !last) live.push(cutToColumns(escapeLine(this.#describeQueue()), columns - 1));
    // A terminal that has become narrower has wrapped the lines that no longer fit.
    const rowsAbove = this.#live.reduce((sum, line) => sum + rowsOf(line, columns), 0);
    const up = rowsAbove > 0 ? `\u001b[${rowsAbove}A` : '';
    const text = [...this.#unprinted.map(colourSign), ...live].map((line) => `\u001b[2K${line}\n`).join('');
    // Old lines below are erased last: in the top row, tmux would first copy the whole screen into its history.
    if (up || text) process.stdout.write(`${up}\r${text}\u001b[0J`);
    this.#live = live;
    this.#unprinted = [];
  }
}

/** Colours the sign at the start of a line, unless the environment variable NO_COLOR is set (no-color.org). */
function colourSign(line: string): string {
  const colour = { '✓': 32, '✗': 31, '!': 33 }[line[0]];
  return colour === undefined || process.env.NO_COLOR ? line : `\u001b[${colour}m${line[0]}\u001b[39m${line.slice(1)}`;
}

/** Prints the output of each stage as it comes, with the stage's name before each line. */
class LinesView extends PeopleView {
  #timer: NodeJS.Timeout | undefined;
  /** Output after the last line break, not printed yet, by stage. */
  readonly #partialLines = new Map<string, string>();
  /** The job that was named last, by stage. */
  readonly #queued = new Map<string, string>();
  /** The stage that started last, if only lines about it have been printed since. */
  #lastStarted: string | undefined;

  listen(event: RunEvent): void {
    if (event.event === 'start') {
      const where = event.job === undefined ? '' : `job ${event.job} on ${event.node ?? 'a node'}: `;
      this.#print(safeLines([`> ${event.stage}  ${where}${describeReasons(event.reasons)}`]));
      this.#lastStarted = event.stage;
    }
    if (event.event === 'queued' && this.#queued.get(event.stage) !== event.job) {
      this.#queued.set(event.stage, event.job);
      this.#print(safeLines([`. ${event.stage}  waits as job ${event.job}`]));
    }
    if (event.event === 'output' && this.#showsOutput()) this.#printOutput(event.stage, event.text);
    if (event.event === 'end') this.#printPartialLine(event.stage);
    this.#print(this.update(event));
    this.#timer ??= setInterval(() => this.#printStatus(), STATUS_PERIOD);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  protected isOutputJustAbove(stage: string): boolean {
    return this.#showsOutput() && this.#lastStarted === stage;
  }

  #showsOutput(): boolean {
    return this.options.quiet !== true;
  }

  #printOutput(stage: string, text: string): void {
    const lines = ((this.#partialLines.get(stage) ?? '') + text).split('\n');
    // Output without line breaks must not fill the memory.
    this.#partialLines.set(stage, lines.at(-1)!.length > LONGEST_PARTIAL_LINE ? '' : lines.pop()!);
    this.#printLinesOf(stage, lines);
  }

  #printPartialLine(stage: string): void {
    const rest = this.#partialLines.get(stage);
    this.#partialLines.delete(stage);
    if (rest) this.#printLinesOf(stage, [rest]);
  }

  #printLinesOf(stage: string, lines: readonly string[]): void {
    const lastStarted = this.#lastStarted;
    this.#print(lines.map((line) => `${escapeLine(stage)} | ${outputLine(line, this.colours)}`));
    if (lastStarted === stage) this.#lastStarted = stage;
  }

  /** @param lines ready to print */
  #print(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#lastStarted = undefined;
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    this.#timer?.refresh();
  }

  #printStatus(): void {
    const now = performance.now();
    if (this.running.size > 0) printLine(`… ${this.describeRun()}`);
    for (const running of this.running.values()) {
      const elapsed = describeDuration((now - running.started) / 1000);
      const progress = running.progress
        ? `${describeProgress(running.progress)}${running.progress.text ? `, ${running.progress.text}` : ''}, `
        : '';
      printLine(`… ${running.stage}: ${progress}running for ${elapsed}`);
    }
  }
}

/** Lines ready to print. A message of several lines is indented, so that none of them looks like a line of repro. */
function safeLines(lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split('\n').map((part, i) => (i === 0 ? '' : '  ') + escapeLine(part)));
}

function describePlanSummary({ stages }: Extract<RunEvent, { event: 'plan' }>): string[] {
  if (stages.every(({ state }) => state === 'fresh')) return [];
  return [`${plural(stages.length, 'stage')}: ${describeStateCounts(stages)}`];
}

function describeRunSummary(done: Extract<RunEvent, { event: 'done' }>): string {
  const { ran, restored, fresh, skipped, failed } = done;
  if (done.interrupted)
    return `interrupted by ${done.interrupted}: ${ran} ran, ${skipped + failed} did not; finished stages are kept`;
  if (ran + restored + skipped + failed === 0) return describeUpToDate(fresh);
  const parts = [
    [ran, 'ran'],
    [restored, 'restored'],
    [fresh, 'fresh'],
    [failed, 'failed'],
    [skipped, 'not run'],
  ]
    .filter(([number]) => Number(number) > 0)
    .map(([number, word]) => `${number} ${word}`);
  return `${parts.join(', ')} in ${describeDuration(done.seconds)}`;
}

function lastLine(text: string): string | undefined {
  return outputLine(text.trimEnd().split('\n').at(-1) ?? '', false).trim() || undefined;
}
