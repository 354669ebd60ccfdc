/**
 * pipeline.yaml into stages: parsed, checked against its schema, templates filled in, matrix and foreach expanded, paths
 * in one spelling. What comes out is plain data; nothing here looks at what files hold, beyond the vars files.
 *
 *   text → document → schema → context of vars → definitions → cells → Stage[]
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type KeyPath, readDocument, type SourceDocument } from './document.ts';
import { type Problem, ReproError } from './errors.ts';
import { isMapping, type Json, lookUp } from './json.ts';
import { type Cell, foreachCells, matrixCells } from './matrix.ts';
import { suggestion } from './nearest.ts';
import { isOutside, normalise } from './paths.ts';
import { checkAgainstSchema, show } from './schema.ts';
import { type Context, fillIn } from './template.ts';
import { bytes, seconds } from './units.ts';

export const PIPELINE = 'pipeline.yaml';
export const PARAMS = 'params.yaml';

export interface Dependency {
  path: string;
  /** Hashed if it exists, recorded as absent if not. */
  optional: boolean;
}

export interface Output {
  path: string;
  kind: 'out' | 'metric' | 'plot';
  /** false: git keeps it, not the cache. */
  cache: boolean;
  /** Left in place before the command. */
  persist: boolean;
  /** What a plot is to look like: title, x, y. */
  options?: { readonly [name: string]: Json };
}

export interface ParamSource {
  file: string;
  /** Undefined: the whole file. */
  keys: string[] | undefined;
}

export interface Resources {
  gpus: number;
  /** 0: counts against -j alone. */
  cpus: number;
  /** bytes */
  memory: number;
  /** By the names of the pipeline's `limits`. */
  limits: { readonly [name: string]: number };
}

/** One stage to run; all paths are relative to the pipeline's folder. */
export interface Stage {
  name: string;
  /** The name in pipeline.yaml, before any @. */
  group: string;
  desc?: string;
  cmd: string[];
  wdir: string;
  deps: Dependency[];
  code: string[];
  params: ParamSource[];
  env: { readonly [name: string]: string };
  outs: Output[];
  checkpoint?: string;
  resources: Resources;
  frozen: boolean;
  alwaysChanged: boolean;
  retries: number;
  /** seconds */
  timeout?: number;
  /** Where its definition stands in pipeline.yaml. */
  source: KeyPath;
}

export interface Pipeline {
  /** The folder of pipeline.yaml, absolute. */
  root: string;
  stages: Stage[];
  /** By params file: the schema file it is checked against. */
  schemas: { readonly [file: string]: string };
  limits: { readonly [name: string]: number };
  /** Every file that the stages above came from, relative to root; also those looked for in vain. */
  sources: string[];
}

/** The folder of the nearest pipeline.yaml, from `start` upward. */
export function findRoot(start: string): string {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if (existsSync(join(folder, PIPELINE))) return folder;
    if (folder === dirname(folder))
      throw new ReproError(
        `there is no ${PIPELINE} in ${resolve(start)} or any folder above it; \`repro init\` makes one`,
      );
  }
}

/** Called for each schema check; lets a caller remember that a content is valid, so that ajv need not be loaded. */
export type CheckedOnce = (document: SourceDocument, schema: object, check: () => Promise<void>) => Promise<void>;

