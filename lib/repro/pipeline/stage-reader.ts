/** Reads one definition in pipeline.yaml as a Stage: fills in its templates and checks the values. */
import {
  canonical,
  isMapping,
  type Json,
  type KeyPath,
  numberOf,
  rounded,
  type SourceDocument,
  show,
} from '../documents/index.ts';
import { type Problem, parseBytes, parseSeconds, ReproError } from '../messages/index.ts';
import { isPattern, normalise } from './paths.ts';
import { type Output, PARAMS, type ParamSource, type Resources, type Stage } from './pipeline.ts';
import { readCommands } from './stage-command.ts';
import { type Context, fillIn, TemplateError } from './template.ts';

/**
 * Reads one definition with the values of one context, such as those of a matrix cell. Errors name their place in the
 * file.
 */
export class StageReader {
  readonly #document: SourceDocument;
  readonly #source: KeyPath;
  readonly #root: string;
  readonly #context: Context;
  #wdir: string;

  /** @param folder the folder of the document, which `wdir` is relative to */
  constructor(document: SourceDocument, source: KeyPath, root: string, context: Context, folder = '.') {
    this.#document = document;
    this.#source = source;
    this.#root = root;
    this.#context = context;
    this.#wdir = folder;
  }

  /**
   * @param name full name of the stage, with the cell
   * @param group name in pipeline.yaml, without the cell
   * @param body the definition
   * @throws ReproError if a template cannot be filled in or a value is not allowed
   */
  read(name: string, group: string, body: { [key: string]: Json }): Stage {
    this.#wdir = normalise(this.#root, this.#wdir, this.#text(body, 'wdir') ?? '.');
    const stage: Stage = {
      name,
      group,
      desc: this.#text(body, 'desc'),
      cmd: readCommands(body.cmd, this.#context, (path, read) => this.#withPlace(['cmd', ...path], read)),
      wdir: this.#wdir,
      deps: this.#entries(body, 'deps').map(({ path, options }) => ({
        path,
        optional: options.optional === true,
        ...(isPattern(path) ? { isPattern: true } : {}),
      })),
      code: this.#entries(body, 'code').map(({ path }) => path),
      params: this.#params(body),
      given: templateNames([body.cmd, body.env]),
      env: this.#env(body),
      outs: merged((['outs', 'metrics', 'plots'] as const).flatMap((list) => this.#outputs(body, list))),
      resources: this.#resources(body),
      frozen: this.#flag(body, 'frozen'),
      alwaysChanged: this.#flag(body, 'always_changed'),
      retries: this.#number(body, ['retries'], 'a whole number from 0', (n) => Number.isInteger(n) && n >= 0) ?? 0,
      source: this.#source,
    };
    if (this.#flag(body, 'incremental')) {
      if (!stage.outs.some(({ persist }) => persist))
        throw this.#errorAt(
          ['incremental'],
          'needs an output with persist: true, which the command finds as its last run left it',
        );
      stage.incremental = true;
    }
    if (body.cost !== undefined)
      [stage.cost] = readCommands(body.cost, this.#context, (path, read) => this.#withPlace(['cost', ...path], read));
    const checkpoint = this.#text(body, 'checkpoint');
    if (checkpoint !== undefined) stage.checkpoint = normalise(this.#root, this.#wdir, checkpoint);
    const timeout = this.#readValue(body, 'timeout');
    if (timeout !== undefined) {
      const value = parseSeconds(rounded(timeout));
      if (value === undefined)
        throw this.#errorAt(
          ['timeout'],
          `must be a number of seconds, or a text such as "90s", "10m" or "2h", but is ${show(timeout)}`,
        );
      stage.timeout = value;
    }
    return stage;
  }

