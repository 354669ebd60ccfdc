/**
 * Presets: named sets of values for many keys of params.yaml. pipeline.yaml says which key names the preset, and which
 * file holds the presets:
 *
 *   pipeline.yaml   presets: {study: studies.yaml}
 *   params.yaml     study: default
 *   studies.yaml    default: {train: {tokens: 1000, lr: 0.1}}
 *                   large: {train: {tokens: 5000}}
 *
 * `-S study=large` sets the values of `default`, then those of `large`, and `study: large` (edit-params.ts). So
 * `-S study=default` brings back every value that a preset has set. Keys that `default` does not have stay as they are.
 *
 * The name is a claim: repro refuses a params.yaml with `study: large` and other values. `default` and `custom` claim
 * nothing, so that values can be edited by hand.
 */
import {
  differences,
  type FileSource,
  isMapping,
  type Json,
  keyPath,
  readDocumentFrom,
  type SourceDocument,
  show,
} from '../documents/index.ts';
import { plural, ReproError, suggestion } from '../messages/index.ts';
import { PARAMS, PIPELINE } from './pipeline.ts';

/** The preset whose values come first. Its name claims nothing. */
const BASE = 'default';
/** The name for values that are of no preset. */
export const CUSTOM = 'custom';

/** The presets that one key of params.yaml can name. */
export class Presets {
  /** The key of params.yaml. */
  readonly key: string;
  readonly #document: SourceDocument;

  /** @throws ReproError if the file cannot be read or is not a mapping of presets */
  static async read(files: FileSource, key: string, file: string): Promise<Presets> {
    return new Presets(key, await readDocumentFrom(files, file));
  }

  private constructor(key: string, document: SourceDocument) {
    this.key = key;
    this.#document = document;
    const presets = document.value;
    if (!isMapping(presets) || !isMapping(presets[BASE]))
      throw new ReproError({
        message: `needs a mapping of presets, and among them ${BASE}, with the value of every key that a preset sets`,
        place: { file: document.file },
      });
    for (const [name, values] of Object.entries(presets)) {
      if (name === CUSTOM)
        throw this.#error([name], `${CUSTOM} stands for values of no preset; give this preset another name`);
      if (!isMapping(values)) throw this.#error([name], `${name} must be a mapping of values for ${PARAMS}`);
      this.#checkKeys([name], values, presets[BASE]);
    }
  }

