/** `repro import-dvc [DIR]`: writes a pipeline.yaml that does what the dvc.yaml of a project does. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { makeFolder, writeAtomically } from '../../files/index.ts';
import { readUtf8, statOrUndefined } from '../../freshness/index.ts';
import { describeReport, importProject } from '../../import-dvc/index.ts';
import { listNames, plural, ReproError } from '../../messages/index.ts';
import { addToGitignore, moveToTrash } from '../../workspace/index.ts';
import { print, printLine } from '../output.ts';

/** Options of `repro import-dvc`. */
export interface ImportOptions {
  /** Files in the way move to the trash. */
  force?: boolean;
  /** Write nothing; print the report and the new files. */
  dry?: boolean;
}

/**
 * Writes the files and prints a report. The files of DVC stay as they are.
 *
 * @param folder the folder of the DVC project; default: the current one
 * @returns the exit code: 1 if the new pipeline is not valid yet
 * @throws ReproError if dvc.yaml is missing, or a file to be written exists already
 */
export async function importDvc(folder = '.', { force, dry }: ImportOptions): Promise<number> {
  const root = resolve(folder);
  if (!statOrUndefined(root)?.isDirectory()) throw new ReproError(`${folder} is not a folder`);
  const { files, report, problems, stages } = await importProject(root);
  const changed = files.filter(
    ({ path, text }) => !existsSync(join(root, path)) || readUtf8(join(root, path)) !== text,
  );
  const inTheWay = changed.map(({ path }) => path).filter((path) => existsSync(join(root, path)));
  if (dry) for (const { path, text } of changed) print(`# ${path}\n${text}\n`);
  else {
    if (inTheWay.length > 0 && !force)
      throw new ReproError(
        `${listNames(inTheWay)} ${inTheWay.length === 1 ? 'exists and is' : 'exist and are'} not overwritten; --force moves ${inTheWay.length === 1 ? 'it' : 'them'} to the trash first, --dry shows the new text`,
      );
    if (inTheWay.length > 0) printLine(`moved ${listNames(inTheWay)} to ${moveToTrash(root, 'import-dvc', inTheWay)}`);
    for (const { path, text } of changed) {
      makeFolder(dirname(join(root, path)));
      writeAtomically(join(root, path), text, { fsync: true });
    }
    if (existsSync(join(root, '.git'))) addToGitignore(root, ['.repro/']);
  }
  for (const problem of problems) report.leave(`mend ${problem}`);
  const here = relative(process.cwd(), root);
  for (const { path, from } of files) printLine(`${dry ? 'would write' : 'wrote'} ${join(here, path)} from ${from}`);
  print(describeReport(report));
  if (problems.length > 0) printLine(`${plural(problems.length, 'problem')} to mend before repro can run`);
  else
    printLine(
      `${plural(stages.length, 'stage')}; \`repro --dry\` shows what would run, \`repro commit\` records the outputs that exist`,
    );
  return problems.length > 0 ? 1 : 0;
}
