/**
 * Values in shell scripts.
 *
 *   shell-script.ts    puts values into a script, each as a part of one word
 *   script-reader.ts   reads a script as a shell does: commands and words. Above redirections.ts, expansions.ts and
 *                      script-state.ts, which share the state at the current place
 *   script-cursor.ts   the characters and values of a script, and how far it was read
 *   here-document.ts   where a here-document ends
 *   code-readers.ts    programs that read an argument as code
 *   shell-words.ts     quotes text
 */
export type { ScriptPart } from './script-cursor.ts';
export { fillInScript } from './shell-script.ts';
export { quoteWord } from './shell-words.ts';
