/**
 * Puts values into a shell script so that each stays what it is, whatever characters it holds: a part of one word, never
 * code. How a value is quoted depends on where it stands:
 *
 *   outside of quotes           as it is if it is safe (isSafe), else in single quotes     --name=${x}
 *   "…", '…'                    with the characters escaped that are special there         "run ${x}"
 *   a here-document             the same; a value of several lines is refused
 *   $(…), (…)                   as outside of quotes, also inside of "…"
 *   `…`, ${…}, $((…)), # …      as it is, or refused
 *
 * A safe value is written as it is everywhere, apart from the few places where a shell gives it another meaning, such as
 * `if` as the name of a command. Where shells differ in what they read (`$'…'`, `case` inside of `$(…)`), values
 * that are not safe are refused from there on.
 */
import type { ScriptPart } from './script-cursor.ts';
import { RESERVED, ScriptReader } from './script-reader.ts';
import { isSafe } from './shell-words.ts';

/** Letters of the longest reserved word. */
const LONGEST = Math.max(...[...RESERVED].map((word) => word.length));

/**
 * Joins the parts of a script.
 *
 * @returns the script for sh
 * @throws ReproError if a value that is not safe stands where it cannot be quoted
 * @example fillInScript(['echo ', { value: 'a b', reference: 'x' }]) // "echo 'a b'"
 */
export function fillInScript(parts: readonly ScriptPart[]): string {
  if (isPlain(parts)) return parts.map((part) => (typeof part === 'string' ? part : part.value)).join('');
  return new ScriptReader(parts).read();
}

/** Whether a quick look shows that all values may be written as they are, so that the code need not be read. */
function isPlain(parts: readonly ScriptPart[]): boolean {
  return parts.every((part, i) => {
    if (typeof part === 'string') return !/[`$\\{]|<</.test(part);
    const [before = '', after = ''] = [parts[i - 1], parts[i + 1]];
    if (!isSafe(part.value) || part.value.includes('=')) return false;
    if (typeof before === 'object' || typeof after === 'object') return !/^([a-z]+|\d+)$/.test(part.value);
    if (RESERVED.has(/[a-z]*$/.exec(before.slice(-LONGEST)) + part.value + /^[a-z]*/.exec(after))) return false;
    return !(/^\d+$/.test(part.value) && /^\d*[<>]/.test(after));
  });
}
