/** How far a running stage is, as one line: bar, rate, remaining time. */

import { describeDuration } from '../messages/index.ts';
import type { ProgressUpdate } from '../stage-api/index.ts';

export interface Running {
  stage: string;
  /** performance.now() at its start */
  started: number;
  /** seconds, from earlier runs */
  expected?: number;
  progress?: ProgressUpdate;
  /** The last line that it said. */
  lastLine?: string;
}

/** Of a bar, on a terminal of 80 columns or more and on one that is narrow. */
const WIDTH = 20;
const NARROW = 6;
const SPINNER = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';

/** With a spinner where nothing says how far it is, so that something always moves. */
export function describeRunning(running: Running, now: number, nameWidth: number, columns: number): string {
  const elapsed = (now - running.started) / 1000;
  const { progress, expected } = running;
  const share = shareDone(running, elapsed);
  const spin = SPINNER[Math.floor(now / 100) % SPINNER.length];
  const width = columns >= 79 ? WIDTH : NARROW;
  const bar = share === undefined ? ' '.repeat(width) : drawBar(share, width);
  const parts = [describeDuration(elapsed)];
  if (progress) {
    const rate = progress.done / Math.max(elapsed, 0.001);
    parts.unshift(describeCount(progress));
    if (progress.done > 0) parts.push(`${describeRate(rate)}${progress.unit ? ` ${progress.unit}` : ''}/s`);
    if (progress.total && progress.done > 0 && progress.done < progress.total)
      parts.push(`${describeDuration((progress.total - progress.done) / rate)} left`);
  } else if (expected !== undefined) parts.push(`took ${describeDuration(expected)} last time`);
  const text = progress?.text ?? running.lastLine;
  if (text) parts.push(text);
  return cutTo(columns, `${spin} ${running.stage.padEnd(nameWidth)} ${bar} ${parts.join(' · ')}`);
}

export function cutTo(columns: number, line: string): string {
  return line.length > columns ? `${line.slice(0, columns - 1)}…` : line;
}

function shareDone({ progress, expected }: Running, elapsed: number): number | undefined {
  if (progress?.total) return Math.min(1, progress.done / progress.total);
  return expected ? Math.min(0.99, elapsed / expected) : undefined;
}

function drawBar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8);
  const full = '█'.repeat(Math.floor(eighths / 8));
  const part = eighths % 8 ? ' ▏▎▍▌▋▊▉'[eighths % 8] : '';
  return (full + part).padEnd(width, '·');
}

export function describeCount({ done, total, unit }: ProgressUpdate): string {
  const count = total === undefined ? `${done}` : `${done}/${total}`;
  const share = total ? ` ${Math.floor((100 * done) / total)} %` : '';
  return `${count}${unit ? ` ${unit}` : ''}${share}`;
}

function describeRate(rate: number): string {
  return rate >= 100 ? String(Math.round(rate)) : rate.toPrecision(2);
}
