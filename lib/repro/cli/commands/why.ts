/** `repro why STAGE`: what differs from the last run, old and new, and the commit that last had the old state. */

import { equal, type Json, lookUp, parseSource } from '../../documents/index.ts';
import { select } from '../../pipeline/index.ts';
import { makePlan, openProject, type Reason } from '../../planning/index.ts';
import { type History, openHistory } from '../../results/index.ts';
import { LOCK, type LockedStage, readLock } from '../../storage/index.ts';
import { describeReason } from '../describe-reason.ts';

export async function why(target: string, call: { json?: boolean }): Promise<number> {
  const project = await openProject(process.cwd(), { write: true });
  try {
    const named = new Set(select(project.graph, { targets: [target], single: true }));
    const plan = await makePlan(project, select(project.graph, { targets: [target] }), {});
    const history = await openHistory(project.root);
    const stages: { [name: string]: { state: string; reasons: (Reason & { commit?: string })[] } } = {};
    for (const { stage, status: verdict } of plan) {
      if (!named.has(stage.name)) continue;
      const reasons = [];
      for (const reason of verdict.reasons) {
        const commit = history && (await lastCommitWith(history, stage.name, reason, project.lock.get(stage.name)));
        reasons.push({ ...reason, ...(commit ? { commit } : {}) });
      }
      stages[stage.name] = { state: verdict.state, reasons };
    }
    if (call.json) process.stdout.write(`${JSON.stringify({ stages }, null, 2)}\n`);
    else
      for (const [name, { state, reasons }] of Object.entries(stages)) {
        process.stdout.write(`${name}: ${state}\n`);
        for (const reason of reasons) process.stdout.write(describe(reason));
      }
    return 0;
  } finally {
    await project.close();
  }
}

function describe(reason: Reason & { commit?: string }): string {
  const since = reason.commit ? `  (was so in ${reason.commit})` : '';
  if (reason.kind === 'command') {
    const lines = (cmd: string | readonly string[]) => [cmd].flat().join(' && ');
    return `  its command changed${since}\n    old: ${lines(reason.old)}\n    new: ${lines(reason.new)}\n`;
  }
  const hashes =
    (reason.kind === 'dep' || reason.kind === 'code' || reason.kind === 'out-changed') && reason.old && reason.new
      ? `: ${reason.old.sha256.slice(0, 12)} → ${reason.new.sha256.slice(0, 12)}`
      : '';
  return `  ${describeReason(reason)}${hashes}${since}\n`;
}

/** Abbreviated; undefined when no commit had it. A param is looked for in its file, all else in the lock. */
async function lastCommitWith(
  history: History,
  stage: string,
  reason: Reason,
  recorded: LockedStage | undefined,
): Promise<string | undefined> {
  // The lock has the modules of a code entry as one hash.
  const closure = (block: LockedStage | undefined) =>
    reason.kind === 'code' ? block?.code?.[reason.entry ?? reason.path] : undefined;
  const old = (closure(recorded) ?? ('old' in reason ? reason.old : undefined)) as Json | undefined;
  if (old === undefined) return undefined;
  const inLock = (block: LockedStage | undefined): Json | undefined => {
    switch (reason.kind) {
      case 'command':
        return block?.cmd as Json;
      case 'env':
        return block?.env?.[reason.key];
      case 'dep':
        return block?.deps?.[reason.path] as unknown as Json;
      case 'out-changed':
        return block?.outs?.[reason.path] as unknown as Json;
      case 'code':
        return closure(block) as unknown as Json;
      default:
        return undefined;
    }
  };
  for await (const { name, text } of history.versions(reason.kind === 'param' ? reason.file : LOCK)) {
    try {
      let found: Json | undefined;
      if (reason.kind === 'param') {
        const at = lookUp((await parseSource(text, reason.file)).value as Json, reason.key);
        found = at.found ? at.value : undefined;
      } else found = inLock((await readLock(text, [stage])).get(stage));
      if (equal(found, old)) return name;
    } catch {
      // A version that cannot be read had nothing.
    }
  }
  return undefined;
}
