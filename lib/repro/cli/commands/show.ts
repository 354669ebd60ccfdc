/** `repro show STAGE`: shows the command, inputs, outputs and last duration of a stage. */

import { AttemptLog } from '../../attempts/index.ts';
import { type Json, lookUp, writeJson } from '../../documents/index.ts';
import { select } from '../../graph/index.ts';
import { describeBytes, describeDuration, listNames, plural } from '../../messages/index.ts';
import { commandText, type Stage } from '../../pipeline/index.ts';
import { openProject, type Project } from '../../planning/index.ts';
import { printJson } from '../json-output.ts';
import { printLine } from '../output.ts';

/** One line of the description: a title, which is empty where the line above goes on, and a text. */
type Line = readonly [title: string, text: string];

/** Columns of the titles. */
const TITLE_WIDTH = 11;

/**
 * Prints the definition of a stage as repro reads it, with templates filled in; of a group, that of its first cell.
 *
 * @param target a stage, a group or an output
 * @param options `json`: the stages as JSON
 * @returns the exit code, 0
 * @throws ReproError if the target is unknown
 */
export async function show(target: string, options: { json?: boolean }): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  try {
    const names = select(project.graph, { at: project, targets: [target], single: true });
    const stages = names.map((name) => project.graph.stages.get(name)!);
    if (options.json) {
      printJson({ stages: Object.fromEntries(stages.map(({ source, given, ...stage }) => [stage.name, stage])) }, 2);
      return 0;
    }
    const [first] = stages;
    printLine(`${first.name}${first.desc === undefined ? '' : `: ${first.desc}`}`);
    if (names.length > 1) printLine(`  one of ${names.length} cells: ${listNames(names)}`);
    for (const [title, text] of await describe(project, first)) printLine(`  ${title.padEnd(TITLE_WIDTH)}${text}`);
    return 0;
  } finally {
    await project.close();
  }
}

async function describe(project: Project, stage: Stage): Promise<Line[]> {
  const { upstream, downstream } = project.graph;
  const { cpus, memory, gpus, limits } = stage.resources;
  const named = Object.entries(limits).map(([name, count]) => `${count} of ${name}`);
  const resources = [
    ...(cpus > 0 ? [plural(cpus, 'cpu')] : []),
    ...(memory > 0 ? [describeBytes(memory)] : []),
    ...(gpus > 0 ? [plural(gpus, 'GPU')] : []),
    ...named,
  ];
  return [
    ...list('runs', stage.cmd.map(commandText)),
    ...list('in', stage.wdir === '.' ? [] : [stage.wdir]),
    ...list(
      'reads',
      stage.deps
        .filter((dep) => dep.pattern === undefined)
        .map(({ path, optional }) => `${path}${optional ? ' (may be missing)' : ''}`),
    ),
    ...list('code', stage.code),
    ...list('params', await paramLines(project, stage)),
    ...list(
      'env',
      Object.entries(stage.env).map(([name, value]) => `${name}=${value}`),
    ),
    ...list(
      'makes',
      stage.outs.map(({ path, cache }) => `${path}${cache ? '' : ' (kept by git)'}`),
    ),
    ...list('checkpoint', stage.checkpoint === undefined ? [] : [stage.checkpoint]),
    ...list('takes', resources.length > 0 ? [resources.join(', ')] : []),
    ...list('after', names(upstream.get(stage.name)!)),
    ...list('before', names(downstream.get(stage.name)!)),
    ...list('last run', lastRun(project, stage)),
  ];
}

/** The title stands before the first text only. */
function list(title: string, texts: readonly string[]): Line[] {
  return texts.map((text, i) => [i === 0 ? title : '', text]);
}

function names(stages: readonly string[]): string[] {
  return stages.length > 0 ? [listNames(stages)] : [];
}

/** The params with their values; a file that is read as a whole has none. */
async function paramLines(project: Project, stage: Stage): Promise<string[]> {
  const lines: string[] = [];
  for (const { file, keys } of stage.params) {
    if (keys === undefined) lines.push(`${file}, all of it`);
    const value = (await project.stageInputs.paramsFile(file)) as Json;
    for (const key of keys ?? []) {
      const found = lookUp(value, key);
      lines.push(`${file} ${key}: ${found.found ? writeJson(found.value) : 'missing'}`);
    }
  }
  return lines;
}

function lastRun(project: Project, stage: Stage): string[] {
  const attempt = new AttemptLog(project.root).attempts(stage.name).at(-1);
  if (attempt === undefined) return [];
  const memory = attempt.peakMemory === undefined ? '' : `, ${describeBytes(attempt.peakMemory)}`;
  return [
    `${attempt.outcome} in ${describeDuration(attempt.seconds)}${memory}, ${new Date(attempt.started).toLocaleString('sv-SE')}`,
  ];
}
