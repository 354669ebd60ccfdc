/**
 * The quickest way to know that there is nothing to do: after a run that left everything up to date, what stat says of
 * every file and folder that this rested on is kept in .repro/fresh. While all of it is unchanged, so is the verdict, and
 * neither YAML nor LMDB need be loaded. Anything else is left to the full check; deleting the file does no harm.
 *
 * Only settled times count (see scan.ts), so no later change can leave them as they are.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../files/index.ts';
import { isSettled, statOrUndefined, statSignature } from './stat-signature.ts';

const FILE = '.repro/fresh';
const FORMAT = 2;
/** Starts the line of a folder that the paths after it are in; all other lines start with an identity and a tab. */
const FOLDER = 'in ';

interface Header {
  format: number;
  /** The build of repro that gave it. */
  by: string;
  stages: number;
}

/** How many stages are all up to date; undefined: that is not known. */
export function freshStages(root: string, by: string): number | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(root, FILE), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  // The last line is empty in a whole file.
  if (lines.pop() !== '') return undefined;
  const header = JSON.parse(lines[0]) as Header;
  if (header.format !== FORMAT || header.by !== by) return undefined;
  let folder = root;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i];
    if (line.startsWith(FOLDER)) {
      folder = absolute(root, line.slice(FOLDER.length));
      continue;
    }
    const tab = line.indexOf('\t');
    const stat = statOrUndefined(absolute(folder, line.slice(tab + 1)));
    if ((stat ? statSignature(stat) : '') !== line.slice(0, tab)) return undefined;
  }
  return header.stages;
}

function absolute(folder: string, path: string): string {
  return path.startsWith('/') ? path : `${folder}/${path}`;
}

/** What stat said of each path that a verdict rests on, taken before the path was read. */
export class StatSnapshot {
  /** By absolute path. */
  readonly #single = new Map<string, string>();
  /** Of all that is in a folder, by its absolute path: the lines of the certificate. */
  readonly #folders = new Map<string, string>();
  /** Whether all of it can be relied on. */
  #certain = true;

  /** Takes down what stat says, or that there is nothing. */
  add(path: string, stat = statOrUndefined(path)): void {
    this.#single.set(path, stat ? statSignature(stat) : '');
    if ((stat && !isSettled(stat)) || path.includes('\n')) this.#certain = false;
  }

  /** The same of all items of a folder; `key` is an item's name, a slash at its end does no harm. */
  addFolder(folder: string, items: readonly { key: string; identity: string }[], settled: boolean): void {
    const lines = items.map(({ key, identity }) => `${identity}\t${key}\n`).join('');
    this.#folders.set(folder, lines);
    if (!settled || folder.includes('\n') || items.some(({ key }) => key.includes('\n'))) this.#certain = false;
  }

  clear(): void {
    this.#single.clear();
    this.#folders.clear();
    this.#certain = true;
  }

  /** Writes the certificate, unless something in it changed so recently that a further change might not show. */
  writeFreshStamp(root: string, by: string, stages: number): void {
    if (!this.#certain) return;
    const header: Header = { format: FORMAT, by, stages };
    const inside = `${root}/`;
    const relative = (path: string) => (path.startsWith(inside) ? path.slice(inside.length) : path);
    const parts = [`${JSON.stringify(header)}\n`];
    for (const [path, identity] of this.#single) parts.push(`${identity}\t${relative(path)}\n`);
    for (const [path, lines] of this.#folders) parts.push(`${FOLDER}${relative(path)}\n`, lines);
    mkdirSync(join(root, '.repro'), { recursive: true });
    // fsync: a stamp cut short at the end of a line would look whole, and its last files would never be checked.
    writeAtomically(join(root, FILE), parts.join(''), { fsync: true });
  }
}
