/**
 * What a person sees of a run: on a terminal a live line for each running stage over one finished line a stage; elsewhere
 * plain lines, with a sign of life when nothing else was said for a while. A program gets the events as JSON lines.
 */

import type { Listener, RunEvent } from '../execution/index.ts';
import { describeDuration, describeStateCounts, describeUpToDate, listNames, plural } from '../messages/index.ts';
import { describeReason } from './describe-reason.ts';
import { cutTo, describeCount, describeRunning, type Running } from './progress-bar.ts';

export interface View {
  listen: Listener;
  close(): void;
}

/** Milliseconds between frames on a terminal, and between signs of life elsewhere. */
const FRAME = 100;
const SIGN_OF_LIFE = 10_000;
/** Lines of a failed stage's output that are shown. */
const REPLAYED = 60;

export interface ViewOptions {
  readLog(path: string): string;
  quiet?: boolean;
}

export function openView(kind: 'terminal' | 'lines' | 'json', options: ViewOptions): View {
  if (kind === 'json') return jsonView();
  return kind === 'terminal' ? new TerminalView(options) : new LinesView(options);
}

function jsonView(): View {
  return { listen: (event) => process.stdout.write(`${JSON.stringify(event)}\n`), close: () => {} };
}

/** What both views for people share: who runs, what waits, and the words for what ended. */
abstract class PeopleView implements View {
  protected readonly running = new Map<string, Running>();
  protected readonly options: ViewOptions;
  /** In the order of the plan. */
  protected waiting = new Set<string>();
  protected total = 0;
  protected ended = 0;

  constructor(options: ViewOptions) {
    this.options = options;
  }

  abstract listen(event: RunEvent): void;
  abstract close(): void;
  /** Whether all that a stage has said stands right above, so that it need not be said again when it fails. */
  protected abstract standsAbove(stage: string): boolean;

  /** Keeps the books, and returns the lines that the event is worth. */
  protected take(event: RunEvent): string[] {
    switch (event.event) {
      case 'plan':
        this.total = event.stages.length;
        this.waiting = new Set(event.stages.map(({ stage }) => stage));
        return describePlan(event);
      case 'start':
        this.waiting.delete(event.stage);
        this.running.set(event.stage, { stage: event.stage, started: performance.now(), expected: event.expected });
        return [];
      case 'progress':
      case 'output': {
        const running = this.running.get(event.stage);
        if (running === undefined) return [];
        if (event.event === 'progress') running.progress = event;
        else running.lastLine = lastLine(event.text) ?? running.lastLine;
        return [];
      }
      case 'note':
        return [`! ${event.stage ? `${event.stage}: ` : ''}${event.text}`];
      case 'end':
        this.ended++;
        this.waiting.delete(event.stage);
        this.running.delete(event.stage);
        return this.#describeEnd(event);
      case 'done':
        return describeDone(event);
    }
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
        // How many an interruption kept from running is said at the end; that they were is no news of each.
        return event.interrupted ? [] : [`- ${event.stage}  not run: ${event.because}`];
      case 'failed': {
        const said =
          event.log && !this.standsAbove(event.stage) ? this.options.readLog(event.log).trimEnd().split('\n') : [];
        const left =
          said.length > REPLAYED ? [`  … (${plural(said.length - REPLAYED, 'line')} before: ${event.log})`] : [];
        return [
          `✗ ${event.stage}: ${event.message}`,
          ...left,
          ...said.slice(-REPLAYED).map((line) => `  │ ${line}`),
        ].filter((line) => line !== '  │ ' || said.length > 1);
      }
    }
  }
}

class TerminalView extends PeopleView {
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;

  constructor(options: ViewOptions) {
    super(options);
    this.#timer = setInterval(() => this.#draw([]), FRAME);
    process.stdout.write('\u001b[?25l');
  }

  listen(event: RunEvent): void {
    const lines = this.take(event);
    if (lines.length > 0 || event.event === 'start') this.#draw(lines);
  }

  close(): void {
    clearInterval(this.#timer);
    this.running.clear();
    this.#draw([], true);
    process.stdout.write('\u001b[?25h');
  }

  protected standsAbove(): boolean {
    return false;
  }

  #describeQueue(running: number): string {
    const queue = this.waiting.size > 0 ? `: ${listNames([...this.waiting])}` : '';
    return `  ${this.ended} of ${this.total} done, ${running} running, ${this.waiting.size} waiting${queue}`;
  }

