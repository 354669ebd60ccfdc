/** Programs that read an argument as code: a value in it would be code too, however it is quoted for the shell. */

/** Commands that read every argument as code. bash computes both sides of `-eq` in `[[`, and runs commands in them. */
const READERS = new Set(['eval', 'ssh', 'trap', 'alias', 'let', '[[', 'watch', 'parallel']);
/** Commands that take names of variables. bash runs commands in the subscript of one, as in `unset 'a[$(date)]'`. */
const NAME_READERS = new Set(['declare', 'typeset', 'local', 'readonly', 'unset', 'read']);
/** Commands that take the name of a variable after `-v`. */
const NAME_OPTION_READERS = new Set(['[', 'test', 'printf']);
/** Commands that run the command that follows. */
const PREFIXES = new Set(['command', 'builtin', 'exec', 'nohup', 'sudo', 'doas', 'nice', 'env', 'setsid', '!']);
/** Shells, and the option before their code. */
const SHELL = /(^|\/)((ba|da|z|k|mk|a|c|tc|fi)?sh|su)$/;
const SHELL_OPTION = /^-[A-Za-z]*c$/;
/** Interpreters of other languages, and the options before their code. */
const INTERPRETER =
  /(^|\/)(python[\d.]*|pypy[\d.]*|perl|ruby|node|bun|deno|lua[\d.]*|julia|R|Rscript|octave|osascript|ghc|scala|groovy)$/;
const INTERPRETER_OPTION = /^(-[A-Za-z]*[ceE]|--eval|--print|-p|eval)$/;
/** The same option with code in its own word: `-e'…'`, `--eval=…`. */
const GLUED_OPTION = /^(-[A-Za-z]*[ceE]|--eval=|--print=)/;
const PHP = /(^|\/)php[\d.]*$/;
/** awk reads its first argument as code, after its options, some of which have a value. */
const AWK = /(^|\/)[gmn]?awk$/;
const AWK_OPTION_WITH_VALUE = /^-[Fv]$/;
const AWK_GLUED_VALUE = /^-[Fv]./;

/**
 * The program that would read the next word of a command as code.
 *
 * @param words the words of the command so far
 * @param start the beginning of the next word
 * @returns undefined if the next word is not code
 * @example readerOfNext(['nice', 'python3', '-c'], '') // 'python3'
 */
export function readerOfNext(words: readonly string[], start: string): string | undefined {
  const command = words.find((word) => !PREFIXES.has(word) && !/^-|=/.test(word));
  const last = (words.at(-1) === '--' ? words.at(-2) : words.at(-1)) ?? '';
  if (command !== undefined) {
    if (READERS.has(command)) return command;
    if (NAME_READERS.has(command) && !start.includes('=')) return command;
    if (NAME_OPTION_READERS.has(command) && last === '-v') return command;
  }
  if (SHELL_OPTION.test(last)) {
    const shell = words.find((word) => SHELL.test(word));
    if (shell !== undefined) return shell;
  }
  if (INTERPRETER_OPTION.test(last)) {
    const interpreter = words.find((word) => INTERPRETER.test(word));
    if (interpreter !== undefined) return interpreter;
  }
  const interpreter = words.findIndex((word) => INTERPRETER.test(word));
  const isOwnOption = interpreter >= 0 && words.slice(interpreter + 1).every((word) => word.startsWith('-'));
  if (isOwnOption && GLUED_OPTION.test(start)) return words[interpreter];
  const php = words.find((word) => PHP.test(word));
  if (php !== undefined && (last === '-r' || start.startsWith('-r'))) return php;
  const awk = words.findIndex((word) => AWK.test(word));
  if (awk < 0 || AWK_OPTION_WITH_VALUE.test(last) || AWK_GLUED_VALUE.test(start)) return undefined;
  const rest = words.slice(awk + 1);
  const isProgramNext = rest.every((word, i) => word.startsWith('-') || AWK_OPTION_WITH_VALUE.test(rest[i - 1] ?? ''));
  return isProgramNext && !rest.some((word) => word.startsWith('-f')) ? words[awk] : undefined;
}
