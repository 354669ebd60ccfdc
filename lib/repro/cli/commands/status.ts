/** `repro status`: what would become of each stage, and why; nothing is run. */

import { describeStateCounts, describeUpToDate } from '../../messages/index.ts';
import { select } from '../../pipeline/index.ts';
import { makePlan, openProject } from '../../planning/index.ts';
import { describeReason } from '../describe-reason.ts';

export async function status(targets: readonly string[], call: { json?: boolean; quiet?: boolean }): Promise<number> {
  const project = await openProject(process.cwd(), { write: true });
  try {
    const plan = await makePlan(project, select(project.graph, { targets }), {});
    const outdated = plan.filter(({ status: verdict }) => verdict.state !== 'fresh' && verdict.state !== 'frozen');
    if (call.json) {
      const stages = Object.fromEntries(
        plan.map(({ stage, status: verdict }) => [stage.name, { state: verdict.state, reasons: verdict.reasons }]),
      );
      process.stdout.write(`${JSON.stringify({ stages }, null, 2)}\n`);
    } else if (!call.quiet) {
      for (const { stage, status: verdict } of plan) {
        if (verdict.state === 'fresh') continue;
        process.stdout.write(`${stage.name}: ${verdict.state}\n`);
        for (const reason of verdict.reasons) process.stdout.write(`  ${describeReason(reason)}\n`);
        if ('notes' in verdict) for (const note of verdict.notes) process.stdout.write(`  ${note}\n`);
      }
      process.stdout.write(
        `${outdated.length === 0 ? describeUpToDate(plan.length) : describeStateCounts(plan.map(({ status: verdict }) => verdict))}\n`,
      );
    }
    return call.quiet && outdated.length > 0 ? 1 : 0;
  } finally {
    await project.close();
  }
}
