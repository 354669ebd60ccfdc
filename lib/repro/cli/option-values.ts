/** Values of options on the command line. */
import { ReproError } from '../messages/index.ts';

/** Receives the exit code of the command that was called. */
export type SetExitCode = (code: number) => void;

/**
 * Parses an argument that must be an integer of at least 0.
 *
 * @throws ReproError if it is not
 */
export function positiveOrZero(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value)) throw new ReproError(`${value}: must be a whole number of at least 0`);
  return number;
}

/**
 * A parser for the value of an option that must be an integer of at least 1.
 *
 * @param option its name in messages, such as "-j"
 * @returns the parser; it throws ReproError if the value is not such an integer
 */
export function positiveInteger(option: string): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < 1)
      throw new ReproError(`${option} ${value}: must be a whole number of at least 1`);
    return number;
  };
}
