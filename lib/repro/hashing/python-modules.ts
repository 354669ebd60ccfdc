/**
 * The modules behind Python entries. python3 parses the project's files (python-program.ts); one call answers for all
 * entries. An import is looked for in the folder of its entry, in every folder above up to the pipeline's folder, in
 * `src` of each of these, in the folders of PYTHONPATH, and in those that the code adds to sys.path. Which of them
 * Python searches depends on how the command starts it, so a module counts in each folder that has one of its name.
 * The standard library and installed packages are not followed.
 */
import { dirname, join } from 'node:path';
import { ReproError } from '../messages/index.ts';
import { callProgram } from '../programs/index.ts';
import { PYTHON_PROGRAM } from './python-program.ts';

/** The modules that a Python entry imports, or why they are not known. Paths are relative to the pipeline's folder. */
export type PythonModules = { modules: string[]; folders: string[] } | { failure: ReproError };

interface Answer {
  modules?: string[];
  folders?: string[];
  file?: string | null;
  line?: number | null;
  column?: number | null;
  message?: string;
}

/** Whether a code entry is a Python module. */
export function isPython(entry: string): boolean {
  return entry.endsWith('.py');
}

/**
 * The folders in which the imports of an entry are looked for, in addition to those that its code adds.
 *
 * @param pythonPath folders of PYTHONPATH, relative to the pipeline's folder
 * @example searchFolders('stages/train.py', ['lib']) // ['stages', 'stages/src', '.', 'src', 'lib']
 */
export function searchFolders(entry: string, pythonPath: readonly string[]): string[] {
  const folders: string[] = [];
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    folders.push(folder, join(folder, 'src'));
    if (folder === '.' || /^(\.\.(\/|$))+$/.test(folder)) break;
  }
  return [...new Set([...folders, '.', 'src', ...pythonPath])];
}

/**
 * Follows the imports of entries.
 *
 * @param root the pipeline's folder
 * @param entries existing Python files, each with the folders to search
 * @returns for each entry its modules, or an error for a file that cannot be read or parsed
 * @throws ReproError if python3 cannot be run
 */
export async function pythonModules(
  root: string,
  entries: ReadonlyMap<string, readonly string[]>,
): Promise<Map<string, PythonModules>> {
  const { stdout, exitCode, signal, error, stderr } = await callProgram(
    'python3',
    // Isolated and without site-packages: nothing of the user's runs, and it starts sooner.
    ['-I', '-S', '-X', 'utf8', '-W', 'ignore', '-c', PYTHON_PROGRAM],
    { input: JSON.stringify({ root, entries: Object.fromEntries(entries) }), cwd: root },
  );
  const [first] = entries.keys();
  if (exitCode !== 0) {
    const cause =
      error !== undefined
        ? `python3 cannot be run (${error.message})`
        : `python3 failed (${stderr.trim().split('\n').at(-1) || signal || `exit ${exitCode}`})`;
    throw new ReproError(
      `code: the imports of "${first}" cannot be followed, because ${cause}; install python3, or list the files under deps`,
    );
  }
  const answers = JSON.parse(stdout) as { [entry: string]: Answer };
  return new Map(
    Object.entries(answers).map(
      ([entry, { modules, folders, file, line, column, message }]): [string, PythonModules] => {
        if (modules !== undefined && folders !== undefined) return [entry, { modules, folders }];
        const place = { file: file ?? entry, line: line ?? undefined, column: column ?? undefined };
        return [entry, { failure: new ReproError({ message: `this code cannot be followed: ${message}`, place }) }];
      },
    ),
  );
}
