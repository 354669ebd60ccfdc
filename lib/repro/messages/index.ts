/**
 * Words for people, used by every folder of repro:
 * - errors.ts: ReproError, the error for mistakes that a user can fix, and describeError for any other error;
 * - failure.ts: why a stage failed or was skipped, as data and as a sentence;
 * - terminal-text.ts: text from outside without control characters;
 * - warnings.ts: warnings, which the program prints;
 * - nearest.ts: "did you mean …?" for mistyped names;
 * - units.ts: sizes, durations, numbers and lists of names in sentences.
 */
export { describeError, describeSystemError, type Place, type Problem, ReproError } from './errors.ts';
export { describeFailure, describeSkip, type Failure, type Skip } from './failure.ts';
export { nearestName, suggestion } from './nearest.ts';
export { escapeControls, escapeLine, outputLine, printableJson } from './terminal-text.ts';
export {
  describeBytes,
  describeDuration,
  describeRoughDuration,
  describeStateCounts,
  describeUpToDate,
  listNames,
  parseBytes,
  parseSeconds,
  plural,
} from './units.ts';
export { onWarning, warn } from './warnings.ts';
