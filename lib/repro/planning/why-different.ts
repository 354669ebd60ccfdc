/** Whether an output of a removed stage is still what the stage made. */
import { type Content, sameContent } from '../hashing/index.ts';
import { describeError, listNames } from '../messages/index.ts';
import { isMarkedIgnored } from '../workspace/index.ts';
import type { Project } from './project.ts';

/**
 * Why an output is not what the lock recorded.
 *
 * @param stage the stage that made it
 * @returns the end of a sentence, such as "it changed after train made it"; undefined if it is as recorded
 */
export async function whyDifferent(
  project: Project,
  path: string,
  recorded: Content,
  stage: string,
): Promise<string | undefined> {
  try {
    const { content: now, ignored, problem } = await project.stageInputs.output(path);
    if (problem !== undefined) return problem;
    if (!sameContent(now, recorded)) return `it changed after ${stage} made it`;
    const kept = ignored.filter((inside) => !isMarkedIgnored(project.root, stage, inside));
    return kept.length > 0
      ? `it holds ${listNames(kept)}, which .reproignore or a default pattern leaves out`
      : undefined;
  } catch (error) {
    return describeError(error);
  }
}
