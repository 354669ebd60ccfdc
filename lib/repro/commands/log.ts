/** `repro log [STAGE]`: attempts, and what the last one said. */

import { select } from '../graph.ts';
import { type Attempt, Ledger } from '../ledger.ts';
import { openProject } from '../project.ts';
import { plainTable } from '../table.ts';
import { describeBytes, describeSeconds } from '../units.ts';

export async function log(target: string | undefined, call: { json?: boolean; last?: number }): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  await project.close();
  const ledger = new Ledger(project.root);
  const all = ledger.attempts();
  // A stage that is no longer in the pipeline still has its attempts.
  const known = target !== undefined && all.some(({ stage }) => stage === target);
  const names =
    target === undefined
      ? undefined
      : new Set(known ? [target] : select(project.graph, { targets: [target], single: true }));
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

function row({ stage, started, seconds, outcome, exit, signal, gpus, peakMemory }: Attempt): string[] {
  const how = signal ?? (exit !== undefined && exit !== 0 ? `exit ${exit}` : '');
  return [
    stage,
    // As in ISO 8601, but by the clock on the wall.
    new Date(started).toLocaleString('sv-SE'),
    describeSeconds(seconds),
    how ? `${outcome} (${how})` : outcome,
    gpus?.join(',') ?? '',
    peakMemory === undefined ? '' : describeBytes(peakMemory),
  ];
}
