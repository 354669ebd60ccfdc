/**
 * `repro why STAGE`: shows what changed since the last run: old and new value, and the last commit with the old value.
 */

import { equal, type Json, lookUp, parseSource } from '../../documents/index.ts';
import { select } from '../../graph/index.ts';
import { escapeLine } from '../../messages/index.ts';
import { commandText, type StageCommand } from '../../pipeline/index.ts';
import { type CommandLines, openProject, planWithoutLeft, type Reason } from '../../planning/index.ts';
import { type History, openHistory } from '../../results/index.ts';
import { LOCK, type LockedStage, readLock } from '../../storage/index.ts';
import { describeReason } from '../describe-reason.ts';
import { printJson } from '../json-output.ts';
import { print, printLine } from '../output.ts';

/**
 * Prints the reasons why a stage is stale.
 *
 * @param target a stage, a group or an output
 * @returns the exit code, 0
 * @throws ReproError if the target is unknown
 */
export async function why(target: string, options: { json?: boolean; allowMissing?: boolean }): Promise<number> {
  const project = await openProject(process.cwd(), { write: true, claim: false });
  try {
    const chosen = new Set(select(project.graph, { at: project, targets: [target], single: true }));
    const { plan } = await planWithoutLeft(project, select(project.graph, { at: project, targets: [target] }), options);
    const history = await openHistory(project.root);
    const stages: { [name: string]: { state: string; reasons: (Reason & { commit?: string })[] } } = {};
    for (const { stage, status } of plan) {
      if (!chosen.has(stage.name)) continue;
      const reasons = [];
      for (const reason of status.reasons) {
        const commit = history && (await lastCommitWith(history, stage.name, reason, project.lock.get(stage.name)));
        reasons.push({ ...reason, ...(commit ? { commit } : {}) });
      }
      stages[stage.name] = { state: status.state, reasons };
    }
    if (options.json) printJson({ stages }, 2);
    else
      for (const [name, { state, reasons }] of Object.entries(stages)) {
        printLine(`${name}: ${state}`);
        for (const reason of reasons) print(describeReasonAndCommit(reason));
      }
    return 0;
  } finally {
    await project.close();
  }
}

/** One line or, for a command, three. */
function describeReasonAndCommit(reason: Reason & { commit?: string }): string {
  const lastCommit = reason.commit ? `  (old value last in ${reason.commit})` : '';
  if (reason.kind === 'command') {
    const lines = (cmd: CommandLines) => ([cmd].flat() as StageCommand[]).map(commandText).join(' && ');
    return `  its command changed${lastCommit}\n    old: ${lines(reason.old)}\n    new: ${lines(reason.new)}\n`;
  }
  const hashes =
    (reason.kind === 'dep' || reason.kind === 'code' || reason.kind === 'out-changed') && reason.old && reason.new
      ? `: ${reason.old.sha256.slice(0, 12)} → ${reason.new.sha256.slice(0, 12)}`
      : '';
  return `  ${escapeLine(describeReason(reason))}${hashes}${lastCommit}\n`;
}

/**
 * The newest commit in which the old value of a reason was in place. A param is looked up in its file, anything else in
 * the lock.
 *
 * @param recorded the stage's entry in the current lock
 * @returns the abbreviated hash; undefined if no commit has the value
 */
async function lastCommitWith(
  history: History,
  stage: string,
  reason: Reason,
  recorded: LockedStage | undefined,
): Promise<string | undefined> {
  // The lock records all modules of a code entry as one hash.
  const codeEntry = (locked: LockedStage | undefined) =>
    reason.kind === 'code' ? locked?.code?.[reason.entry ?? reason.path] : undefined;
  const old = (codeEntry(recorded) ?? ('old' in reason ? reason.old : undefined)) as Json | undefined;
  if (old === undefined) return undefined;
  const inLock = (locked: LockedStage | undefined): Json | undefined => {
    switch (reason.kind) {
      case 'command':
        return locked?.cmd as Json;
      case 'env':
        return locked?.env?.[reason.key];
      case 'dep':
        return locked?.deps?.[reason.path] as unknown as Json;
      case 'out-changed':
        return locked?.outs?.[reason.path] as unknown as Json;
      case 'package':
        return locked?.packages?.[reason.name];
      case 'code':
        return codeEntry(locked) as unknown as Json;
      default:
        return undefined;
    }
  };
  for await (const { name, text } of history.versions(reason.kind === 'param' ? reason.file : LOCK)) {
    try {
      let found: Json | undefined;
      if (reason.kind === 'param') {
        const entry = lookUp((await parseSource(text, reason.file)).value as Json, reason.key);
        found = entry.found ? entry.value : undefined;
      } else found = inLock((await readLock(text, [stage])).get(stage));
      if (equal(found, old)) return name;
    } catch {
      // A version that cannot be read does not have the value.
    }
  }
  return undefined;
}
