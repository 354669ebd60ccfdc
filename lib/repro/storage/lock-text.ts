/**
 * What the lock holds of a stage, and its text: blocks found in it, a block read, and a block written. A block has one
 * canonical text, which is what the YAML library makes of it; one of nothing but plain words and numbers, as most are, is
 * written here, in a tenth of the time.
 */
import { isMapping, type Json, loadYaml } from '../documents/index.ts';
import type { Content } from '../hashing/index.ts';
import { describeError, ReproError } from '../messages/index.ts';

export const LOCK = 'dvc-like.lock';

export const HEADER = '# What the last run of each stage used and made. Written by repro; commit it to git.\nstages:\n';

/** null: an optional dependency that was not there. */
export type Recorded = Content | null;

/** What one stage used and made. */
export interface LockedStage {
  cmd: string | string[];
  /** Absent: the pipeline's folder. */
  wdir?: string;
  env?: { [name: string]: string };
  deps?: { [path: string]: Recorded };
  code?: { [entry: string]: Content };
  /** By file, then by key; the key "" is the whole file. */
  params?: { [file: string]: { [key: string]: Json } };
  outs?: { [path: string]: Content };
}

/** Texts of the blocks under `stages:` by name; a block starts at a line indented by two and reaches to the next. */
export function splitBlocks(text: string): Map<string, string> {
  const blocks = new Map<string, string>();
  let name: string | undefined;
  let inStages = false;
  for (const line of text.split(/(?<=\n)/)) {
    if (/^\S/.test(line) && !line.startsWith('#')) {
      inStages = /^stages:\s*$/.test(line);
      name = undefined;
      if (!inStages && !/^stages:\s*(\{\s*\})?\s*$/.test(line))
        throw new ReproError({
          message: 'this is no lock file of repro; delete it, and run repro',
          place: { file: LOCK },
        });
    } else if (inStages && /^ {2}[^ #\n]/.test(line)) {
      name = blockName(line);
      blocks.set(name, line);
    } else if (name !== undefined) blocks.set(name, blocks.get(name)! + line);
  }
  return blocks;
}

function blockName(line: string): string {
  const key = line.trimEnd().replace(/:$/, '').trim();
  if (key.startsWith('"')) return JSON.parse(key);
  return key.startsWith("'") ? key.slice(1, -1).replaceAll("''", "'") : key;
}

/** The blocks of some stages out of a lock's text, as of another revision. */
export async function readLock(text: string, names: readonly string[]): Promise<Map<string, LockedStage>> {
  const blocks = splitBlocks(text);
  const found = new Map<string, LockedStage>();
  for (const name of names) if (blocks.has(name)) found.set(name, await parseBlock(name, blocks.get(name)!));
  return found;
}

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

export async function blockText(name: string, block: LockedStage): Promise<string> {
  const value = { [name]: block } as unknown as { [name: string]: Json };
  return plainText(value, '  ') ?? libraryText(value);
}

async function libraryText(value: Json): Promise<string> {
  const { stringify } = await loadYaml();
  const text = stringify(value, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false });
  return text.replace(/^(?=.)/gm, '  ');
}

/** Undefined where it takes a form of YAML other than `key: word`, or more than words. */
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

/** Of these letters, and without `:` and `#`, nothing can be taken for more than text. */
const WORDS = /^[A-Za-z_/](?:[ -"$-9;-~]*[!"$-9;-~])?$/;
/** Text that would be taken for something else. */
const QUOTED = /^(?:null|true|false|\d{1,15})$/i;
/** With a letter that no number has. */
const HASH = /^(?=.*[a-df])[0-9a-f]{64}$/;
/** Longer keys have a form of their own. */
const LONGEST = 1000;

function plainWord(value: Json): string | undefined {
  if (Array.isArray(value) || isMapping(value) || Object.is(value, -0)) return undefined;
  if (typeof value !== 'string') return JSON.stringify(value);
  if (QUOTED.test(value)) return `"${value}"`;
  return HASH.test(value) || (value.length <= LONGEST && WORDS.test(value)) ? value : undefined;
}
