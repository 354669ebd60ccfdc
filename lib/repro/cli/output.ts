/**
 * Writes to stdout and stderr. All text passes here, because parts of it come from outside: names of files and stages,
 * values of params and metrics, error messages, the output of stages. Control characters in it are shown as escapes
 * (messages/terminal-text.ts). Only view.ts and stage-api/progress.ts write to a terminal themselves.
 */
import { readHeadline } from '../freshness/index.ts';
import { escapeControls, escapeLine, outputLine } from '../messages/index.ts';

/** Prints text of several lines, such as a table. It ends with a line break of its own. */
export function print(text: string): void {
  process.stdout.write(escapeControls(text));
}

/** Prints one line. A line break in it is shown as `\n`, so that no name looks like a line of its own. */
export function printLine(line: string): void {
  process.stdout.write(`${escapeLine(line)}\n`);
}

/**
 * Prints the headline of a pipeline, on a terminal only: other readers want one line at the end.
 *
 * @param file the file of the headline, relative to `root`
 */
export function printHeadline(root: string, file: string | undefined): void {
  if (file === undefined || !process.stdout.isTTY) return;
  for (const line of readHeadline(root, file)) printLine(line);
}

/** Prints text that is JSON already, with its line break. */
export function printJsonText(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints an error or a warning to stderr, after the name of the program. */
export function printError(message: string): void {
  process.stderr.write(`repro: ${escapeControls(message)}\n`);
}

let hasProgress = false;

/** On a terminal, replaces the line about progress on stderr. */
export function printProgress(line: string): void {
  if (!process.stderr.isTTY) return;
  hasProgress = true;
  process.stderr.write(`\r\x1b[K${escapeLine(line)}`);
}

/** Removes the line about progress, if there is one. */
export function clearProgress(): void {
  if (hasProgress) process.stderr.write('\r\x1b[K');
  hasProgress = false;
}

/** Prints the kept output of a stage. */
export function printOutput(text: string): void {
  const colours = showsColours();
  process.stdout.write(
    text
      .split('\n')
      .map((line) => outputLine(line, colours))
      .join('\n'),
  );
}

/**
 * Whether the colours of stages are printed: on a terminal, or if the environment variable FORCE_COLOR is set
 * (force-color.org), and never if NO_COLOR is set (no-color.org).
 */
export function showsColours(): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return false;
  return (process.stdout.isTTY && TERM !== 'dumb') || (FORCE_COLOR !== undefined && !/^(0|false|)$/.test(FORCE_COLOR));
}
