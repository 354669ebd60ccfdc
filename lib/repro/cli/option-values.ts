/** Values of options on the command line. */
import { ReproError } from '../messages/index.ts';

/** Receives the exit code of the command that was called. */
export type SetExitCode = (code: number) => void;

/** Parses an argument that must be an integer of at least 0. */
export function positiveOrZero(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value)) throw new ReproError(`${value}: must be a whole number of at least 0`);
  return number;
}

/** Parses the value of an option that must be a positive integer. */
export function positiveInteger(option: string): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < 1)
      throw new ReproError(`${option} ${value}: must be a whole number of at least 1`);
    return number;
  };
}
