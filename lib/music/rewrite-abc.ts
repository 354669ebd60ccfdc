/** Rewrites ABC that people wrote in the dialect of this project: read, check, play, quantise, write. */
import { type ProblemKind, writeAbc } from './abc/index.ts';
import { readAbc } from './abc-to-midi.ts';
import type { AbcResult, MidiToAbcOptions } from './midi-to-abc.ts';
import { countNotes, MusicError } from './model/index.ts';

/** Problems that leave no doubt about the music: bars that do not fit their metre, loose ties, unknown decorations. */
const HARMLESS: ReadonlySet<ProblemKind> = new Set(['bar-length', 'tie', 'symbol']);
const MAX_WARNINGS = 20;

/** How rewriteAbc reads and writes a tune. */
export interface RewriteOptions extends MidiToAbcOptions {
  /** fields of the file's header, which apply to the tune too; a line each */
  header?: string;
}

/**
 * Rewrites a tune in the dialect. Repeats are written out; titles, words, chord symbols and decorations are left out.
 *
 * @returns the text, and warnings for problems and unknown words that do not change the music
 * @throws MusicError if the tune has no note, or a problem that leaves the music in doubt; lines count from its X:
 * @example rewriteAbc('X:1\nT:Title\nM:3/4\nL:1/4\nK:G\n|:GAB:|\n').abc
 */
export function rewriteAbc(abc: string, options: RewriteOptions = {}): AbcResult {
  const header = options.header ? `${options.header.trimEnd()}\n\n` : '';
  const { problems, remarks, toScore } = readAbc(header + abc);
  const headerLines = header.split('\n').length - 1;
  const doubt = problems.find(({ kind }) => !HARMLESS.has(kind));
  if (doubt !== undefined) {
    throw new MusicError(
      doubt.kind === 'empty'
        ? doubt.message
        : `line ${doubt.line - headerLines}, column ${doubt.column}: ${doubt.message}`,
    );
  }
  const { layout, header: _, ...scoreOptions } = options;
  const score = toScore(scoreOptions);
  const warnings = [...problems.map(({ message }) => message), ...remarks.map(({ message }) => message)];
  return {
    abc: writeAbc(score, layout),
    notes: countNotes(score),
    warnings: [...new Set(warnings)].slice(0, MAX_WARNINGS),
    performance: false,
  };
}
