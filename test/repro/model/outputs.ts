/** Reads what the real repro prints with --json. */
import type { LeftOutput } from './left-outputs.ts';
import type { Verdict } from './reference.ts';

/** The verdicts in the events of a run. */
export function verdictsIn(stdout: string): Map<string, Verdict> {
  const verdicts = new Map<string, Verdict>();
  for (const line of stdout.split('\n')) {
    if (line === '') continue;
    const { event, stage, outcome } = JSON.parse(line);
    if (event === 'end') verdicts.set(stage, outcome);
  }
  return verdicts;
}

/** The states in the output of `repro status`. */
export function statusStates(stdout: string): { [stage: string]: string } {
  const { stages } = JSON.parse(stdout) as { stages: { [stage: string]: { state: string } } };
  return Object.fromEntries(Object.entries(stages).map(([name, { state }]) => [name, state]));
}

/** The states in the output of `repro --dry`. */
export function dryStates(stdout: string): { [stage: string]: string } {
  const { stages } = JSON.parse(stdout) as { stages: { stage: string; state: string }[] };
  return Object.fromEntries(stages.map(({ stage, state }) => [stage, state]));
}

/** What removed stages left, in a plan, which is the first line of a run, or in a status. */
export function leftIn(stdout: string): string[] {
  const text = stdout.startsWith('{"event"') ? stdout.split('\n')[0] : stdout;
  const { left = [] } = JSON.parse(text) as { left?: LeftOutput[] };
  return left.map(describeLeft);
}

/** An output of a removed stage in one line. */
export function describeLeft({ stage, path, fate }: LeftOutput): string {
  return `${fate} ${path} of ${stage}`;
}
