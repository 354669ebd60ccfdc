/**
 * The time and memory that stages will need, by their own estimate before they run. A stage with `cost: COMMAND` in
 * pipeline.yaml has a program that answers:
 *
 *   stdin   ["train@tiny", "train@large"]
 *   stdout  {"train@tiny": {"seconds": 2.5, "memory": 90000000}, "train@large": {"seconds": 3600}}
 *
 * One call of a command answers for all stages that name it. An answer is a forecast, never a reason to fail. The
 * program reads params as a stage does (readParams), with the edits of `--dry -S`, but may read every key.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { isMapping, type Json } from '../documents/index.ts';
import { describeError, listNames, ReproError } from '../messages/index.ts';
import { commandText, isOutside, type Stage } from '../pipeline/index.ts';
import type { Project } from '../planning/index.ts';
import { shellScript } from '../processes/index.ts';
import { LISTED_PARAMS, listedParams, PARAMS_FOLDER, PARAMS_READ } from '../stage-api/index.ts';

/** The estimated time and memory of one stage. */
export interface Cost {
  seconds: number;
  /** Bytes. */
  memory?: number;
}

/** The answers by stage, and why there is none for some: sentences about stages. */
export interface Costs {
  known: Map<string, Cost>;
  problems: { stage: string; text: string }[];
}

/** Milliseconds that a command has for its answer. */
const PATIENCE = 60_000;

/**
 * Runs the cost commands of all stages that have one, at the same time.
 *
 * @returns the answers by stage, and a problem for each command that gave no valid answer
 * @throws ReproError if a command or its params cannot be prepared
 */
export async function askCosts(project: Project, stages: readonly Stage[]): Promise<Costs> {
  const costs: Costs = { known: new Map(), problems: [] };
  const byCommand = new Map<string, Stage[]>();
  for (const stage of stages)
    if (stage.cost !== undefined) {
      const key = JSON.stringify([stage.wdir, commandText(stage.cost)]);
      byCommand.set(key, [...(byCommand.get(key) ?? []), stage]);
    }
  if (byCommand.size === 0) return costs;
  let folder: string | undefined;
  try {
    // Not in .repro, because --dry changes nothing there.
    folder = mkdtempSync(join(tmpdir(), 'repro-cost-'));
    const own = folder;
    await Promise.all([...byCommand.values()].map((group) => ask(project, group, own, costs)));
  } catch (error) {
    if (error instanceof ReproError) throw error;
    // The folder for temporary files is missing or full. That is no reason not to run.
    const [[{ name }]] = byCommand.values();
    const text = `how long it will take is not known: ${tmpdir()} cannot be written: ${describeError(error)}`;
    costs.problems.push({ stage: name, text });
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
  return costs;
}

/**
 * Asks the one command that the stages of `group` share.
 *
 * @param folder for the params as this call of repro has them
 */
async function ask(project: Project, group: readonly Stage[], folder: string, costs: Costs): Promise<void> {
  const [{ name, cost, wdir }] = group;
  const names = group.map((stage) => stage.name);
  const { script, args } = shellScript(cost!);
  const files = [...new Set(group.flatMap(({ params }) => params.map(({ file }) => file)))];
  for (const file of files.filter((each) => !isOutside(each))) {
    const text = await project.stageInputs.paramsText(file, name);
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    if (text !== undefined) writeFileSync(join(folder, file), text);
  }
  const { execa } = await import('execa');
  const { stdout, stderr, failed, timedOut, exitCode } = await execa('/bin/sh', ['-c', script, 'sh', ...args], {
    cwd: join(project.root, wdir),
    input: JSON.stringify(names),
    reject: false,
    timeout: PATIENCE,
    env: {
      PATH: [join(project.root, 'node_modules/.bin'), process.env.PATH].filter(Boolean).join(delimiter),
      [LISTED_PARAMS]: listedParams(files.map((file) => ({ file, keys: undefined }))),
      [PARAMS_FOLDER]: folder,
      [PARAMS_READ]: join(folder, '.read'),
    },
  });
  const fail = (why: string) => {
    costs.problems.push({ stage: name, text: `how long it will take is not known: its cost command ${why}` });
  };
  if (timedOut) return fail(`gave no answer within ${PATIENCE / 1000} s`);
  const lastLine = stderr.trimEnd().split('\n').at(-1);
  if (failed && exitCode === undefined) return fail('could not be started, or was killed');
  if (failed) return fail(`ended with exit ${exitCode}${lastLine ? `: ${lastLine}` : ''}`);
  const answer = parseAnswer(stdout);
  if (answer === undefined) return fail('must print {"STAGE": {"seconds": NUMBER, "memory": BYTES}}');
  for (const [stage, each] of answer) if (names.includes(stage)) costs.known.set(stage, each);
  const silent = names.filter((stage) => !costs.known.has(stage));
  if (silent.length > 0) fail(`says nothing of ${listNames(silent)}`);
}

/** undefined if the text is not an answer. */
function parseAnswer(text: string): [string, Cost][] | undefined {
  let answer: Json;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isMapping(answer)) return undefined;
  const isAmount = (value: unknown) => typeof value === 'number' && value >= 0;
  const entries = Object.entries(answer as unknown as Record<string, Partial<Cost> | null>);
  const isCost = (each: Partial<Cost> | null) =>
    isAmount(each?.seconds) && (each?.memory === undefined || isAmount(each.memory));
  return entries.every(([, each]) => isCost(each)) ? (entries as [string, Cost][]) : undefined;
}
