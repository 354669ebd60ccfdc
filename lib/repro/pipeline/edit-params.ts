/**
 * `-S key=value`: edits params.yaml (or `file.yaml:key=value`) in place; comments and layout stay as they are.
 * `+key=value` adds a key that is not there; `key=@other` takes the value at another key, a mapping being merged into
 * the one that is there.
 */
import { join, normalize } from 'node:path';
import {
  type EditedFiles,
  equal,
  isMapping,
  type Json,
  keyPath,
  loadYaml,
  lookUp,
  parseSettings,
  parseSource,
  readText,
  rewrite,
  type YamlDocument,
  type YamlLibrary,
} from '../documents/index.ts';
import { writeAtomically } from '../files/index.ts';
import { ReproError, suggestion } from '../messages/index.ts';
import { PARAMS } from './pipeline.ts';

/**
 * What the edits make of the files that they change; nothing is written. Throws ReproError when one of them is wrong.
 */
export async function editedTexts(root: string, edits: readonly string[]): Promise<EditedFiles> {
  const yaml = await loadYaml();
  const editors = new Map<string, Editor>();
  for (const edit of edits) {
    const parts = /^(?:([^=:+@]+\.(?:ya?ml|json)):)?(\+?)([^=]+)=(.*)$/s.exec(edit);
    if (parts === null) throw new ReproError(`-S ${edit}: write -S key=value, or -S file.yaml:key=value`);
    const [, named = PARAMS, plus, key, text] = parts;
    const file = normalize(named);
    if (!editors.has(file)) {
      const before = readText(join(root, file), file);
      await parseSettings(before, file);
      editors.set(file, new Editor(yaml, file, before));
    }
    const editor = editors.get(file)!;
    try {
      const merge = text.startsWith('@');
      const value = merge ? editor.valueAt(text.slice(1)) : await parseValue(text);
      editor.set(plus ? editor.newPath(key.trim()) : editor.knownPath(key.trim(), edit), value, merge);
    } catch (error) {
      throw error instanceof ReproError ? new ReproError(`-S ${edit}: ${error.message}`) : error;
    }
  }
  return new Map([...editors].filter(([, editor]) => editor.isChanged).map(([file, { text }]) => [file, text]));
}

export function writeTexts(root: string, texts: EditedFiles): void {
  for (const [file, text] of texts) writeAtomically(join(root, file), text, { fsync: true });
}

/** Sets one key of a YAML file, or takes it out (undefined), and leaves the rest as it is. */
export async function editKey(root: string, file: string, path: KeyPath, value: Json | undefined): Promise<void> {
  const editor = new Editor(await loadYaml(), file, readText(join(root, file), file));
  if (value === undefined) editor.remove(path);
  else editor.set(path, value, false);
  if (editor.isChanged) writeTexts(root, new Map([[file, editor.text]]));
}

async function parseValue(text: string): Promise<Json> {
  if (text === '') return '';
  try {
    return (await parseSource(text, '')).value as Json;
  } catch (error) {
    throw error instanceof ReproError ? new ReproError(`the value: ${error.problems[0].message}`) : error;
  }
}

type KeyPath = readonly (string | number)[];

/** The text of one file, changed value by value. */
class Editor {
  text: string;
  readonly #yaml: YamlLibrary;
  readonly #file: string;
  readonly #before: string;
  #document: YamlDocument;

  constructor(yaml: YamlLibrary, file: string, text: string) {
    this.#yaml = yaml;
    this.#file = file;
    this.#before = text;
    this.text = text;
    this.#document = this.#parse();
  }

  get isChanged(): boolean {
    return this.text !== this.#before;
  }

  valueAt(key: string): Json {
    const found = lookUp(this.#value, key);
    if (!found.found)
      throw new ReproError(`there is no "${found.missing}" in ${this.#file}${suggestion(found.missing, found.known)}`);
    return found.value;
  }

  knownPath(key: string, edit: string): KeyPath {
    const path = keyPath(this.#value, key);
    if (Array.isArray(path)) return path;
    const near = suggestion(path.missing, path.known);
    throw new ReproError(`there is no "${path.missing}" in ${this.#file}${near}; -S +${edit} would add it`);
  }

  newPath(key: string): KeyPath {
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

  set(path: KeyPath, value: Json, merge: boolean): void {
    if (merge && isMapping(value)) {
      for (const [key, item] of Object.entries(value)) this.set([...path, key], item, true);
      return;
    }
    this.#become(this.#document.hasIn(path) ? this.#valueWith(path, value) : withValue(this.#value, path, value));
  }

  remove(path: KeyPath): void {
    if (!this.#document.hasIn(path)) return;
    this.#document.deleteIn(path);
    this.#become(this.#value);
  }

  get #value(): Json {
    return (this.#document.toJS() ?? {}) as Json;
  }

  /** Through the document, so that what refers to the place by an alias follows. */
  #valueWith(path: KeyPath, value: Json): Json {
    const before = this.#document.getIn(path, true) as { anchor?: string };
    if (isMapping(value) || Array.isArray(value)) {
      const node = this.#document.createNode(value);
      node.anchor = before.anchor;
      this.#document.setIn(path, node);
    } else this.#document.setIn(path, value);
    return this.#value;
  }

  #become(wanted: Json): void {
    const json = this.#file.endsWith('.json');
    this.text = rewrite(this.#yaml, this.text, wanted, { json }) ?? this.#layOutAnew(wanted, json);
    this.#document = this.#parse();
  }

  /** For layouts in which nothing can be put in place; comments stay even then. */
  #layOutAnew(wanted: Json, json: boolean): string {
    if (json) return `${JSON.stringify(wanted, null, 2)}\n`;
    if (!equal(this.#value, wanted)) this.#document.contents = this.#document.createNode(wanted) as never;
    return this.#document.toString({ lineWidth: 0, flowCollectionPadding: !/\{[^\s}]/.test(this.text) });
  }

  #parse(): YamlDocument {
    return this.#yaml.parseDocument(this.text, { merge: true });
  }
}

/** A copy in which `value` stands at `path`; mappings on the way that are not there are made. */
function withValue(root: Json, path: KeyPath, value: Json): Json {
  if (path.length === 0) return value;
  const [step, ...rest] = path;
  if (Array.isArray(root)) return root.map((item, i) => (i === step ? withValue(item, rest, value) : item));
  const mapping = isMapping(root) ? root : {};
  return { ...mapping, [step]: withValue(mapping[step] ?? null, rest, value) };
}