export async function loadPipeline(root: string, checkedOnce: CheckedOnce): Promise<Pipeline> {
  const document = await readDocument(join(root, PIPELINE), PIPELINE);
  if (document.value === null || document.value === undefined)
    throw new ReproError({ message: 'is empty; it needs a mapping of `stages`', place: { file: PIPELINE } });
  const { default: schema } = await import('./pipeline.schema.json', { with: { type: 'json' } });
  await checkedOnce(document, schema, () => checkAgainstSchema(document, schema, 'pipeline.schema.json'));
  const top = document.value as { [key: string]: Json } & { stages: { [name: string]: { [key: string]: Json } } };

  const sources = [PIPELINE];
  const vars = new VarsReader(root, sources);
  const context: Record<string, Json> = {};
  if (existsSync(join(root, PARAMS))) await vars.merge(context, PARAMS);
  else sources.push(PARAMS);
  for (const [i, entry] of ((top.vars ?? []) as Json[]).entries()) {
    if (entry === PARAMS) continue;
    await placed(document, ['vars', i], () => vars.merge(context, entry));
  }

  const stages: Stage[] = [];
  for (const [group, definition] of Object.entries(top.stages ?? {})) {
    const source: KeyPath = ['stages', group];
    if (group.includes('@'))
      throw new ReproError({
        message: `the name "${group}" holds an @, which parts a stage from its cell`,
        place: document.at(source),
      });
    stages.push(...(await expand(document, group, definition, context, vars, root)));
  }
  const limits = (top.limits ?? {}) as Pipeline['limits'];
  checkNames(document, stages);
  checkLimits(document, stages, limits);
  return {
    root,
    stages,
    schemas: Object.fromEntries(
      Object.entries((top.schemas ?? {}) as { [file: string]: string }).map(([file, name]) => [
        normalise(root, '.', file),
        normalise(root, '.', name),
      ]),
    ),
    limits,
    sources: [
      ...new Set([
        ...sources,
        ...Object.keys((top.schemas ?? {}) as object),
        ...(Object.values((top.schemas ?? {}) as object) as string[]),
      ]),
    ],
  };
}

/** Reads vars files, each once, and merges them into contexts. */
class VarsReader {
  readonly #root: string;
  readonly #sources: string[];
  readonly #files = new Map<string, Json>();

  constructor(root: string, sources: string[]) {
    this.#root = root;
    this.#sources = sources;
  }

  /** `entry`: a file, `file:key,key`, or a mapping. */
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
      this.#files.set(file, (await readDocument(join(this.#root, file), file)).value as Json);
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
    } else if (JSON.stringify(target[key]) !== JSON.stringify(value))
      throw new ReproError(
        `"${prefix}${key}" is given twice among the vars, as ${show(target[key])} and ${show(value)}`,
      );
  }
}

async function expand(
  document: SourceDocument,
  group: string,
  definition: { [key: string]: Json },
  globals: Context,
  vars: VarsReader,
  root: string,
): Promise<Stage[]> {
  const isForeach = definition.foreach !== undefined;
  const body = (isForeach ? definition.do : definition) as { [key: string]: Json };
  const source: KeyPath = isForeach ? ['stages', group, 'do'] : ['stages', group];
  const context: Record<string, Json> = { ...globals };
  for (const [i, entry] of ((body.vars ?? []) as Json[]).entries())
    await placed(document, [...source, 'vars', i], () => vars.merge(context, entry));

  let cells: (Cell | undefined)[] = [undefined];
  if (isForeach) {
    const path: KeyPath = ['stages', group, 'foreach'];
    cells = await placed(document, path, () => foreachCells(fillIn(definition.foreach, context)));
  } else if (body.matrix !== undefined) {
    const path: KeyPath = ['stages', group, 'matrix'];
    cells = await placed(document, path, () =>
      matrixCells(fillIn(body.matrix, context) as { readonly [axis: string]: Json }),
    );
  }
  return cells.map((cell) => {
    const name = cell ? `${group}@${cell.name}` : group;
    const inner = cell ? { ...context, item: cell.item, key: cell.key } : context;
    return new StageReader(document, source, root, inner).read(name, group, body);
  });
}

/** Reads one definition, its templates filled in from one context, into a Stage. */
class StageReader {
  readonly #document: SourceDocument;
  readonly #source: KeyPath;
  readonly #root: string;
  readonly #context: Context;
  #wdir = '.';

