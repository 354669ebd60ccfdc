/**
 * `-S key=value`: edits params.yaml (or `file.yaml:key=value`) in place; comments and layout stay as they are. `+key=value`
 * adds a key that is not there; `key=@other` takes the value at another key, a mapping being merged into the one that is there.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from './document.ts';
import { ReproError } from './errors.ts';
import { equal, isMapping, type Json, keyPath, lookUp } from './json.ts';
import { suggestion } from './nearest.ts';
import { PARAMS } from './pipeline.ts';
import type * as Yaml from './yaml.ts';

/** Applies all edits or, when one is wrong, none; throws ReproError. */
export async function editParams(root: string, edits: readonly string[]): Promise<void> {
  const yaml = await import('./yaml.ts');
  const files = new Map<string, { before: string; editor: Editor }>();
  for (const edit of edits) {
    const parts = /^(?:([^=:+@]+\.(?:ya?ml|json)):)?(\+?)([^=]+)=(.*)$/s.exec(edit);
    if (parts === null) throw new ReproError(`-S ${edit}: write -S key=value, or -S file.yaml:key=value`);
    const [, file = PARAMS, plus, key, text] = parts;
    if (!files.has(file)) {
      const before = readText(join(root, file), file);
      files.set(file, { before, editor: new Editor(yaml, file, before) });
    }
    const { editor } = files.get(file)!;
    try {
      const merge = text.startsWith('@');
      const value = merge ? editor.valueAt(text.slice(1)) : parseValue(yaml, text);
      editor.set(plus ? editor.newPath(key.trim()) : editor.knownPath(key.trim(), edit), value, merge);
    } catch (error) {
      throw error instanceof ReproError ? new ReproError(`-S ${edit}: ${error.message}`) : error;
    }
  }
  for (const [file, { before, editor }] of files) if (editor.text !== before) replace(join(root, file), editor.text);
}

/** Sets one key of a YAML file, or takes it out (undefined), and leaves the rest as it is. */
export async function editKey(
  root: string,
  file: string,
  path: readonly (string | number)[],
  value: Json | undefined,
): Promise<void> {
  const before = readText(join(root, file), file);
  const editor = new Editor(await import('./yaml.ts'), file, before);
  if (value === undefined) editor.remove(path);
  else editor.set(path, value, false);
  if (editor.text !== before) replace(join(root, file), editor.text);
}

