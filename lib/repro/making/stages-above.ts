/**
 * Which running stages this call of repro comes from. A stage's command may call repro on other stages. If it called
 * repro on its own stage, each would wait for the other for ever.
 */
import { ReproError } from '../messages/index.ts';
import type { PlannedStage, Project } from '../planning/index.ts';

/** The environment variable that commands inherit: a JSON list of [root, stage]. */
export const STAGES_ABOVE = 'REPRO_STAGES_ABOVE';

/** The value of the variable for the commands of a stage. */
export function stagesAbove(root: string, stage: string): string {
  return JSON.stringify([...inherited(), [root, stage]]);
}

/**
 * Refuses a plan that would wait for a stage which is running and waits for this call.
 *
 * @throws ReproError that names the stage
 */
export function checkNotWithin(project: Project, plan: readonly PlannedStage[]): void {
  const running = stagesThatCall(project.root);
  for (const { stage, status } of plan)
    if (running.has(stage.name) && status.state !== 'fresh' && status.state !== 'frozen')
      throw new ReproError(
        `${stage.name} is running, and this call of repro comes from its command: it would wait for itself`,
      );
}

/** The running stages of the project whose commands this call of repro comes from. */
export function stagesThatCall(root: string): Set<string> {
  return new Set(inherited().flatMap(([folder, stage]) => (folder === root ? [stage] : [])));
}

function inherited(): [root: string, stage: string][] {
  try {
    return JSON.parse(process.env[STAGES_ABOVE] ?? '[]');
  } catch {
    return [];
  }
}