  constructor(document: SourceDocument, source: KeyPath, root: string, context: Context) {
    this.#document = document;
    this.#source = source;
    this.#root = root;
    this.#context = context;
  }

  read(name: string, group: string, body: { [key: string]: Json }): Stage {
    this.#wdir = normalise(this.#root, '.', this.#text(body, 'wdir') ?? '.');
    const stage: Stage = {
      name,
      group,
      desc: this.#text(body, 'desc'),
      cmd: [this.#filled(body, 'cmd')].flat().map((line) => String(line)),
      wdir: this.#wdir,
      deps: this.#entries(body, 'deps').map(({ path, options }) => ({ path, optional: options.optional === true })),
      code: this.#list(body, 'code').map((path) => normalise(this.#root, this.#wdir, String(path))),
      params: this.#params(body),
      env: Object.fromEntries(
        Object.entries((this.#filled(body, 'env') ?? {}) as object).map(([key, value]) => [key, String(value)]),
      ),
      outs: (['outs', 'metrics', 'plots'] as const).flatMap((list) => this.#outputs(body, list)),
      resources: this.#resources(body),
      frozen: this.#flag(body, 'frozen'),
      alwaysChanged: this.#flag(body, 'always_changed'),
      retries: this.#number(body, ['retries'], 'a whole number from 0', (n) => Number.isInteger(n) && n >= 0) ?? 0,
      source: this.#source,
    };
    const checkpoint = this.#text(body, 'checkpoint');
    if (checkpoint !== undefined) stage.checkpoint = normalise(this.#root, this.#wdir, checkpoint);
    const timeout = this.#filled(body, 'timeout');
    if (timeout !== undefined) {
      const value = seconds(timeout);
      if (value === undefined)
        throw this.#wrong(['timeout'], `must be seconds, or such as "90s", "10m" or "2h", but is ${show(timeout)}`);
      stage.timeout = value;
    }
    return stage;
  }

  #outputs(body: { [key: string]: Json }, list: 'outs' | 'metrics' | 'plots'): Output[] {
    const kind = ({ outs: 'out', metrics: 'metric', plots: 'plot' } as const)[list];
    return this.#entries(body, list).map(({ path, options: { cache, persist, ...rest } }) => ({
      path,
      kind,
      cache: cache !== false,
      persist: persist === true,
      ...(Object.keys(rest).length > 0 ? { options: rest } : {}),
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
    for (const entry of this.#list(body, 'params')) {
      if (isMapping(entry))
        for (const [file, keys] of Object.entries(entry))
          add(file, keys === null ? undefined : (keys as Json[]).map(String));
      else add(PARAMS, [String(entry)]);
    }
    return [...byFile].map(([file, keys]) => ({ file, keys }));
  }

  #resources(body: { [key: string]: Json }): Resources {
    const { gpus, cpus, memory, ...named } = (body.resources ?? {}) as { [name: string]: Json };
    const at = (name: string): KeyPath => ['resources', name];
    const whole = (n: number) => Number.isInteger(n) && n >= 0;
    const size = memory === undefined ? 0 : bytes(fillIn(memory, this.#context));
    if (size === undefined)
      throw this.#wrong(at('memory'), `must be bytes, or such as "512MiB" or "4GiB", but is ${show(memory)}`);
    return {
      gpus: this.#number(body, at('gpus'), 'a whole number from 0', whole) ?? 0,
      cpus: this.#number(body, at('cpus'), 'a number from 0', (n) => n >= 0) ?? 0,
      memory: size,
      limits: Object.fromEntries(
        Object.keys(named).map((name) => [name, this.#number(body, at(name), 'a whole number from 0', whole) ?? 0]),
      ),
    };
  }

  #filled(body: { [key: string]: Json }, key: string): Json | undefined {
    if (body[key] === undefined) return undefined;
    return this.#placed([key], () => fillIn(body[key], this.#context));
  }

  #text(body: { [key: string]: Json }, key: string): string | undefined {
    const value = this.#filled(body, key);
    if (value === undefined) return undefined;
    if (typeof value === 'object') throw this.#wrong([key], `must be a text, but is ${show(value)}`);
    return String(value);
  }

  #flag(body: { [key: string]: Json }, key: string): boolean {
    const value = this.#filled(body, key) ?? false;
    if (typeof value !== 'boolean') throw this.#wrong([key], `must be true or false, but is ${show(value)}`);
    return value;
  }

  #number(
    body: { [key: string]: Json },
    path: KeyPath,
    what: string,
    right: (n: number) => boolean,
  ): number | undefined {
    let value: Json | undefined = body;
    for (const step of path) value = (value as { [key: string]: Json } | undefined)?.[step];
    if (value === undefined) return undefined;
    const filled = this.#placed(path, () => fillIn(value, this.#context));
    const number = typeof filled === 'string' && filled.trim() !== '' ? Number(filled) : filled;
    if (typeof number !== 'number' || !right(number))
      throw this.#wrong(path, `must be ${what}, but is ${show(filled)}`);
    return number;
  }

  /** A list that may itself come from a template. */
  #list(body: { [key: string]: Json }, key: string): readonly Json[] {
    const entries = body[key];
    if (entries === undefined) return [];
    if (!Array.isArray(entries)) throw this.#wrong([key], `must be a list, but is ${show(entries)}`);
    return entries.flatMap((entry, i) => this.#placed([key, i], () => fillIn(entry, this.#context)) as Json | Json[]);
  }

  /** Entries such as `path` and `{path: {option: value}}`. */
  #entries(body: { [key: string]: Json }, key: string): { path: string; options: { [name: string]: Json } }[] {
    return this.#list(body, key).flatMap((entry) =>
      (isMapping(entry) ? Object.entries(entry) : [[String(entry), null] as const]).map(([path, options]) => ({
        path: normalise(this.#root, this.#wdir, path),
        options: (options ?? {}) as { [name: string]: Json },
      })),
    );
  }

  #placed<T>(path: KeyPath, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw withPlace(error, this.#document, [...this.#source, ...path]);
    }
  }