  /** Writes `lines` for good, and under them the live region anew. */
  #draw(lines: readonly string[], last = false): void {
    const columns = process.stdout.columns || 80;
    const rows = Math.max(3, (process.stdout.rows || 24) - 2);
    const now = performance.now();
    const running = [...this.running.values()];
    const width = Math.min(40, Math.max(0, ...running.map(({ stage }) => stage.length)));
    const live = running.slice(0, rows - 1).map((each) => describeRunning(each, now, width, columns - 1));
    if (running.length > 0 && !last) live.push(cutTo(columns - 1, this.#describeQueue(running.length)));
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A` : '';
    const text = [...lines.map(coloured), ...live].map((line) => `\u001b[2K${line}\n`).join('');
    if (up || text) process.stdout.write(`${up}\r\u001b[0J${text}`);
    this.#drawn = live.length;
  }
}

/** The sign at the start of a line in its colour, unless NO_COLOR says otherwise (no-color.org). */
function coloured(line: string): string {
  const colour = { '✓': 32, '✗': 31, '!': 33 }[line[0]];
  return colour === undefined || process.env.NO_COLOR ? line : `\u001b[${colour}m${line[0]}\u001b[39m${line.slice(1)}`;
}

class LinesView extends PeopleView {
  #timer: NodeJS.Timeout | undefined;
  readonly #partial = new Map<string, string>();
  /** The stage that alone has been heard of since it started. */
  #alone: string | undefined;

  listen(event: RunEvent): void {
    if (event.event === 'start') {
      this.#say([`> ${event.stage}  ${event.reasons.map(describeReason).slice(0, 3).join('; ')}`]);
      this.#alone = event.stage;
    }
    if (event.event === 'output' && this.#wantsOutput()) this.#sayOutput(event.stage, event.text);
    if (event.event === 'end') this.#endOutput(event.stage);
    this.#say(this.take(event));
    this.#timer ??= setInterval(() => this.#signOfLife(), SIGN_OF_LIFE);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  protected standsAbove(stage: string): boolean {
    return this.#wantsOutput() && this.#alone === stage;
  }

  #wantsOutput(): boolean {
    return this.options.quiet !== true;
  }

  #sayOutput(stage: string, text: string): void {
    const lines = ((this.#partial.get(stage) ?? '') + text).split('\n');
    this.#partial.set(stage, lines.pop()!);
    this.#sayOf(stage, lines);
  }

  #endOutput(stage: string): void {
    const rest = this.#partial.get(stage);
    this.#partial.delete(stage);
    if (rest) this.#sayOf(stage, [rest]);
  }

  #sayOf(stage: string, lines: readonly string[]): void {
    const alone = this.#alone;
    this.#say(lines.map((line) => `${stage} | ${afterReturns(line)}`));
    if (alone === stage) this.#alone = stage;
  }

  #say(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#alone = undefined;
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    this.#timer?.refresh();
  }

  #signOfLife(): void {
    const now = performance.now();
    for (const running of this.running.values()) {
      const elapsed = describeDuration((now - running.started) / 1000);
      const progress = running.progress
        ? `${describeCount(running.progress)}${running.progress.text ? `, ${running.progress.text}` : ''}, `
        : '';
      process.stdout.write(`… ${running.stage}: ${progress}running for ${elapsed}\n`);
    }
  }
}

function describePlan({ stages }: Extract<RunEvent, { event: 'plan' }>): string[] {
  if (stages.every(({ state }) => state === 'fresh')) return [];
  return [`${plural(stages.length, 'stage')}: ${describeStateCounts(stages)}`];
}

function describeDone(done: Extract<RunEvent, { event: 'done' }>): string[] {
  const { ran, restored, fresh, skipped, failed } = done;
  if (done.interrupted)
    return [`interrupted by ${done.interrupted}: ${ran} ran, ${skipped + failed} did not; what is done stays done`];
  if (ran + restored + skipped + failed === 0) return [describeUpToDate(fresh)];
  const parts = [
    [ran, 'ran'],
    [restored, 'restored'],
    [fresh, 'fresh'],
    [failed, 'failed'],
    [skipped, 'not run'],
  ]
    .filter(([count]) => Number(count) > 0)
    .map(([count, word]) => `${count} ${word}`);
  return [`${parts.join(', ')} in ${describeDuration(done.seconds)}`];
}

function lastLine(text: string): string | undefined {
  return afterReturns(text.trimEnd().split('\n').at(-1) ?? '').trim() || undefined;
}

/** What a terminal would show of a line that rewrites itself. */
function afterReturns(line: string): string {
  return line.replace(/\r$/, '').split('\r').at(-1)!;
}