  /** The names that the key may have. */
  get names(): string[] {
    return [...Object.keys(this.#presets), CUSTOM];
  }

  /**
   * The values to set for a name: those of the base, with those of the preset in their place.
   *
   * @returns no values for `custom`
   * @throws ReproError if there is no such preset, or if params.yaml has not all of its keys
   */
  values(name: Json, params: Json): { readonly [key: string]: Json } {
    if (name === CUSTOM) return {};
    if (typeof name !== 'string' || !Object.hasOwn(this.#presets, name)) throw new ReproError(this.#unknown(name));
    const values = this.#values(name);
    const missing = differences(values, restrictedTo(values, params)).find((found) => found.new === undefined);
    if (missing === undefined) return values;
    throw this.#error(missing.key.split('.'), `there is no "${missing.key}" in ${PARAMS}, which ${name} would set`);
  }

  /**
   * Checks that params.yaml has the values that its name claims.
   *
   * @throws ReproError with the place of the name, if it is not the name of a preset; of the first other value, if one
   *   differs; or of a key of a preset that params.yaml does not have
   */
  check(params: SourceDocument): void {
    const root = params.value as Json;
    if (!isMapping(root) || !Object.hasOwn(root, this.key))
      throw new ReproError({
        message: `has no key "${this.key}", which ${PIPELINE} lists under presets; write ${this.key}: ${BASE}`,
        place: { file: PARAMS },
      });
    const name = root[this.key];
    if (name === CUSTOM) return;
    if (typeof name !== 'string' || !Object.hasOwn(this.#presets, name))
      throw new ReproError({
        message: this.#unknown(name),
        place: params.at([this.key], 'value'),
        key: this.key,
      });
    if (name === BASE) return;
    const [first, ...rest] = this.differences(name, root);
    if (first === undefined) return;
    const others = rest.length === 0 ? '' : ` (and ${plural(rest.length, 'more value')})`;
    const path = keyPath(root, first.key);
    throw new ReproError({
      message:
        `${first.key} is ${show(first.new)}, but ${this.key}: ${name} means ${show(first.old)}${others}; ` +
        `repro -S ${this.key}=${name} sets its values, and ${this.key}: ${CUSTOM} keeps yours`,
      place: params.at(Array.isArray(path) ? path : [this.key], 'value'),
      key: first.key,
    });
  }

  /** The values of params.yaml (`new`) that differ from those that a name claims (`old`). */
  differences(name: Json, params: Json): { key: string; old?: Json; new?: Json }[] {
    if (!this.isClaim(name)) return [];
    const values = this.#values(name as string);
    return differences(values, restrictedTo(values, params));
  }

  /** Whether a name claims that params.yaml has the values of its preset. */
  isClaim(name: Json): boolean {
    return name !== BASE && name !== CUSTOM;
  }

  get #presets(): { readonly [name: string]: Json } {
    return this.#document.value as { readonly [name: string]: Json };
  }

  #values(name: string): { readonly [key: string]: Json } {
    return merged(this.#presets[BASE], this.#presets[name]) as { readonly [key: string]: Json };
  }

  #unknown(name: Json): string {
    return `there is no ${this.key} ${show(name)} in ${this.#document.file}${suggestion(String(name), this.names)}`;
  }

  /** Each value of a preset must have its counterpart in the base, so that the base can bring it back. */
  #checkKeys(path: readonly string[], values: { readonly [key: string]: Json }, base: Json): void {
    for (const [key, value] of Object.entries(values)) {
      if (!isMapping(base) || !Object.hasOwn(base, key))
        throw this.#error(
          [...path, key],
          `${path[0]} sets ${[...path.slice(1), key].join('.')}, but ${BASE} does not, so -S ${this.key}=${BASE} could not bring its value back`,
        );
      if (isMapping(value)) this.#checkKeys([...path, key], value, base[key]);
    }
  }

  #error(path: readonly string[], message: string): ReproError {
    return new ReproError({ message, place: this.#document.at(path) });
  }
}

/** Reads the presets of all keys that pipeline.yaml lists. */
export async function readPresets(files: FileSource, listed: Json | undefined): Promise<Presets[]> {
  const entries = isMapping(listed) ? Object.entries(listed) : [];
  return Promise.all(entries.map(([key, file]) => Presets.read(files, key, String(file))));
}

/** The presets that the pipeline.yaml of a folder lists; none if it cannot be read, which is reported later. */
export async function listedPresets(files: FileSource): Promise<Presets[]> {
  const text = await files.read(PIPELINE);
  // Most pipelines have none, and need not be parsed.
  if (text === undefined || !/presets['"]?\s*:/.test(text)) return [];
  const { value } = await readDocumentFrom(files, PIPELINE);
  return readPresets(files, isMapping(value) ? value.presets : undefined);
}

/** `over` merged into `base`: mappings key by key; any other value replaces the one of the base. */
function merged(base: Json, over: Json): Json {
  if (!isMapping(base) || !isMapping(over)) return over;
  const keys = Object.keys(over).map((key) => [
    key,
    Object.hasOwn(base, key) ? merged(base[key], over[key]) : over[key],
  ]);
  return { ...base, ...Object.fromEntries(keys) };
}

/** The part of `value` that has the keys of `shape`. */
function restrictedTo(shape: Json, value: Json | undefined): Json {
  if (!isMapping(shape) || !isMapping(value)) return value ?? null;
  const kept = Object.keys(shape).filter((key) => Object.hasOwn(value, key));
  return Object.fromEntries(kept.map((key) => [key, restrictedTo(shape[key], value[key])]));
}
