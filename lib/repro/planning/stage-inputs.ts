/** What a stage's inputs and outputs are at this moment. It looks; it does not judge. */

import { join } from 'node:path';
import {
  type EditedFiles,
  type FileSource,
  folderSource,
  type Json,
  lookUp,
  parseSettings,
} from '../documents/index.ts';
import {
  type Content,
  type ContentHasher,
  folderOf,
  type ModuleGraph,
  parseManifest,
  type Scanned,
  type State,
  sha256,
} from '../hashing/index.ts';
import { type Problem, ReproError, suggestion } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { Fingerprint } from '../storage/index.ts';

export class StageInputs {
  readonly #root: string;
  readonly #edited: EditedFiles;
  readonly #texts: FileSource;
  readonly #state: State;
  readonly #contents: ContentHasher;
  readonly #code: ModuleGraph;
  /** By the SHA-256 of a params file's text. */
  readonly #params = new Map<string, Json>();

  /** `edited`: files that are taken to hold these texts. */
  constructor(root: string, state: State, contents: ContentHasher, code: ModuleGraph, edited: EditedFiles) {
    this.#root = root;
    this.#edited = edited;
    this.#texts = folderSource(root, edited);
    this.#state = state;
    this.#contents = contents;
    this.#code = code;
  }

  /** To be called when a command has started or ended. */
  forget(): void {
    this.#contents.forget();
    this.#code.forget();
  }

  async scan(path: string): Promise<Scanned | undefined> {
    return withEdits(path, await this.#contents.scan(path), this.#edited);
  }

  /**
   * Leaves out what `except` says is not settled yet. Throws ReproError for what is missing, with the list and entry
   * of the definition as its key.
   */
  async fingerprint(stage: Stage, except: (path: string) => boolean = () => false): Promise<Fingerprint> {
    const problems: MissingInput[] = [];
    const deps: Fingerprint['deps'] = {};
    for (const [index, { path, optional }] of stage.deps.entries()) {
      if (except(path)) continue;
      const scanned = await this.scan(path);
      if (scanned === undefined && !optional) problems.push({ kind: 'dep', path, index });
      else deps[path] = scanned?.content ?? null;
    }
    const entries = stage.code.filter((entry) => !except(entry));
    const absent: string[] = [];
    for (const entry of entries) {
      if (await this.#contents.scan(entry)) continue;
      absent.push(entry);
      problems.push({ kind: 'code', path: entry, index: stage.code.indexOf(entry) });
    }
    const closures = await this.#code.closures(entries.filter((entry) => !absent.includes(entry)));
    const params: Fingerprint['params'] = {};
    for (const { file, keys } of stage.params) {
      if (except(file)) continue;
      const value = await this.paramsFile(file);
      if (value === undefined) {
        problems.push({ kind: 'params', path: file, index: 0 });
        continue;
      }
      params[file] = {};
      for (const key of keys ?? ['']) {
        const found = lookUp(value, key);
        if (found.found) params[file][key] = found.value;
        else
          problems.push({
            kind: 'param',
            path: file,
            index: 0,
            key,
            hint: suggestion(found.missing, found.known),
          });
      }
    }
    if (problems.length > 0) throw new MissingInputs(stage, problems);
    const code = Object.fromEntries([...closures].map(([entry, { content }]) => [entry, content]));
    return { deps, code, params };
  }

  /** Undefined for an output that is not there. */
  async outputs(stage: Stage): Promise<Map<string, Scanned | undefined>> {
    const found = new Map<string, Scanned | undefined>();
    for (const { path } of stage.outs) found.set(path, await this.scan(path));
    return found;
  }

  /** The modules behind a code entry. */
  async closure(entry: string): Promise<Scanned | undefined> {
    return (await this.#code.closures([entry])).get(entry);
  }

  /** Undefined when there is no such file. */
  async paramsFile(file: string): Promise<Json | undefined> {
    this.#contents.snapshot.add(join(this.#root, file));
    const text = await this.#texts.read(file);
    if (text === undefined) return undefined;
    const sha = sha256(text);
    if (!this.#params.has(sha)) {
      const memo = this.#state.memos.get(`params ${sha}`);
      if (memo !== undefined) this.#params.set(sha, JSON.parse(memo));
      else {
        const value = ((await parseSettings(text, file)).value ?? {}) as Json;
        this.#params.set(sha, value);
        this.#state.memos.put(`params ${sha}`, JSON.stringify(value));
      }
    }
    return this.#params.get(sha);
  }
}

export interface MissingInput {
  kind: 'dep' | 'code' | 'params' | 'param';
  path: string;
  /** In the definition's list. */
  index: number;
  key?: string;
  hint?: string;
}

/** Kept apart from ReproError's text because who makes a file, and where its entry stands, is known elsewhere. */
export class MissingInputs extends ReproError {
  readonly stage: Stage;
  readonly missing: readonly MissingInput[];

  constructor(stage: Stage, missing: readonly MissingInput[]) {
    super(missing.map((input) => describeMissing(stage, input)));
    this.stage = stage;
    this.missing = missing;
  }
}

/** `maker`: the stage that would make it, if it were run. */
export function describeMissing(stage: Stage, { kind, path, key, hint }: MissingInput, maker?: Stage): Problem {
  const messages = {
    dep: `${stage.name}: the dependency "${path}" is missing, and ${maker === undefined ? 'no stage makes it' : maker.frozen ? `${maker.name}, which makes it, is frozen` : `${maker.name} makes it: run that first`}`,
    code: `${stage.name}: the module "${path}" is missing`,
    params: `${stage.name}: the params file "${path}" is missing`,
    param: `${stage.name}: there is no param "${key}" in ${path}${hint ?? ''}`,
  };
  return { message: messages[kind], key };
}

/** What would be at `path` with these edits written: an edited file, or a folder with one in it. */
function withEdits(path: string, scanned: Scanned | undefined, edited: EditedFiles): Scanned | undefined {
  if (scanned === undefined || edited.size === 0) return scanned;
  const content = (text: string): Content => ({ sha256: sha256(text), size: Buffer.byteLength(text) });
  const own = edited.get(path);
  if (own !== undefined) return { content: { ...scanned.content, ...content(own) } };
  if (scanned.manifest === undefined) return scanned;
  const entries = parseManifest(scanned.manifest).map((entry) => {
    const text = edited.get(path === '.' ? entry.path : `${path}/${entry.path}`);
    return text === undefined ? entry : { ...entry, ...content(text) };
  });
  return folderOf(entries);
}
