/**
 * The fast path of a call with nothing to do. After a run that left every stage fresh, .repro/fresh keeps the stat
 * signature of each file and folder that this result depends on. While none has changed, all stages are still fresh,
 * and neither YAML nor LMDB need be loaded. Otherwise the full check runs. Deleting the file does no harm.
 *
 * Only files with settled times are stamped (see stat-signature.ts), so that any later change shows.
 */
import { join } from 'node:path';
import { readUtf8 } from './regular-file.ts';
import { statOrUndefined, statSignature } from './stat-signature.ts';

/** The stamp, relative to the pipeline's folder. */
export const STAMP_FILE = '.repro/fresh';
const FORMAT = 2;
/** Starts the line of a folder; the paths after it are relative to it. Other lines are `SIGNATURE <tab> PATH`. */
const FOLDER = 'in ';

/** The facts in a stamp besides the stat signatures of files. */
export interface StampHeader {
  /** The build of repro that wrote the stamp; see build-id.ts. */
  by: string;
  /** How many stages the pipeline has. */
  stages: number;
  /** The pipeline's headline: a file, relative to its folder. */
  headline?: string;
}

/**
 * Checks the stamp of the pipeline in `root`.
 *
 * @param by the build of repro that is running
 * @returns the header of the stamp if all stages are fresh; undefined if a full check is needed
 * @throws Error if the stamp is damaged, which also calls for a full check
 */
export function freshHeader(root: string, by: string): StampHeader | undefined {
  let lines: string[];
  try {
    lines = readUtf8(join(root, STAMP_FILE)).split('\n');
  } catch {
    return undefined;
  }
  // A complete file ends with a newline, so the last item is empty.
  if (lines.pop() !== '') return undefined;
  const header = JSON.parse(lines[0]) as StampHeader & { format: number };
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
  return header;
}

function absolute(folder: string, path: string): string {
  return path.startsWith('/') ? path : `${folder}/${path}`;
}

/**
 * The text of a stamp.
 *
 * @param root the pipeline's folder
 * @param files the stat signature of each file, by path
 * @param folders the lines `SIGNATURE <tab> NAME` of each folder's entries, by the folder's path
 */
export function stampText(
  root: string,
  header: StampHeader,
  files: Iterable<[path: string, signature: string]>,
  folders: Iterable<[path: string, lines: string]>,
): string {
  const inside = `${root}/`;
  const relative = (path: string) => (path.startsWith(inside) ? path.slice(inside.length) : path);
  const parts = [`${JSON.stringify({ format: FORMAT, ...header })}\n`];
  for (const [path, signature] of files) parts.push(`${signature}\t${relative(path)}\n`);
  for (const [path, lines] of folders) parts.push(`${FOLDER}${relative(path)}\n`, lines);
  return parts.join('');
}