  #wrong(path: KeyPath, message: string): ReproError {
    const full = [...this.#source, ...path];
    return new ReproError({ message, place: this.#document.at(full, 'value'), key: String(path.at(-1)) });
  }
}

async function placed<T>(document: SourceDocument, path: KeyPath, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withPlace(error, document, path);
  }
}

function withPlace(error: unknown, document: SourceDocument, path: KeyPath): unknown {
  if (!(error instanceof ReproError)) return error;
  return new ReproError(
    error.problems.map(
      (problem): Problem => (problem.place ? problem : { ...problem, place: document.at(path, 'value') }),
    ),
  );
}

function checkNames(document: SourceDocument, stages: readonly Stage[]): void {
  const seen = new Set<string>();
  for (const stage of stages) {
    if (seen.has(stage.name))
      throw new ReproError({ message: `two stages would be named "${stage.name}"`, place: document.at(stage.source) });
    seen.add(stage.name);
    for (const out of stage.outs)
      if (out.path === '.' || isOutside(out.path))
        throw new ReproError({
          message: `${stage.name}: the output "${out.path}" must lie inside the pipeline's folder`,
          place: document.at(stage.source),
        });
  }
}

function checkLimits(document: SourceDocument, stages: readonly Stage[], limits: Pipeline['limits']): void {
  for (const stage of stages)
    for (const name of Object.keys(stage.resources.limits))
      if (!Object.hasOwn(limits, name))
        throw new ReproError({
          message: `unknown resource "${name}"${suggestion(name, ['gpus', 'cpus', 'memory', ...Object.keys(limits)])}; a limit of one's own stands under \`limits\` at the top`,
          place: document.at([...stage.source, 'resources', name]),
        });
}
