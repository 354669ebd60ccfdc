/**
 * The text of dvc-like.lock: splits it into blocks, one for each stage, and parses and writes a block. A block has one
 * canonical text, the one that the YAML library writes. Most blocks hold only plain words and numbers; these are
 * written by `plainText`, which gives the same text in a tenth of the time.
 */
import { isMapping, type Json, loadYaml, WrittenNumber } from '../documents/index.ts';
import type { Content } from '../hashing/index.ts';
import { describeError, ReproError } from '../messages/index.ts';
import type { StageCommand } from '../pipeline/index.ts';

/** Name of the lock file in the pipeline's folder. */
export const LOCK = 'dvc-like.lock';

/** The start of a lock file; the blocks follow. */
export const HEADER = '# What the last run of each stage used and made. Written by repro; commit it to git.\nstages:\n';

/** The content of a dependency; null if it is optional and was missing. */
export type Recorded = Content | null;

/** The inputs and outputs of a stage's last run. */
export interface LockedStage {
  cmd: StageCommand | StageCommand[];
  /** Absent if it is the pipeline's folder. */
  wdir?: string;
  env?: { [name: string]: string };
  deps?: { [path: string]: Recorded };
  code?: { [entry: string]: Content };
  /** Versions of the packages that the code imports. Blocks from before they were recorded have none. */
  packages?: { [name: string]: string };
  /** By file, then by key; the key "" stands for the whole file. */
  params?: { [file: string]: { [key: string]: Json } };
  /** By dependency: the hash of a folder's parts, see planning/folder-parts.ts. Older blocks have none. */
  parts?: { [path: string]: string };
  outs?: { [path: string]: Content };
}

/**
 * The texts of the blocks under `stages:`, by name. A block starts at a line indented by two and ends before the next.
 *
 * @throws ReproError if the text is not a lock file
 */
export function splitBlocks(text: string): Map<string, string> {
  const blocks = new Map<string, string>();
  let name: string | undefined;
  let inStages = false;
  for (const line of text.split(/(?<=\n)/)) {
    if (/^\S/.test(line) && !line.startsWith('#')) {
      inStages = /^stages:\s*$/.test(line);
      name = undefined;
      if (!inStages && !/^stages:\s*(\{\s*\})?\s*$/.test(line)) throw notALock();
    } else if (inStages && /^ {2}[^ #\n]/.test(line)) {
      name = blockName(line);
      blocks.set(name, line);
    } else if (name !== undefined) blocks.set(name, blocks.get(name)! + line);
  }
  return blocks;
}

function notALock(): ReproError {
  return new ReproError({
    message: 'this is not a lock file of repro; delete it, then run repro',
    place: { file: LOCK },
  });
}

function blockName(line: string): string {
  const key = line.trimEnd().replace(/:$/, '').trim();
  if (key.startsWith('"')) {
    try {
      return JSON.parse(key);
    } catch {
      throw notALock(); // repro writes no name that JSON writes in another way.
    }
  }
  return key.startsWith("'") ? key.slice(1, -1).replaceAll("''", "'") : key;
}

/**
 * Parses the blocks of some stages in a lock's text, such as that of another revision.
 *
 * @param names of the stages; default: all
 * @throws ReproError if one of them is damaged
 */
export async function readLock(text: string, names?: readonly string[]): Promise<Map<string, LockedStage>> {
  const blocks = splitBlocks(text);
  const found = new Map<string, LockedStage>();
  for (const name of names ?? blocks.keys())
    if (blocks.has(name)) found.set(name, await parseBlock(name, blocks.get(name)!));
  return found;
}

/**
 * Parses one block.
 *
 * @throws ReproError if it is damaged
 */
export async function parseBlock(name: string, text: string): Promise<LockedStage> {
  const { parse } = await loadYaml();
  let value: unknown;
  try {
    value = (parse(text) as { [name: string]: unknown })[name];
  } catch (error) {
    throw new ReproError({
      message: `the block of ${name} is damaged (${describeError(error).split('\n')[0]}); delete it, and run repro`,
      place: { file: LOCK },
    });
  }
  if (typeof value !== 'object' || value === null || !('cmd' in value))
    throw new ReproError({
      message: `the block of ${name} is damaged; delete it, and run repro`,
      place: { file: LOCK },
    });
  return value as LockedStage;
}

/** The canonical text of a block, indented by two. */
export async function blockText(name: string, block: LockedStage): Promise<string> {
  const value = { [name]: block } as unknown as { [name: string]: Json };
  return plainText(value, '  ') ?? libraryText(value);
}

async function libraryText(value: Json): Promise<string> {
  const { stringify } = await loadYaml();
  const text = stringify(value, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false });
  return text.replace(/^(?=.)/gm, '  ');
}

/** Undefined if the mapping needs any form of YAML other than nested `key: word`. */
function plainText(mapping: { readonly [key: string]: Json }, indent: string): string | undefined {
  let text = '';
  const keys = Object.keys(mapping).sort();
  for (const key of keys) {
    const value = mapping[key];
    const inner = isMapping(value) ? plainText(value, `${indent}  `) : plainWord(value);
    const name = plainWord(key);
    if (inner === undefined || name === undefined) return undefined;
    text += isMapping(value) ? `${indent}${name}:\n${inner}` : `${indent}${name}: ${inner}\n`;
  }
  return keys.length > 0 ? text : undefined;
}

/** Text of these characters, without `:` and `#`, is plain text in YAML and needs no quotes. */
const WORDS = /^[A-Za-z_/](?:[ -"$-9;-~]*[!"$-9;-~])?$/;
/** Text that YAML would read as null, a boolean or a number. */
const QUOTED = /^(?:null|true|false|\d{1,15})$/i;
/** A hash with a letter that no number has, so that YAML reads it as text. */
const HASH = /^(?=.*[a-df])[0-9a-f]{64}$/;
/** The YAML library writes longer keys in another form. */
const LONGEST = 1000;

function plainWord(value: Json): string | undefined {
  if (Array.isArray(value) || isMapping(value) || Object.is(value, -0)) return undefined;
  if (typeof value !== 'string') return value instanceof WrittenNumber ? value.text : JSON.stringify(value);
  if (QUOTED.test(value)) return `"${value}"`;
  return HASH.test(value) || (value.length <= LONGEST && WORDS.test(value)) ? value : undefined;
}
