/** Prints JSON. It is apart from output.ts so that a call with nothing to do does not load what reads documents. */
import { withNumbers } from '../documents/index.ts';
import { printableJson } from '../messages/index.ts';
import { printJsonText } from './output.ts';

/** Prints a value as JSON, on one line unless `indent` is given. */
export function printJson(value: unknown, indent?: number): void {
  printJsonText(withNumbers(printableJson(value, indent)));
}
