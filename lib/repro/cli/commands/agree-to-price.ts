/** Says what a run will cost if that is a lot, and asks on a terminal whether to go on. */
import { createInterface } from 'node:readline';
import { type Elsewhere, type Expectation, estimateRun, thisMachine } from '../../forecast/index.ts';
import { describeBytes, describeRoughDuration, plural } from '../../messages/index.ts';
import type { PlannedStage, Project } from '../../planning/index.ts';
import { printError } from '../output.ts';

/** Seconds. repro asks for consent before a run that is expected to take longer. */
const LONG = 3600;

/**
 * Prints what a long run, or one with a stage that may not fit into memory, will take. On a terminal, waits for a yes.
 * Programs and scripts get the sentences only.
 *
 * @param options `yes`, `json`: do not ask. `jobs`: -j
 * @returns whether to go on
 */
export async function agreesToPrice(
  project: Project,
  plan: readonly PlannedStage[],
  { seconds, costs }: Expectation,
  options: { yes?: boolean; json?: boolean; jobs?: number; elsewhere?: Elsewhere },
): Promise<boolean> {
  const sentences: string[] = [];
  const estimate = await estimateRun(project, plan, seconds, options.jobs, options.elsewhere);
  if (estimate.seconds !== undefined && estimate.seconds > LONG)
    sentences.push(
      `this run will take about ${describeRoughDuration(estimate.seconds)} on ${plural(estimate.jobs, 'worker')}`,
    );
  const { memory } = await thisMachine(false);
  const isElsewhere = (name: string) => plan.some(({ stage }) => stage.name === name && options.elsewhere?.has(stage));
  const [largest] = [...costs]
    .filter(([name]) => !isElsewhere(name))
    .sort(([, a], [, b]) => (b.memory ?? 0) - (a.memory ?? 0));
  if (largest !== undefined && (largest[1].memory ?? 0) > memory)
    sentences.push(
      `${largest[0]} needs about ${describeBytes(largest[1].memory!)}, but this machine has ${describeBytes(memory)}`,
    );
  for (const sentence of sentences) printError(sentence);
  if (sentences.length === 0 || options.yes || options.json || !process.stdin.isTTY || !process.stdout.isTTY)
    return true;
  return /^y(es)?$/i.test((await ask('Go on? [y/N] ')).trim());
}

/** The answer of the user; '' after Ctrl-C or Ctrl-D. */
async function ask(question: string): Promise<string> {
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await new Promise((resolve) => {
      prompt.question(question, resolve);
      prompt.on('close', () => resolve(''));
    });
  } finally {
    prompt.close();
  }
}
