/** `repro log [STAGE]`: attempts, and what the last one said. It is there when pipeline.yaml is broken, too. */

import { type Attempt, AttemptLog } from '../../execution/index.ts';
import { describeBytes, describeDuration, plainTable } from '../../messages/index.ts';
import { findRoot, select } from '../../pipeline/index.ts';
import { openProject } from '../../planning/index.ts';

export async function log(target: string | undefined, call: { json?: boolean; last?: number }): Promise<number> {
  const ledger = new AttemptLog(findRoot(process.cwd()));
  const all = ledger.attempts();
  const names = target === undefined ? undefined : await stagesMeant(target, all);
  const attempts = all
    .filter(({ stage }) => names === undefined || names.has(stage))
    .slice(-(call.last ?? (target ? 1000 : 30)));
  if (call.json) {
    process.stdout.write(`${JSON.stringify(attempts, null, 2)}\n`);
    return 0;
  }
  if (attempts.length === 0) {
    process.stdout.write(target === undefined ? 'nothing has run yet\n' : `${target} has not run yet\n`);
    return 0;
  }
  const header = ['stage', 'started', 'took', 'outcome', 'gpus', 'peak memory'];
  const rows = attempts.map(row);
  const filled = header.map((_, i) => rows.some((cells) => cells[i] !== ''));
  const shown = (cells: readonly string[]) => cells.filter((_, i) => filled[i]);
  process.stdout.write(plainTable(shown(header), rows.map(shown)));
  const last = attempts.at(-1)!;
  if (target !== undefined && last.log) process.stdout.write(`\n${last.log}:\n${ledger.read(last.log)}`);
  return 0;
}

/** A stage that is no longer in the pipeline still has its attempts; what else may be meant, the pipeline knows. */
async function stagesMeant(target: string, all: readonly Attempt[]): Promise<Set<string>> {
  if (all.some(({ stage }) => stage === target)) return new Set([target]);
  const project = await openProject(process.cwd(), { write: false });
  await project.close();
  return new Set(select(project.graph, { targets: [target], single: true }));
}

function row({ stage, started, seconds, outcome, exit, signal, gpus, peakMemory }: Attempt): string[] {
  const how = signal ?? (exit !== undefined && exit !== 0 ? `exit ${exit}` : '');
  return [
    stage,
    // As in ISO 8601, but by the clock on the wall.
    new Date(started).toLocaleString('sv-SE'),
    describeDuration(seconds),
    how ? `${outcome} (${how})` : outcome,
    gpus?.join(',') ?? '',
    peakMemory === undefined ? '' : describeBytes(peakMemory),
  ];
}
