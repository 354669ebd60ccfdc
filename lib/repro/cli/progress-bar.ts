/** The live line of a running stage: spinner, name, bar, time, rate and remaining time. */

import { describeDuration, escapeLine } from '../messages/index.ts';
import type { ProgressUpdate } from '../stage-api/index.ts';
import { cutToColumns, padEndColumns } from './terminal-width.ts';

/** The state of a running stage that its live line shows. */
export interface RunningStage {
  stage: string;
  /** `performance.now()` when it started, in milliseconds. */
  started: number;
  /** Seconds that it took in earlier runs; undefined if it has not run before. */
  expected?: number;
  progress?: ProgressUpdate;
  /** The last line of its output. */
  lastLine?: string;
}

/** From this width on, a line has room for a long bar and for amounts. Below it, percent, rate and time left must do. */
const WIDE = 99;
/** Columns of a bar on a wide terminal, and on a narrower one. */
const BAR_WIDTH = 20;
const NARROW_BAR_WIDTH = 6;
const SPINNER = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';

/**
 * The live line of a running stage. The bar shows the stage's own progress or else the time that earlier runs took.
 * Without either, the bar stays empty and only the spinner moves.
 *
 * @param now `performance.now()`
 * @param nameWidth columns of the stage's name, so that the bars of several stages line up
 * @param columns the line is cut to this width
 * @example '⠙ train@1 ███████████████····· 3/4 steps 75 % · 12 s · 0.25 steps/s · 4.0 s left · loss 0.5'
 */
export function runningLine(running: RunningStage, now: number, nameWidth: number, columns: number): string {
  const elapsed = (now - running.started) / 1000;
  const { progress, expected } = running;
  const share = shareDone(running, elapsed);
  const spinner = SPINNER[Math.floor(now / 100) % SPINNER.length];
  const barWidth = columns >= WIDE ? BAR_WIDTH : NARROW_BAR_WIDTH;
  const bar = share === undefined ? ' '.repeat(barWidth) : drawBar(share, barWidth);
  const parts = [describeDuration(elapsed)];
  if (progress) {
    const rate = progress.done / Math.max(elapsed, 0.001);
    parts.unshift(columns >= WIDE || !progress.total ? describeProgress(progress) : percent(progress));
    if (progress.done > 0) parts.push(`${describeRate(rate)}${progress.unit ? ` ${progress.unit}` : ''}/s`);
    if (progress.total && progress.done > 0 && progress.done < progress.total)
      parts.push(`${describeDuration((progress.total - progress.done) / rate)} left`);
  } else if (expected !== undefined) parts.push(`took ${describeDuration(expected)} last time`);
  const text = progress?.text ?? running.lastLine;
  if (text) parts.push(text);
  const name = padEndColumns(escapeLine(running.stage), nameWidth);
  return cutToColumns(`${spinner} ${name} ${bar} ${escapeLine(parts.join(' · '))}`, columns);
}

/** From 0 to 1. An estimate from earlier runs stops at 0.99, because the stage has not ended. */
function shareDone({ progress, expected }: RunningStage, elapsed: number): number | undefined {
  if (progress?.total) return Math.min(1, progress.done / progress.total);
  return expected ? Math.min(0.99, elapsed / expected) : undefined;
}

/** Block characters fill the bar in steps of an eighth of a column. */
function drawBar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8);
  const full = '█'.repeat(Math.floor(eighths / 8));
  const part = eighths % 8 ? ' ▏▎▍▌▋▊▉'[eighths % 8] : '';
  return (full + part).padEnd(width, '·');
}

/** Formats a progress update: "3/4 steps 75 %", or "3 steps" if the total is not known. */
export function describeProgress({ done, total, unit }: ProgressUpdate): string {
  const amount = total === undefined ? `${done}` : `${done}/${total}`;
  return [amount, ...(unit ? [unit] : []), ...(total ? [percent({ done, total })] : [])].join(' ');
}

function percent({ done, total = 0 }: ProgressUpdate): string {
  return `${Math.floor((100 * done) / total)} %`;
}

/** @example '0.25', '640', '82k' */
function describeRate(rate: number): string {
  if (rate >= 10_000) return `${Math.round(rate / 1000)}k`;
  return rate >= 100 ? String(Math.round(rate)) : rate.toPrecision(2);
}
