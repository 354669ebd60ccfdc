/** The values for templates: params.yaml, other files, and mappings in pipeline.yaml. */
import { equal, type FileSource, isMapping, type Json, lookUp, readDocumentFrom, show } from '../documents/index.ts';
import { ReproError, suggestion } from '../messages/index.ts';

/** Reads vars files, each once, merges them into contexts, and adds the files to `sources`. */
export class VarsReader {
  readonly #texts: FileSource;
  readonly #sources: string[];
  readonly #files = new Map<string, Json>();

  constructor(texts: FileSource, sources: string[]) {
    this.#texts = texts;
    this.#sources = sources;
  }

  /**
   * Merges one entry of `vars` into a context.
   *
   * @param entry a file, `file:key,key`, or a mapping
   * @throws ReproError if the file cannot be read, lacks a key, or has another value for a key that is already set
   */
  async merge(context: Record<string, Json>, entry: Json): Promise<void> {
    if (isMapping(entry)) return mergeInto(context, entry, '');
    const [, file, keys] = /^(.*?\.\w+)(?::(.+))?$/.exec(String(entry)) ?? [undefined, String(entry), undefined];
    const value = await this.#read(file!);
    if (!isMapping(value)) {
      if (value === null || value === undefined) return;
      throw new ReproError({ message: `must be a mapping, but is ${show(value)}`, place: { file: file! } });
    }
    if (keys === undefined) return mergeInto(context, value, '');
    for (const key of keys.split(',')) {
      const found = lookUp(value, key.trim());
      if (!found.found)
        throw new ReproError(`there is no "${found.missing}" in ${file}${suggestion(found.missing, found.known)}`);
      mergeInto(context, { [key.trim()]: found.value }, '');
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

function mergeInto(target: Record<string, Json>, from: { readonly [key: string]: Json }, prefix: string): void {
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
