/**
 * Makes generated text valid: finds the longest beginning that is a valid tune. The text may end anywhere and have
 * faults.
 *
 * - Interleaved voices: whole lines are kept, each a bar of all voices.
 * - One voice: whole bars are kept.
 * - One voice after another: as many bars are kept as all voices have, and the tune is written anew.
 *
 * Ties out of the last bar are removed. Nothing else is changed.
 */
import { checkAbc, type Problem, writeAbc } from './abc/index.ts';
import { abcToScore } from './abc-to-midi.ts';
import { MusicError } from './model/index.ts';

/** A valid beginning of a text. */
export interface Trimmed {
  abc: string;
  /** number of characters that were dropped at the end of the text */
  dropped: number;
  /** the problem before which the text was cut; undefined if the text was whole, or only incomplete */
  problem: Problem | undefined;
}

/**
 * Trims a text to its valid bars.
 *
 * @throws MusicError if no bar is valid; the message names the first problem
 */
export function trimToCompleteBars(abc: string): Trimmed {
  const text = abc.replace(/\r\n?/g, '\n');
  const body = bodyStart(text);
  const interleaved = /\[V:/.test(text.slice(body));
  if (!interleaved && /^V:/m.test(text.slice(body))) return trimVoices(text);

  const bars = interleaved ? completeLines(text, body) : completeBars(text, body);
  let kept = bars.length;
  let problem: Problem | undefined;
  while (kept > 0) {
    const end = bars[kept - 1];
    const candidate = withoutLastTies(text.slice(0, end), kept > 1 ? bars[kept - 2] : body);
    const problems = checkAbc(candidate);
    if (problems.length === 0) return { abc: candidate, dropped: text.slice(end).trim().length, problem };
    problem = problems[0];
    const at = offsetOf(candidate, problem);
    const before = bars.findLastIndex((barEnd) => barEnd <= at) + 1;
    kept = at < body || problem.kind === 'header' || problem.kind === 'empty' ? 0 : Math.min(kept - 1, before);
  }
  if (problem === undefined) throw new MusicError('the text ends before its first bar is complete');
  throw new MusicError(
    `no bar of the text is valid: line ${problem.line}, column ${problem.column}: ${problem.message}`,
  );
}

/** The offset at which the music begins: after K:, and after the voices and their directives. */
function bodyStart(text: string): number {
  const key = /^K:.*$/m.exec(text);
  if (key === null) throw new MusicError('the text has no K: field, so no music begins in it');
  const settings = /\n(?:V:.*|%.*)?(?=\n)/y;
  let at = key.index + key[0].length;
  const interleaved = /^\[V:/m.test(text);
  for (;;) {
    settings.lastIndex = at;
    const match = settings.exec(text);
    if (match === null || (!interleaved && match[0].startsWith('\nV:'))) break;
    at += match[0].length;
  }
  return Math.min(text.length, at + 1);
}

/** The ends of the leading lines that have a bar of every voice that the header declares. */
function completeLines(text: string, body: number): number[] {
  const ends: number[] = [];
  const declared = [...text.slice(0, body).matchAll(/^V:\s*(\S+)/gm)].map(([, id]) => `[V:${id}]`).join('');
  let voices = declared === '' ? undefined : declared;
  for (let from = body; from < text.length; ) {
    const newline = text.indexOf('\n', from);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(from, end).trimEnd();
    const named = (line.match(/\[V:[^[\]]*\]/g) ?? []).join('');
    if (line !== '') {
      voices ??= named;
      if (named !== voices || !line.endsWith('|')) break;
      ends.push(Math.min(text.length, end + 1));
    }
    from = end + 1;
  }
  return ends;
}

/** The ends of all bars, after their bar lines. */
function completeBars(text: string, body: number): number[] {
  const ends: number[] = [];
  for (let at = text.indexOf('|', body); at >= 0; at = text.indexOf('|', at + 1)) {
    ends.push(text[at + 1] === '\n' ? at + 2 : at + 1);
  }
  return ends;
}

/** Removes the ties out of the last bar, which begins at `from`: those of whole chords, and of single notes in them. */
function withoutLastTies(text: string, from: number): string {
  const last = text.slice(from).replace(/-(?=\s*[|&])/g, '');
  let trimmed = text.slice(0, from) + (last.endsWith('\n') ? last : `${last}\n`);
  if (!/-[^|&\n]*\]/.test(last)) return trimmed;
  const open = checkAbc(trimmed).filter(({ kind }) => kind === 'tie');
  for (const at of open.map((problem) => offsetOf(trimmed, problem)).sort((a, b) => b - a)) {
    if (at < from) continue;
    const note = /^[\^_=]*[A-Ga-g][,']*/.exec(trimmed.slice(at))?.[0].length ?? 0;
    if (trimmed[at + note] === '-') trimmed = trimmed.slice(0, at + note) + trimmed.slice(at + note + 1);
  }
  return trimmed;
}

/** The offset of a problem's line and column. */
function offsetOf(text: string, problem: Problem): number {
  let at = 0;
  for (let line = 1; line < problem.line; line++) {
    const newline = text.indexOf('\n', at);
    if (newline < 0) break;
    at = newline + 1;
  }
  return at + problem.column - 1;
}

/** Trims a tune whose voices follow each other to the bars that all voices have. */
function trimVoices(text: string): Trimmed {
  const end = text.lastIndexOf('|') + 1;
  const problem = checkAbc(text.slice(0, end)).find(({ kind }) => kind !== 'bar-count' && kind !== 'tie');
  if (problem !== undefined) {
    throw new MusicError(`the text is wrong in line ${problem.line}, column ${problem.column}: ${problem.message}`);
  }
  const score = abcToScore(text.slice(0, end));
  const bars = Math.min(
    ...(text.slice(0, end).match(/^V:[^\n]*\n(?:(?!V:)[^\n]*\n?)*/gm) ?? []).map(
      (voice) => voice.split('|').length - 1,
    ),
  );
  if (!(bars > 0) || bars > score.bars.length) throw new MusicError('the text ends before its last voice has a bar');
  const { start, length } = score.bars[bars - 1];
  score.bars.length = bars;
  for (const voice of score.voices) {
    voice.notes = voice.notes.filter((note) => note.start < start + length);
    for (const note of voice.notes) note.duration = Math.min(note.duration, start + length - note.start);
  }
  score.voices = score.voices.filter((voice) => voice.notes.length > 0);
  if (score.voices.length === 0) throw new MusicError('the bars that all voices have hold no note');
  return { abc: writeAbc(score, 'voices'), dropped: text.length - end, problem: undefined };
}
