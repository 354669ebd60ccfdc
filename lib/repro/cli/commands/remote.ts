/** `repro push`, `repro fetch` and `repro pull`. Pull is fetch and then checkout. */

import { select } from '../../graph/index.ts';
import { describeBytes, plural } from '../../messages/index.ts';
import { findRoot } from '../../pipeline/index.ts';
import { openProject, type Project } from '../../planning/index.ts';
import { fetch, findRemote, push, type TransferProgress, type TransferSource } from '../../storage/index.ts';
import { clearProgress, printError, printLine, printProgress } from '../output.ts';
import { checkOutStages } from './data.ts';

/**
 * Copies the objects and recorded runs of the targets to or from a remote; without targets, of all stages.
 *
 * @param options `remote`: a folder, or the name of a remote in .repro/config.yaml
 * @returns the exit code: 1 if something could not be copied or checked out, else 0
 * @throws ReproError if there is no such remote
 */
export async function remote(
  verb: 'push' | 'fetch' | 'pull',
  targets: readonly string[],
  options: { remote?: string },
): Promise<number> {
  const address = await findRemote(findRoot(process.cwd()), options.remote);
  const project = await openProject(process.cwd(), { write: true });
  try {
    const names = select(project.graph, { at: project, targets, single: true });
    const { copied, present, repaired, problems } = await (verb === 'push' ? push : fetch)(
      transferSource(project),
      names,
      address,
      showProgress,
    );
    clearProgress();
    const repairs = repaired > 0 ? `, ${repaired} repaired` : '';
    printLine(
      `${plural(copied, 'object')} ${verb === 'push' ? 'pushed' : 'fetched'}, ${present} there already${repairs}`,
    );
    if (verb === 'pull') {
      project.stageInputs.forget();
      const result = await checkOutStages(project, names);
      printLine(`${plural(result.restored, 'output')} checked out`);
      problems.push(...result.problems);
    }
    for (const problem of problems) printError(problem);
    return problems.length > 0 ? 1 : 0;
  } finally {
    clearProgress();
    await project.close();
  }
}

/** @example '12/1000 objects, 1.2 GiB of 3.4 GiB' */
function showProgress({ files, allFiles, bytes, allBytes }: TransferProgress): void {
  printProgress(`${files}/${plural(allFiles, 'object')}, ${describeBytes(bytes)} of ${describeBytes(allBytes)}`);
}

/** The part of a project that push and fetch use. */
export function transferSource(project: Project): TransferSource {
  const { root, lock, graph, hasher, cache } = project;
  return { root, cacheFolder: cache.folder, lock, stages: graph.stages, hasher };
}
