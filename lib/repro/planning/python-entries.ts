/** Finds the Python entries of a pipeline and the folders that PYTHONPATH adds to their imports. */
import { delimiter } from 'node:path';
import { isPython, type PythonEntries } from '../hashing/index.ts';
import { commandText, normalise, type Stage } from '../pipeline/index.ts';

/** PYTHONPATH as a shell command sets it: `PYTHONPATH=src:lib python3 train.py`. */
const ASSIGNMENT = /\bPYTHONPATH=(?:"([^"]*)"|'([^']*)'|([^\s;&|]*))/g;

/**
 * The Python entries of the stages. PYTHONPATH may come from the stage's `env`, from its command, or from the
 * environment. If stages that share an entry differ, the folders of all of them count.
 *
 * @param root the pipeline's folder, absolute
 * @returns by entry, folders inside the pipeline's folder, relative to it
 */
export function pythonEntries(stages: readonly Stage[], root: string): PythonEntries {
  const entries = new Map<string, string[]>();
  for (const stage of stages) {
    const python = stage.code.filter(isPython);
    if (python.length === 0) continue;
    const folders = pythonPath(stage, root);
    for (const entry of python) entries.set(entry, [...new Set([...(entries.get(entry) ?? []), ...folders])]);
  }
  return entries;
}

function pythonPath({ env, cmd, wdir }: Stage, root: string): string[] {
  const inCommands = cmd.flatMap((command) =>
    [...commandText(command).matchAll(ASSIGNMENT)].map((match) => match[1] ?? match[2] ?? match[3]),
  );
  const values = [...inCommands, env.PYTHONPATH ?? process.env.PYTHONPATH ?? ''];
  return values
    .flatMap((value) => value.split(delimiter))
    .map((folder) => folder.replace(/^\$(PWD|\{PWD\})/, '.'))
    .filter((folder) => folder !== '' && !folder.includes('$'))
    .map((folder) => normalise(root, wdir, folder))
    .filter((folder) => !folder.startsWith('..') && !folder.startsWith('/') && !folder.includes('site-packages'));
}
