/** Finds the end of a here-document: `cat <<END`, lines of text, and a line with the delimiter `END`. */
import type { ScriptCursor, ScriptValue } from './script-cursor.ts';

/** A here-document that begins at the next line. */
export interface HereDocument {
  delimiter: string;
  /** Its delimiter has quotes, so its text is not expanded. */
  isQuoted: boolean;
  /** `<<-`: tabs at the start of lines are removed. */
  stripsTabs: boolean;
}

/**
 * Measures the text of a here-document that begins where the script has been read to.
 *
 * @returns the number of characters and values before the line with the delimiter, or up to the end of the script.
 *   `endedBy` is a value that makes a line the delimiter. `isUnclear`: shells disagree about where it ends, because the
 *   line before the delimiter ends with a backslash
 */
export function measure(
  { delimiter, isQuoted, stripsTabs }: HereDocument,
  script: ScriptCursor,
): { length: number; isUnclear: boolean; endedBy?: ScriptValue } {
  let length = 0;
  let isUnclear = false;
  let joined = '';
  for (const { text, value, isContinued, length: ofLine } of script.lines()) {
    const line = stripsTabs ? text.replace(/^\t+/, '') : text;
    if (line === delimiter || joined + line === delimiter) {
      if (value !== undefined) return { length, isUnclear, endedBy: value };
      if (joined === '') return { length, isUnclear };
      isUnclear = true;
    }
    joined = isContinued && !isQuoted ? joined + line.slice(0, -1) : '';
    length += ofLine + 1;
  }
  return { length, isUnclear };
}
