/**
 * The quickest way to know that there is nothing to do: after a run that left everything up to date, what stat says of
 * every file and folder that this rested on is kept in .repro/fresh. While all of it is unchanged, so is the verdict, and
 * neither YAML nor LMDB need be loaded. Anything else is left to the full check; deleting the file does no harm.
 *
 * Only settled times count (see content.ts), so no later change can leave them as they are.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identity, isSettled, statOrUndefined } from './identity.ts';

const FILE = '.repro/fresh';
const FORMAT = 1;

interface Header {
  format: number;
  /** The build of repro that gave it. */
  by: string;
  stages: number;
}

/** How many stages are all up to date; undefined: that is not known. */
export function certified(root: string, by: string): number | undefined {
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
  for (let i = 1; i < lines.length; i++) {
    const tab = lines[i].indexOf('\t');
    const path = lines[i].slice(tab + 1);
    const stat = statOrUndefined(path.startsWith('/') ? path : `${root}/${path}`);
    if ((stat ? identity(stat) : '') !== lines[i].slice(0, tab)) return undefined;
  }
  return header.stages;
}

/** What stat said of each path that a verdict rests on, taken before the path was read; by absolute path. */
export class Witnesses {
  readonly #seen = new Map<string, string>();
  #settled = true;

  /** Takes down what stat says, or that there is nothing. */
  add(path: string, stat = statOrUndefined(path)): void {
    this.#seen.set(path, stat ? identity(stat) : '');
    if (stat && !isSettled(stat)) this.#settled = false;
  }

  clear(): void {
    this.#seen.clear();
    this.#settled = true;
  }

  /** Writes the certificate, unless something in it changed so recently that a further change might not show. */
  certify(root: string, by: string, stages: number): void {
    if (!this.#settled) return;
    const header: Header = { format: FORMAT, by, stages };
    const inside = `${root}/`;
    const lines = [JSON.stringify(header)];
    for (const [path, identity] of this.#seen) {
      if (path.includes('\n')) return;
      lines.push(`${identity}\t${path.startsWith(inside) ? path.slice(inside.length) : path}`);
    }
    const temporary = join(root, `${FILE}.${process.pid}.tmp`);
    mkdirSync(join(root, '.repro'), { recursive: true });
    writeFileSync(temporary, `${lines.join('\n')}\n`);
    renameSync(temporary, join(root, FILE));
  }
}
