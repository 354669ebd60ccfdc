/**
 * Warnings: sentences about things that repro goes on without. The program that uses repro decides where they are
 * printed. Warnings from before `onWarning` is called are kept until then.
 */

let print: ((sentence: string) => void) | undefined;
const early: string[] = [];
const given = new Set<string>();

/**
 * Prints a warning, unless the same sentence was a warning in this call of repro already.
 *
 * @param sentence without a full stop at its end
 */
export function warn(sentence: string): void {
  if (given.has(sentence)) return;
  given.add(sentence);
  if (print) print(sentence);
  else early.push(sentence);
}

/**
 * Begins a call of repro: sets the function that prints its warnings.
 *
 * A call prints each warning once. A later call in the same process prints it again.
 */
export function onWarning(printWarning: (sentence: string) => void): void {
  print = printWarning;
  given.clear();
  for (const sentence of early.splice(0)) printWarning(sentence);
}
