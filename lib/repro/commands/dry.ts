/** `repro --dry`: every stage, what would become of it, and about how long that would take. */

import { availableParallelism } from 'node:os';
import type { Ledger } from '../ledger.ts';
import type { PlannedStage } from '../plan.ts';
import type { Project } from '../project.ts';
import { describeReason } from '../stale.ts';
import { describeSeconds } from '../units.ts';

const WOULD = {
  fresh: 'is up to date',
  stale: 'would run',
  restorable: 'would be restored',
  maybe: 'might run',
  frozen: 'is frozen',
} as const;

export async function showPlan(
  _project: Project,
  plan: readonly PlannedStage[],
  ledger: Ledger,
  call: { json?: boolean; jobs?: number },
): Promise<number> {
  const expected = ledger.durations();
  if (call.json) {
    const stages = plan.map(({ stage, verdict }) => ({
      stage: stage.name,
      state: verdict.state,
      reasons: verdict.reasons,
      expected: expected.get(stage.name),
    }));
    process.stdout.write(`${JSON.stringify({ event: 'plan', stages, jobs: call.jobs ?? availableParallelism() })}\n`);
    return 0;
  }
  for (const { stage, verdict } of plan) {
    const reasons = verdict.reasons.map(describeReason).join('; ');
    process.stdout.write(`${stage.name}  ${WOULD[verdict.state]}${reasons ? `: ${reasons}` : ''}\n`);
  }
  const count = (state: string) => plan.filter(({ verdict }) => verdict.state === state).length;
  const jobs = call.jobs ?? availableParallelism();
  const torun = plan.filter(({ verdict }) => verdict.state === 'stale' || verdict.state === 'maybe');
  const known = torun.filter(({ stage }) => expected.has(stage.name));
  const seconds =
    known.reduce((sum, { stage }) => sum + expected.get(stage.name)!, 0) / Math.min(jobs, Math.max(1, known.length));
  const states = (['stale', 'maybe', 'restorable', 'frozen', 'fresh'] as const)
    .filter((state) => count(state) > 0)
    .map((state) => `${count(state)} ${state}`);
  const price =
    torun.length === 0
      ? ''
      : known.length === 0
        ? '; how long is not known yet'
        : `; about ${describeSeconds(seconds)} on ${jobs} ${jobs === 1 ? 'worker' : 'workers'}${known.length < torun.length ? `, not counting ${torun.length - known.length} that never ran` : ''}`;
  process.stdout.write(`${states.join(', ') || 'no stages'}${price}\n`);
  return 0;
}
