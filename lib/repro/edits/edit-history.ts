/**
 * The edits that -S has made, in .repro/edits.json, so that `repro undo` can take the last one back. An edit is taken
 * back by putting the text of before into the file. So it is refused if the file has been edited since.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type EditedFiles, type Json, leaves, parseSettings, readText, show } from '../documents/index.ts';
import { makeFolder, writeAtomically } from '../files/index.ts';
import { ReproError } from '../messages/index.ts';
import { isOutside } from '../pipeline/index.ts';
import { writeTexts } from './edit-params.ts';

const FILE = '.repro/edits.json';
/** Number of calls that can be undone. */
const KEPT = 20;

/** One call of repro with -S. */
interface Edit {
  /** the arguments of -S */
  edits: readonly string[];
  /** by path relative to the root: the whole text of the file before and after */
  files: { [file: string]: { before: string; after: string } };
}

/**
 * Adds edits that were just written to the history, so that they can be undone. Only the last 20 calls are kept.
 *
 * @param edits the arguments of -S
 * @param before the texts of the files before the edits, by path relative to `root`
 * @param after their new texts
 */
export function recordEdits(root: string, edits: readonly string[], before: EditedFiles, after: EditedFiles): void {
  if (after.size === 0) return;
  const files = Object.fromEntries(
    [...after].map(([file, text]) => [file, { before: before.get(file)!, after: text }]),
  );
  save(root, [...load(root), { edits, files }].slice(-KEPT));
}

/** Forgets the last edits, after the caller has put the texts of before back. */
export function forgetLastEdits(root: string): void {
  save(root, load(root).slice(0, -1));
}

/**
 * Takes the edits of the last call with -S back.
 *
 * @returns its arguments of -S, and the files that are as before
 * @throws ReproError if no earlier call is recorded, or a file was edited since. Nothing is changed then
 */
export async function undoLastEdits(root: string): Promise<{ edits: readonly string[]; files: readonly string[] }> {
  const history = load(root);
  const last = history.at(-1);
  if (last === undefined) throw new ReproError('there is no edit by -S to take back');
  const call = last.edits.map((edit) => `-S ${edit}`).join(' ');
  for (const [file, { before, after }] of Object.entries(last.files))
    if (readText(join(root, file), file) !== after) {
      throw new ReproError(
        `${file} has been edited since ${call}, and undo would overwrite that edit; nothing was changed. ` +
          `Before, it had ${await changedValues(file, before, after)}`,
      );
    }
  const files = Object.keys(last.files);
  writeTexts(root, new Map(files.map((file) => [file, last.files[file].before])));
  forgetLastEdits(root);
  return { edits: last.edits, files };
}

/** The values of `before` that are others in `after`, as "train.lr: 0.001, train.tokens: 1000". */
async function changedValues(file: string, before: string, after: string): Promise<string> {
  const [old, edited] = await Promise.all(
    [before, after].map(async (text) => new Map(leaves((await parseSettings(text, file)).value as Json))),
  );
  const shown = (key: string) => (old.has(key) ? `${key}: ${show(old.get(key)!)}` : `no ${key}`);
  const keys = new Set([...old.keys(), ...edited.keys()]);
  return [...keys]
    .filter((key) => show(old.get(key)!) !== show(edited.get(key)!))
    .map(shown)
    .join(', ');
}

/** The edits that are remembered, oldest first. A file that is damaged, or not of repro, counts as none. */
function load(root: string): Edit[] {
  const path = join(root, FILE);
  if (!existsSync(path)) return [];
  try {
    const history = JSON.parse(readText(path, FILE));
    return Array.isArray(history) && history.every(isEdit) ? history : [];
  } catch {
    return [];
  }
}

/** Whether -S can have made the edit: .repro may come from somebody else, and name any file. */
function isEdit(value: Partial<Edit> | null): value is Edit {
  return (
    Array.isArray(value?.edits) &&
    typeof value.files === 'object' &&
    Object.entries(value.files).every(
      ([file, texts]) =>
        /\.(ya?ml|json|toml)$/.test(file) &&
        !isOutside(file) &&
        typeof texts?.before === 'string' &&
        typeof texts.after === 'string',
    )
  );
}

function save(root: string, history: readonly Edit[]): void {
  makeFolder(join(root, '.repro'));
  writeAtomically(join(root, FILE), `${JSON.stringify(history)}\n`, { fsync: false });
}
