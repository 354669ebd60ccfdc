/**
 * `-S key=value` edits params.yaml, and `-S file.yaml:key=value` another file. Comments and layout are kept.
 *
 *   key=value    changes the value of an existing key; in place of a number, 20M and 20_000_000 are numbers
 *   +key=value   adds a key
 *   key=@other   copies the value of another key; a mapping is merged into the existing one
 *   key=NAME     where pipeline.yaml lists presets for the key: sets the values of the preset NAME too (pipeline/presets.ts)
 */
import { homedir } from 'node:os';
import { join, normalize } from 'node:path';
import {
  type EditedFiles,
  equalAsWritten,
  folderSource,
  isMapping,
  type Json,
  keyPath,
  loadYaml,
  lookUp,
  numberOf,
  parseSettings,
  parseSource,
  readText,
  rewrite,
  show,
  toPortable,
  WrittenNumber,
  writeJson,
  type YamlDocument,
  type YamlLibrary,
} from '../documents/index.ts';
import { writeAtomically } from '../files/index.ts';
import { plural, ReproError, suggestion, warn } from '../messages/index.ts';
import { CUSTOM, listedPresets, PARAMS, type Presets } from '../pipeline/index.ts';

/**
 * The new texts of the files that the edits change. Writes nothing.
 *
 * @param edits arguments of -S
 * @throws ReproError if an edit is malformed, names an unknown key, or gives a value that is not valid YAML
 */
export async function editedTexts(root: string, edits: readonly string[]): Promise<EditedFiles> {
  const yaml = await loadYaml();
  const editors = new Map<string, Editor>();
  const presets = await listedPresets(folderSource(root));
  for (const edit of edits) {
    const parts = /^(?:([^=:+@]+\.(?:ya?ml|json)):)?(\+?)([^=]+)=(.*)$/s.exec(edit);
    const [, toml] = /^([^=:+@]+\.toml):/.exec(edit) ?? [];
    if (toml !== undefined)
      throw new ReproError(`-S ${edit}: -S edits YAML and JSON files; change ${toml} in an editor`);
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
      const path = plus ? editor.newPath(key.trim()) : editor.knownPath(key.trim(), edit);
      const written = plus ? text : plainValue(text, editor.valueAt(key.trim()));
      const value = merge ? editor.valueAt(text.slice(1)) : await parseValue(written, file.endsWith('.json'));
      editor.set(path, value, merge);
      const preset = file === PARAMS ? presets.find((each) => each.key === key.trim()) : undefined;
      if (preset !== undefined) editor.set([], preset.values(value, editor.value), true);
    } catch (error) {
      throw error instanceof ReproError ? new ReproError(`-S ${edit}: ${error.message}`) : error;
    }
  }
  const params = editors.get(PARAMS);
  if (params !== undefined) for (const preset of presets) withdrawClaim(params, preset);
  return new Map([...editors].filter(([, editor]) => editor.isChanged).map(([file, { text }]) => [file, text]));
}

/** Names the values `custom` if an edit has changed one of those that the name of the preset claims. */
function withdrawClaim(editor: Editor, preset: Presets): void {
  const { value } = editor;
  const name = isMapping(value) ? value[preset.key] : undefined;
  // A name that is not of a preset is refused when the pipeline is read.
  if (typeof name !== 'string' || !preset.names.includes(name)) return;
  const [first] = preset.differences(name, value);
  if (first === undefined) return;
  editor.set([preset.key], CUSTOM, false);
  warn(`${preset.key} is ${CUSTOM} now, because ${first.key} is ${show(first.new)}, and ${show(first.old)} in ${name}`);
}

/**
 * Writes edited files. A symbolic link stays, and the file that it points to is written.
 *
 * @returns the texts before, for an undo
 */
export function writeTexts(root: string, texts: EditedFiles): EditedFiles {
  const before = new Map([...texts.keys()].map((file) => [file, readText(join(root, file), file)]));
  for (const [file, text] of texts) writeAtomically(join(root, file), text, { fsync: true });
  return before;
}

/**
 * Sets one key of a YAML file and keeps the rest of the text.
 *
 * @param value undefined removes the key
 */
export async function editKey(root: string, file: string, path: KeyPath, value: Json | undefined): Promise<void> {
  const editor = new Editor(await loadYaml(), file, readText(join(root, file), file));
  if (value === undefined) editor.remove(path);
  else editor.set(path, value, false);
  if (editor.isChanged) writeTexts(root, new Map([[file, editor.text]]));
}

const THOUSANDS: { readonly [unit: string]: number } = { '': 1, k: 1e3, M: 1e6, B: 1e9 };

/**
 * Converts a value that a person typed to the form for the file: `20M` and `20_000_000` in place of a number, and `~`
 * at the start of a path. A shell expands `~` only where a word begins.
 *
 * @param before the value in the file; where it is a text, `20M` is one too
 */