function replace(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

function parseValue(yaml: typeof Yaml, text: string): Json {
  try {
    return (text === '' ? '' : yaml.parse(text)) as Json;
  } catch (error) {
    throw new ReproError(`the value is no valid YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** The text of one file, changed value by value. */
class Editor {
  text: string;
  readonly #yaml: typeof Yaml;
  readonly #file: string;
  #document: Yaml.Document;

  constructor(yaml: typeof Yaml, file: string, text: string) {
    this.#yaml = yaml;
    this.#file = file;
    this.text = text;
    this.#document = yaml.parseDocument(text);
    const [error] = this.#document.errors;
    if (error)
      throw new ReproError({ message: `this is no valid YAML: ${error.message.split('\n')[0]}`, place: { file } });
  }

  get #value(): Json {
    return (this.#document.toJS() ?? {}) as Json;
  }

  valueAt(key: string): Json {
    const found = lookUp(this.#value, key);
    if (found.found) return found.value;
    throw new ReproError(`there is no "${found.missing}" in ${this.#file}${suggestion(found.missing, found.known)}`);
  }

  knownPath(key: string, edit: string): (string | number)[] {
    const path = keyPath(this.#value, key);
    if (Array.isArray(path)) return path;
    const near = suggestion(path.missing, path.known);
    throw new ReproError(`there is no "${path.missing}" in ${this.#file}${near}; -S +${edit} would add it`);
  }

  newPath(key: string): (string | number)[] {
    const steps = key.split('.');
    for (let depth = steps.length; depth > 0; depth--) {
      const above = steps.slice(0, depth).join('.');
      const known = keyPath(this.#value, above);
      if (!Array.isArray(known)) continue;
      const at = lookUp(this.#value, above);
      if (depth < steps.length && at.found && !isMapping(at.value) && at.value !== null)
        throw new ReproError(`"${above}" is no mapping, so nothing can be added to it`);
      return [...known, ...steps.slice(depth)];
    }
    return steps;
  }

  set(path: readonly (string | number)[], value: Json, merge: boolean): void {
    if (merge && isMapping(value)) {
      for (const [key, item] of Object.entries(value)) this.set([...path, key], item, true);
      return;
    }
    this.#document.setIn(path, this.#document.createNode(value));
    const wanted = this.#value;
    const spliced = this.#splice(path, value);
    const reread = spliced === undefined ? undefined : this.#yaml.parseDocument(spliced);
    // Where the text around it does not allow that, the file is laid out anew; comments stay even then.
    if (reread && reread.errors.length === 0 && equal(reread.toJS() as Json, wanted)) this.text = spliced!;
    else this.text = this.#document.toString({ lineWidth: 0, flowCollectionPadding: !/\{[^\s}]/.test(this.text) });
    this.#document = this.#yaml.parseDocument(this.text);
  }

  remove(path: readonly (string | number)[]): void {
    const above = this.#document.getIn(path.slice(0, -1), true) as Placed | undefined;
    const pair = above?.items?.find(({ key }) => (key as { value?: unknown } | undefined)?.value === path.at(-1)) as
      | { key?: Placed; value?: Placed }
      | undefined;
    if (!pair?.key?.range) return;
    this.#document.deleteIn(path);
    const wanted = this.#value;
    const lineStart = this.text.lastIndexOf('\n', pair.key.range[0]) + 1;
    const lineEnd = this.text.indexOf('\n', pair.value?.range?.[1] ?? pair.key.range[1]);
    const cut = above!.flow
      ? undefined
      : this.text.slice(0, lineStart) + (lineEnd < 0 ? '' : this.text.slice(lineEnd + 1));
    const reread = cut === undefined ? undefined : this.#yaml.parseDocument(cut);
    if (reread && reread.errors.length === 0 && equal(reread.toJS() as Json, wanted)) this.text = cut!;
    else this.text = this.#document.toString({ lineWidth: 0, flowCollectionPadding: !/\{[^\s}]/.test(this.text) });
    this.#document = this.#yaml.parseDocument(this.text);
  }

  /** The text with just this value's characters replaced, or a new key put behind its neighbours. */
  #splice(path: readonly (string | number)[], value: Json): string | undefined {
    const document = this.#yaml.parseDocument(this.text);
    const node = document.getIn(path, true) as Placed | undefined;
    const written = this.#write(value);
    if (node?.range) {
      if (node.items && !node.flow) return undefined;
      const [start, end] = node.range;
      return `${this.text.slice(0, start)}${start === end ? ' ' : ''}${written}${this.text.slice(end)}`;
    }
    const above = (path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)) as
      | Placed
      | undefined;
    const first = above?.items?.[0]?.key?.range?.[0];
    if (!above?.range || first === undefined) return undefined;
    const key = this.#write(path.at(-1)!);
    if (above.flow) {
      const end = this.text.lastIndexOf('}', above.range[1]);
      return `${this.text.slice(0, end).trimEnd()}, ${key}: ${written}${/\s*$/.exec(this.text.slice(0, end))![0]}${this.text.slice(end)}`;
    }
    const indent = ' '.repeat(first - (this.text.lastIndexOf('\n', first - 1) + 1));
    const before = this.text.slice(0, above.range[1]).trimEnd();
    const line = this.text.indexOf('\n', before.length);
    const end = line < 0 ? this.text.length : line;
    return `${this.text.slice(0, end)}\n${indent}${key}: ${written}${this.text.slice(end)}`;
  }

  /** On one line, as it can stand anywhere. */
  #write(value: Json): string {
    if (this.#file.endsWith('.json')) return JSON.stringify(value);
    if (typeof value !== 'object' || value === null) return plainText(this.#yaml, value);
    if (Array.isArray(value)) return `[${value.map((item) => this.#write(item)).join(', ')}]`;
    return `{${Object.entries(value)
      .map(([key, item]) => `${this.#write(key)}: ${this.#write(item)}`)
      .join(', ')}}`;
  }
}

/** What is used of the YAML library's nodes. */
interface Placed {
  range?: [start: number, valueEnd: number, nodeEnd: number];
  flow?: boolean;
  items?: { key?: Placed }[];
}

/** Quoted where it would otherwise mean something else inside [] or {}. */
function plainText(yaml: typeof Yaml, value: Json): string {
  if (typeof value === 'string' && /[,[\]{}#:&*!|>'"%@`\n]/.test(value)) return JSON.stringify(value);
  return yaml.stringify(value).trim();
}
