/** Describes the reasons why a stage is stale. */
import { type Json, WrittenNumber, writeJson } from '../documents/index.ts';
import { listNames, plural } from '../messages/index.ts';
import type { CommandLines, Reason } from '../planning/index.ts';

/**
 * One line without the stage's name.
 *
 * @example 'params.yaml train.lr: 0.1 → 0.25'
 */
export function describeReason(reason: Reason): string {
  switch (reason.kind) {
    case 'never-run':
      return 'has not run yet';
    case 'command':
      return `its command changed${describeWords(reason.old, reason.new)}`;
    case 'env':
      return `env ${reason.key}: ${describeValue(reason.old)} → ${describeValue(reason.new)}`;
    case 'param':
      return `${reason.file} ${reason.key}: ${describeValue(reason.old)} → ${describeValue(reason.new)}`;
    case 'dep':
      if (!('old' in reason)) return `${reason.path} is a new dependency${reason.new === null ? ', and missing' : ''}`;
      return `${reason.path} ${reason.new === null ? 'is gone' : 'changed'}`;
    case 'code':
      return `code ${reason.path} ${!reason.old ? 'is new' : reason.new ? 'changed' : 'is no longer used'}`;
    case 'package':
      return `package ${reason.name} ${describeVersions(reason.old, reason.new)}`;
    case 'out-missing':
      return `its output ${reason.path} is missing`;
    case 'out-changed':
      if (reason.problem !== undefined) return `its output ${reason.path} cannot be read: ${reason.problem}`;
      return `its output ${reason.path} ${reason.old ? 'was changed' : 'is new'}`;
    case 'upstream':
      return `waits for ${listNames(reason.stages)}`;
    case 'unknown':
      return `whether ${reason.path} changed cannot be known without its files: repro pull`;
    case 'always':
      return reason.forced ? 'is forced to run' : 'runs each time';
  }
}

/** Largest number of characters that a line shows of the old words of a command, and of the new ones. */
const LONGEST_WORDS = 40;

/**
 * The words in which two commands differ, with the option before them; empty if the difference does not fit on a line.
 *
 * @example ': --top 2 → 3'
 */
function describeWords(old: CommandLines, now: CommandLines): string {
  if (typeof old !== 'string' || typeof now !== 'string') return '';
  const [before, after] = [old.split(' '), now.split(' ')];
  let [start, end] = [0, 0];
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start++;
  const rest = Math.min(before.length, after.length) - start;
  while (end < rest && before.at(-1 - end) === after.at(-1 - end)) end++;
  const option = start > 0 && /^-/.test(before[start - 1]) ? `${before[start - 1]} ` : '';
  const words = [before, after].map((all) => all.slice(start, all.length - end).join(' '));
  if (words.some((text) => text.length > LONGEST_WORDS)) return '';
  return `: ${option}${words[0] || '(none)'} → ${words[1] || '(none)'}`;
}

/** Versions as PackageVersions writes them: "6.4.0 3fa1c2d40b7e". */
function describeVersions(old: string | undefined, now: string): string {
  if (old === undefined) return 'is new';
  const [[before], [after]] = [old, now].map((text) => text.split(' '));
  return before === after
    ? `${after}: package-lock.json changed for it or for its dependencies`
    : `${before} → ${after}`;
}

/** Largest number of characters of a value. A list of twenty names fits. JSON output has the whole value. */
const LONGEST_VALUE = 400;

function describeValue(value: Json | undefined): string {
  if (value === undefined) return '(none)';
  const text = value instanceof WrittenNumber ? value.text : writeJson(value);
  if (text.length <= LONGEST_VALUE) return text;
  // A character of two units is not cut in half.
  const start = text.slice(0, LONGEST_VALUE / 4).replace(/[\ud800-\udbff]$/, '');
  return `${start}… (${plural(text.length, 'character')})`;
}

/** A line names at most this many reasons. `repro status` and `repro why` name all. */
const NAMED = 3;

/** @example 'in.txt changed; params.yaml lr: 1 → 2; its command changed and 4 more reasons' */
export function describeReasons(reasons: readonly Reason[]): string {
  const shown = reasons.slice(0, NAMED).map(describeReason).join('; ');
  const more = reasons.length - NAMED;
  return more > 0 ? `${shown} and ${plural(more, 'more reason')}` : shown;
}