function plainValue(text: string, before: Json): string {
  if (/^~\//.test(text)) return homedir() + text.slice(1);
  const [, digits, unit = ''] = /^(\d+(?:_\d{3})*(?:\.\d+)?)([kMB])?$/.exec(text) ?? [];
  if (digits === undefined || numberOf(before) === undefined || digits + unit === digits.replaceAll('_', ''))
    return text;
  const value = Number((Number(digits.replaceAll('_', '')) * THOUSANDS[unit]).toPrecision(15));
  return Number.isSafeInteger(value) ? String(value) : text;
}

async function parseValue(text: string, isJson: boolean): Promise<Json> {
  if (text === '') return '';
  try {
    return toPortable((await parseSource(text, '')).value as Json, isJson);
  } catch (error) {
    throw error instanceof ReproError ? new ReproError(`the value: ${error.problems[0].message}`) : error;
  }
}

type KeyPath = readonly (string | number)[];

/** Changes the text of one file, one value at a time. */
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
    const found = lookUp(this.value, key);
    if (!found.found)
      throw new ReproError(`there is no "${found.missing}" in ${this.#file}${suggestion(found.missing, found.known)}`);
    return found.value;
  }

  knownPath(key: string, edit: string): KeyPath {
    const path = keyPath(this.value, key);
    if (Array.isArray(path)) return path;
    const near = suggestion(path.missing, path.known);
    // The plus stands before the key, and after the name of a file.
    const added = edit.startsWith(`${this.#file}:`)
      ? `${this.#file}:+${edit.slice(this.#file.length + 1)}`
      : `+${edit}`;
    let hint = '';
    try {
      this.newPath(key);
      hint = `${near.endsWith('?') ? '' : ';'} -S ${added} would add it`;
    } catch {
      if (/["']/.test(key)) hint = `${near.endsWith('?') ? '' : ';'} keys are written without quotes`;
    }
    throw new ReproError(`there is no "${path.missing}" in ${this.#file}${near}${hint}`);
  }

  /**
   * Where a new key goes: into the mapping that the longest part of it names, or at the end of a list.
   *
   * @throws ReproError if no key can be called so
   */
  newPath(key: string): KeyPath {
    const [, list = '', index] = /^(.+)\[(\d+)\]$/.exec(key) ?? [];
    const path = keyPath(this.value, list);
    const entries = lookUp(this.value, list);
    if (index !== undefined && Array.isArray(path) && entries.found && Array.isArray(entries.value)) {
      const { length } = entries.value;
      if (Number(index) > length)
        throw new ReproError(
          `${list} has ${plural(length, 'entry', 'entries')}, so the next one is ${list}[${length}]`,
        );
      return [...path, Number(index)];
    }
    const steps = key.split('.');
    const named = (added: readonly string[]): readonly string[] => {
      const bad = added.find((step) => step === '' || step.trim() !== step || /["'[\]]/.test(step));
      if (bad === undefined) return added;
      throw new ReproError(`"${bad}" cannot be the name of a new key: write it into ${this.#file} if it must be so`);
    };
    for (let depth = steps.length; depth > 0; depth--) {
      const above = steps.slice(0, depth).join('.');
      const known = keyPath(this.value, above);
      if (!Array.isArray(known)) continue;
      const at = lookUp(this.value, above);
      if (depth < steps.length && at.found && !isMapping(at.value) && at.value !== null)
        throw new ReproError(`"${above}" is not a mapping, so nothing can be added to it`);
      return [...known, ...named(steps.slice(depth))];
    }
    return named(steps);
  }

  /** @param merge true: a mapping is merged into the existing one, key by key */
  set(path: KeyPath, value: Json, merge: boolean): void {
    const edits: Iterable<[KeyPath, Json]> = merge ? mergedLeaves(path, value) : [[path, value]];
    const added: [KeyPath, Json][] = [];
    for (const [at, leaf] of edits)
      if (this.#document.hasIn(at)) this.#setInDocument(at, leaf);
      else added.push([at, leaf]);
    this.#rewriteTo(added.reduce((wanted, [at, leaf]) => withValue(wanted, at, leaf), this.value));
  }

  remove(path: KeyPath): void {
    if (!this.#document.hasIn(path)) return;
    this.#document.deleteIn(path);
    this.#rewriteTo(this.value);
  }

  get value(): Json {
    return (this.#document.toJS() ?? {}) as Json;
  }

  /** Sets the value in the YAML document, so that every alias of it gets the new value too. */
  #setInDocument(path: KeyPath, value: Json): void {
    const before = this.#document.getIn(path, true) as { anchor?: string };
    if (isMapping(value) || Array.isArray(value) || value instanceof WrittenNumber) {
      const node = this.#document.createNode(value);
      node.anchor = before.anchor;
      this.#document.setIn(path, node);
    } else this.#document.setIn(path, value);
  }

  #rewriteTo(wanted: Json): void {
    const json = this.#file.endsWith('.json');
    this.text = rewrite(this.#yaml, this.text, wanted, { json }) ?? this.#writeAnew(wanted, json);
    this.#document = this.#parse();
  }

  /** Writes the whole file again, for a layout that does not allow a local change. In YAML, comments are kept. */
  #writeAnew(wanted: Json, json: boolean): string {
    if (json) return `${writeJson(wanted, 2)}\n`;
    if (!equalAsWritten(this.value, wanted)) this.#document.contents = this.#document.createNode(wanted) as never;
    return this.#document.toString({ lineWidth: 0, flowCollectionPadding: !/\{[^\s}]/.test(this.text) });
  }

  #parse(): YamlDocument {
    return this.#yaml.parseDocument(this.text, { merge: true });
  }
}

/** The values in a mapping that are not mappings, each with its path; a value that is not a mapping itself. */
function* mergedLeaves(path: KeyPath, value: Json): Generator<[KeyPath, Json]> {
  if (!isMapping(value)) yield [path, value];
  else for (const [key, item] of Object.entries(value)) yield* mergedLeaves([...path, key], item);
}

/** A copy of `root` with `value` at `path`; missing mappings on the way are created. */
function withValue(root: Json, path: KeyPath, value: Json): Json {
  if (path.length === 0) return value;
  const [step, ...rest] = path;
  if (Array.isArray(root) && step === root.length) return [...root, withValue(null, rest, value)];
  if (Array.isArray(root)) return root.map((item, i) => (i === step ? withValue(item, rest, value) : item));
  const mapping = isMapping(root) ? root : {};
  return { ...mapping, [step]: withValue(mapping[step] ?? null, rest, value) };
}
