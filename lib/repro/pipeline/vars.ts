/** The values for templates: params.yaml, other files, and mappings in pipeline.yaml. */
import { equal, type FileSource, isMapping, type Json, lookUp, readDocumentFrom, show } from '../documents/index.ts';
import { ReproError, suggestion } from '../messages/index.ts';
import { normalise } from './paths.ts';
import { findTemplate, TemplateError } from './template.ts';

/** Reads vars files, each once, merges them into contexts, and adds the files to `sources`. */
export class VarsReader {
  readonly #root: string;
  readonly #texts: FileSource;
  readonly #sources: string[];
  readonly #files = new Map<string, Json>();

  constructor(root: string, texts: FileSource, sources: string[]) {
    this.#root = root;
    this.#texts = texts;
    this.#sources = sources;
  }

  /**
   * Merges one entry of `vars` into a context.
   *
   * @param entry a file, `file:key,key`, or a mapping
   * @param wdir the folder that the file is relative to
   * @throws ReproError if the entry has a template, if the file cannot be read or lacks a key, or if a key is set to
   *   another value already
   */
  async merge(context: Record<string, Json>, entry: Json, wdir = '.'): Promise<void> {
    refuseTemplates(entry);
    if (isMapping(entry)) return mergeInto(context, entry);
    const [, file, keys] = /^(.*?\.\w+)(?::(.+))?$/.exec(String(entry)) ?? [undefined, String(entry), undefined];
    const path = normalise(this.#root, wdir, file!);
    if (wdir !== '.' && (await this.#texts.read(path)) === undefined)
      throw new ReproError(
        `there is no file "${path}"; vars files are relative to the wdir of their stage, or to the folder of the file that names them`,
      );
    const value = await this.#read(path);
    if (!isMapping(value)) {
      if (value === null || value === undefined) return;
      throw new ReproError({ message: `must be a mapping, but is ${show(value)}`, place: { file: path } });
    }
    if (keys === undefined) return mergeInto(context, value);
    for (const key of keys.split(',')) {
      const found = lookUp(value, key.trim());
      if (!found.found)
        throw new ReproError(`there is no "${found.missing}" in ${file}${suggestion(found.missing, found.known)}`);
      mergeInto(context, { [key.trim()]: found.value });
    }
  }

  async #read(file: string): Promise<Json> {
    if (!this.#files.has(file)) {
      this.#sources.push(file);
      this.#files.set(file, (await readDocumentFrom(this.#texts, file)).value as Json);
    }
    return this.#files.get(file)!;
  }
}

/** A template would stay as it is, and the shell would take it for a variable of its own. */
function refuseTemplates(entry: Json): void {
  const found = findTemplate(entry);
  if (found === undefined) return;
  throw new TemplateError(
    `the vars have the template "${found.template}", but templates are not filled in there; write the value itself, or use the template where the value is used`,
    found.path,
  );
}

/**
 * Merges values into a context. Mappings are merged key by key.
 *
 * @param prefix of the keys in messages
 * @throws ReproError if a key has another value already
 */
export function mergeInto(target: Record<string, Json>, from: { readonly [key: string]: Json }, prefix = ''): void {
  for (const [key, value] of Object.entries(from)) {
    if (!Object.hasOwn(target, key)) target[key] = value;
    else if (isMapping(target[key]) && isMapping(value)) {
      const merged = { ...(target[key] as Record<string, Json>) };
      mergeInto(merged, value, `${prefix}${key}.`);
      target[key] = merged;
    } else if (!equal(target[key], value))
      throw new ReproError(`"${prefix}${key}" has two values in the vars: ${show(target[key])} and ${show(value)}`);
  }
}