  #outputs(body: { [key: string]: Json }, list: 'outs' | 'metrics' | 'plots'): Output[] {
    const kind = ({ outs: 'out', metrics: 'metric', plots: 'plot' } as const)[list];
    const entries = this.#entries(body, list);
    for (const { path, options, index } of entries) {
      const other = entries.find((entry) => entry.path === path && canonical(entry.options) !== canonical(options));
      if (other !== undefined && other.index <= index)
        throw this.#errorAt(
          [list, index],
          `"${path}" is listed twice, with ${showOptions(other.options)} and with ${showOptions(options)}; keep one`,
        );
    }
    return entries.map(({ path, options: { cache, persist, ...rest } }) => ({
      path,
      kind,
      cache: cache !== false,
      persist: persist === true,
      ...(Object.keys(rest).length > 0 ? { options: rounded(rest) as typeof rest } : {}),
    }));
  }

  #params(body: { [key: string]: Json }): ParamSource[] {
    const byFile = new Map<string, string[] | undefined>();
    const add = (file: string, keys: string[] | undefined) => {
      const path = normalise(this.#root, this.#wdir, file);
      const known = byFile.get(path);
      if (keys === undefined || (byFile.has(path) && known === undefined)) byFile.set(path, undefined);
      else byFile.set(path, [...new Set([...(known ?? []), ...keys])]);
    };
    for (const [i, entry] of this.#list(body, 'params', 'a key').entries()) {
      if (!isMapping(entry)) add(PARAMS, [String(entry)]);
      else
        for (const [file, keys] of Object.entries(entry)) {
          const names = keys === null ? undefined : [keys as Json].flat(2);
          if (names?.some((name) => name === null || isMapping(name)))
            throw this.#errorAt(
              ['params', i, file],
              `the keys of ${file} must be texts, but one is ${show(names.find((name) => name === null || isMapping(name)))}`,
            );
          add(file, names?.map(String));
        }
    }
    return [...byFile].map(([file, keys]) => ({ file, keys }));
  }

  #resources(body: { [key: string]: Json }): Resources {
    const { gpus, cpus, memory, ...named } = (body.resources ?? {}) as { [name: string]: Json };
    const at = (name: string): KeyPath => ['resources', name];
    const whole = (n: number) => Number.isInteger(n) && n >= 0;
    const size = memory === undefined ? 0 : parseBytes(rounded(fillIn(memory, this.#context)));
    if (size === undefined)
      throw this.#errorAt(
        at('memory'),
        `must be a number of bytes, or a text such as "512MiB" or "4GiB", but is ${show(memory)}`,
      );
    return {
      gpus: this.#number(body, at('gpus'), 'a whole number from 0', whole) ?? 0,
      cpus: this.#number(body, at('cpus'), 'a number from 0', (n) => n >= 0) ?? 0,
      memory: size,
      limits: Object.fromEntries(
        Object.keys(named).map((name) => [name, this.#number(body, at(name), 'a whole number from 0', whole) ?? 0]),
      ),
    };
  }

  /** The value of a key with its templates filled in; undefined if the definition does not have the key. */
  #readValue(body: { [key: string]: Json }, key: string): Json | undefined {
    if (body[key] === undefined) return undefined;
    return this.#withPlace([key], () => fillIn(body[key], this.#context));
  }

  #text(body: { [key: string]: Json }, key: string): string | undefined {
    const value = this.#readValue(body, key);
    if (value === undefined) return undefined;
    if (Array.isArray(value) || isMapping(value)) throw this.#errorAt([key], `must be a text, but is ${show(value)}`);
    return String(value);
  }

  #flag(body: { [key: string]: Json }, key: string): boolean {
    const value = this.#readValue(body, key) ?? false;
    if (typeof value !== 'boolean') throw this.#errorAt([key], `must be true or false, but is ${show(value)}`);
    return value;
  }

  #number(
    body: { [key: string]: Json },
    path: KeyPath,
    what: string,
    isAllowed: (n: number) => boolean,
  ): number | undefined {
    let value: Json | undefined = body;
    for (const step of path) value = (value as { [key: string]: Json } | undefined)?.[step];
    if (value === undefined) return undefined;
    const filled = this.#withPlace(path, () => fillIn(value, this.#context));
    const number = typeof filled === 'string' && filled.trim() !== '' ? Number(filled) : numberOf(filled);
    if (typeof number !== 'number' || !isAllowed(number))
      throw this.#errorAt(path, `must be ${what}, but is ${show(filled)}`);
    return number;
  }

  #env(body: { [key: string]: Json }): { [name: string]: string } {
    const env = (this.#readValue(body, 'env') ?? {}) as { readonly [name: string]: Json };
    return Object.fromEntries(
      Object.entries(env).map(([name, value]) => {
        if (name === '' || name.includes('='))
          throw this.#errorAt(
            ['env', name],
            `"${name}" cannot name a variable: a name has at least one character, and no =`,
          );
        if (Array.isArray(value) || isMapping(value))
          throw this.#errorAt(['env', name], `must be a text or a number, but is ${show(value)}`);
        return [name, String(value)];
      }),
    );
  }

  /**
   * The entries of a list of paths or keys: texts, or mappings with options. An entry that is a template may stand for
   * several texts, but not for a mapping, whose keys would be taken for paths.
   */
  #list(body: { [key: string]: Json }, key: string, what: string): readonly Json[] {
    const entries = body[key];
    if (entries === undefined) return [];
    if (!Array.isArray(entries)) throw this.#errorAt([key], `must be a list, but is ${show(entries)}`);
    return entries.flatMap((entry, i) => {
      const filled = this.#withPlace([key, i], () => fillIn(entry, this.#context));
      if (isMapping(entry)) return [filled];
      const texts = Array.isArray(filled) ? filled : [filled];
      for (const text of texts) {
        const isText = text !== '' && text !== null && typeof text !== 'boolean' && !isMapping(text);
        if (isText && !Array.isArray(text)) continue;
        const fault = text === '' ? 'an empty text' : show(text);
        throw this.#errorAt(
          [key, i],
          `${show(entry)} must be ${what}, but ${texts === filled ? 'has' : 'is'} ${fault}`,
        );
      }
      return texts;
    });
  }

  /** The entries of a list of paths: `path` or `{path: {option: value}}`. */
  #entries(
    body: { [key: string]: Json },
    key: string,
  ): { path: string; options: { [name: string]: Json }; index: number }[] {
    return this.#list(body, key, 'a path').flatMap((entry, i) =>
      (isMapping(entry) ? Object.entries(entry) : [[String(entry), null] as const]).map(([path, options]) => {
        if (path === '') throw this.#errorAt([key, i], 'must be a path, but is an empty text');
        return {
          path: normalise(this.#root, this.#wdir, path),
          options: (options ?? {}) as { [name: string]: Json },
          index: i,
        };
      }),
    );
  }

  #withPlace<T>(path: KeyPath, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw addPlace(error, this.#document, [...this.#source, ...path]);
    }
  }

  #errorAt(path: KeyPath, message: string): ReproError {
    const full = [...this.#source, ...path];
    const key = String(path.findLast((step) => typeof step === 'string'));
    return new ReproError({ message, place: this.#document.at(full, 'value'), key });
  }
}

/** Options as YAML, for messages. */
function showOptions(options: { [name: string]: Json }): string {
  const texts = Object.entries(options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return texts.length === 0 ? 'no options' : `{${texts.join(', ')}}`;
}

/**
 * Merges outputs with the same path into one, as DVC does. It is a metric or plot if one entry says so, and the options
 * of the lists add up.
 */
function merged(outs: readonly Output[]): Output[] {
  const byPath = new Map<string, Output>();
  for (const out of outs) {
    const first = byPath.get(out.path);
    if (first === undefined) byPath.set(out.path, out);
    else
      byPath.set(out.path, {
        ...first,
        kind: first.kind === 'out' ? out.kind : first.kind,
        cache: first.cache && out.cache,
        persist: first.persist || out.persist,
        ...(first.options || out.options ? { options: { ...first.options, ...out.options } } : {}),
      });
  }
  return [...byPath.values()];
}

/** Runs `work`. Errors without a place get the place of the value at `path`. */
export async function withPlace<T>(document: SourceDocument, path: KeyPath, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw addPlace(error, document, path);
  }
}

function addPlace(error: unknown, document: SourceDocument, path: KeyPath): unknown {
  if (!(error instanceof ReproError)) return error;
  const full = error instanceof TemplateError ? [...path, ...error.path] : path;
  return new ReproError(
    error.problems.map((problem): Problem => {
      const { place, template } = problem;
      if (place !== undefined) return problem;
      return { ...problem, place: template ? document.atTemplate(full, template) : document.at(full, 'value') };
    }),
  );
}

/** The names in the templates of a value, without `raw:`. */
function templateNames(value: (Json | undefined)[]): string[] {
  const names = [...JSON.stringify(value).matchAll(/\$\{(?:raw:)?\s*([^}]*?)\s*\}/g)].map(([, name]) => name);
  return [...new Set(names)];
}
