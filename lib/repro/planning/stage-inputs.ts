/** Reads the present content of a stage's inputs and outputs. stale-reasons.ts compares them with the recorded ones. */
import {
  differences,
  type EditedFiles,
  type FileSource,
  folderSource,
  type Json,
  lookUp,
  parseSettings,
  unpackJson,
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
import { ReproError, suggestion } from '../messages/index.ts';
import { contains, type Stage } from '../pipeline/index.ts';
import type { Fingerprint } from '../storage/index.ts';
import type { PatternFiles } from './expand-patterns.ts';
import { ReportedOutputs } from './reported-outputs.ts';

const LINK_TO_NOTHING = ': it is a symbolic link to nothing';

/** The inputs and outputs of the stages of one project. Scans are kept until `forget`. */
export class StageInputs {
  readonly #edited: EditedFiles;
  readonly #files: FileSource;
  readonly #state: State;
  readonly #hasher: ContentHasher;
  readonly #modules: ModuleGraph;
  /** Values of params files, by format and the SHA-256 of their text. */
  readonly #params = new Map<string, Json>();
  #leftOut: LeftOut = { paths: [], kept: new Set() };
  /** The files that patterns match. Set by openProject if the pipeline has patterns. */
  patterns: PatternFiles | undefined;
  /** Outputs that a node of a cluster has made, and that this host may not see yet. */
  readonly reported = new ReportedOutputs();

  /**
   * Texts of params files as they were first read, which count until `releaseParams`. Those that a stage makes are not
   * here.
   */
  readonly #fixed = new Map<string, string | undefined>();
  /** Stages for which params files count as they are now. */
  readonly #unfixed = new Set<string>();
  readonly #isMade: (path: string) => boolean;

  /**
   * @param edited texts to use instead of the files' own texts
   * @param isMade whether a stage makes this file, so that it changes during a run
   */
  constructor(
    root: string,
    state: State,
    hasher: ContentHasher,
    modules: ModuleGraph,
    edited: EditedFiles,
    isMade: (path: string) => boolean = () => false,
  ) {
    this.#isMade = isMade;
    this.#edited = edited;
    this.#files = folderSource(root, edited, (path) => hasher.snapshot.read(path)?.toString('utf8'));
    this.#state = state;
    this.#hasher = hasher;
    this.#modules = modules;
  }

  /**
   * Scans folders as if these files and folders were not there, until it is called again.
   *
   * @param paths relative to the root, as the folders are named that contain them
   * @param kept folders that would stay although nothing is left in them
   */
  leaveOut(paths: readonly string[], kept: ReadonlySet<string> = new Set()): void {
    this.#leftOut = { paths, kept };
  }

  /** Forgets what was scanned. To be called when a command has started or ended, because files may have changed. */
  forget(): void {
    this.#hasher.forget();
    this.#modules.forget();
  }

  /** The content of a file or folder; undefined if there is none. */
  async scan(path: string): Promise<Scanned | undefined> {
    const scanned = await this.reported.scan(path, () => this.#hasher.scan(path));
    return without(path, withEdits(path, scanned, this.#edited), this.#leftOut);
  }

  /**
   * The content of all inputs of a stage.
   *
   * @param except paths to leave out, because their content is not known yet
   * @throws MissingInputs if an input that is not optional, or a param, does not exist
   * @throws ReproError if an input cannot be read
   */
  async fingerprint(stage: Stage, except: (path: string) => boolean = () => false): Promise<Fingerprint> {
    const missing: MissingInput[] = [];
    const deps: Fingerprint['deps'] = {};
    for (const [index, { path, optional, isPattern }] of stage.deps.entries()) {
      if (except(path)) continue;
      if (isPattern) {
        const names = (await this.patterns?.matching(stage, path)) ?? [];
        if (names.length > 0 || optional) deps[path] = listOf(names);
        else missing.push({ kind: 'dep', path, index, hint: ': no file matches it' });
        continue;
      }
      const scanned = await this.scan(path);
      if (scanned === undefined && !optional)
        missing.push({
          kind: 'dep',
          path,
          index,
          ...(this.#hasher.isLinkToNothing(path) ? { hint: LINK_TO_NOTHING } : {}),
        });
      else deps[path] = scanned?.content ?? null;
    }
    const entries = stage.code.filter((entry) => !except(entry));
    const missingEntries: string[] = [];
    for (const entry of entries) {
      if (await this.#hasher.scan(entry)) continue;
      missingEntries.push(entry);
      const hint = this.#hasher.isLinkToNothing(entry) ? { hint: LINK_TO_NOTHING } : {};
      missing.push({ kind: 'code', path: entry, index: stage.code.indexOf(entry), ...hint });
    }
    const closures = await this.#modules.closures(entries.filter((entry) => !missingEntries.includes(entry)));
    const params: Fingerprint['params'] = {};
    for (const { file, keys } of stage.params) {
      if (except(file)) continue;
      const value = await this.paramsFile(file, stage.name);
      if (value === undefined) {
        missing.push({ kind: 'params', path: file, index: 0 });
        continue;
      }
      params[file] = {};
      for (const key of keys ?? ['']) {
        const found = lookUp(value, key);
        if (found.found) params[file][key] = found.value;
        else
          missing.push({
            kind: 'param',
            path: file,
            index: 0,
            key,
            hint: suggestion(found.missing, found.known),
          });
      }
    }
    if (missing.length > 0) throw new MissingInputs(stage, missing);
    const code = Object.fromEntries([...closures].map(([entry, { content }]) => [entry, content]));
    return { deps, code, params, packages: await this.#modules.packages(closures.values()) };
  }

  /** The file or folder at an output's path. Unlike an input, it need not be readable: a run replaces it. */
  async output(path: string): Promise<OutputState> {
    try {
      const scanned = await this.scan(path);
      const ignored = (scanned?.ignored ?? []).map((inside) => `${path}/${inside}`);
      return { ignored, ...(scanned === undefined ? {} : { content: scanned.content }) };
    } catch (error) {
      if (!(error instanceof ReproError)) throw error;
      return { ignored: [], problem: error.message };
    }
  }

  /** The modules that a code entry uses, itself included. */
  async closure(entry: string): Promise<Scanned | undefined> {
    return (await this.#modules.closures([entry])).get(entry);
  }

  /**
   * The text of a params file for a stage: as it was first read, unless `unfixParams` was called for the stage.
   *
   * @returns undefined if there is no such file
   */
  async paramsText(file: string, stage?: string): Promise<string | undefined> {
    if ((stage !== undefined && this.#unfixed.has(stage)) || this.#isMade(file)) return this.#files.read(file);
    if (!this.#fixed.has(file)) this.#fixed.set(file, await this.#files.read(file));
    return this.#fixed.get(file);
  }

  /**
   * Lets a params file count as this text.
   *
   * @param text undefined: there is no such file
   */
  fixParams(file: string, text: string | undefined): void {
    this.#fixed.set(file, text);
  }

  /** Lets params files count as they are now, for one stage. */
  unfixParams(stage: string): void {
    this.#unfixed.add(stage);
  }

  /** Lets params files count as they are now, for all stages. To be called after a run. */
  releaseParams(): void {
    this.#fixed.clear();
  }

  /** Whether no params file was edited since it was first read. */
  async areParamsCurrent(): Promise<boolean> {
    for (const [file, text] of this.#fixed) if ((await this.#files.read(file)) !== text) return false;
    return true;
  }

  /**
   * The listed params of a stage that were edited since they were first read. A file that cannot be read now counts as
   * edited.
   *
   * @returns dotted keys by file; files without a difference are left out
   */
  async editedParams(stage: Stage): Promise<Map<string, string[]>> {
    const edited = new Map<string, string[]>();
    for (const { file, keys } of stage.params) {
      const [text, now] = [
        await this.paramsText(file, stage.name),
        await this.#files.read(file).catch(() => undefined),
      ];
      if (text === now) continue;
      const before = (await this.paramsFile(file, stage.name)) as Json;
      const after = await this.#parse(now ?? '', file).catch(() => undefined);
      const valueAt = (value: Json | undefined, key: string) => {
        const found = value === undefined ? undefined : lookUp(value, key);
        return found?.found ? found.value : undefined;
      };
      const found = (keys ?? ['']).flatMap((key) => differences(valueAt(before, key), valueAt(after, key), key));
      if (found.length > 0)
        edited.set(
          file,
          found.map(({ key }) => key),
        );
    }
    return edited;
  }

  /** The value of a params file for a stage; undefined if there is none. */
  async paramsFile(file: string, stage?: string): Promise<Json | undefined> {
    const text = await this.paramsText(file, stage);
    return text === undefined ? undefined : this.#parse(text, file);
  }

  async #parse(text: string, file: string): Promise<Json> {
    // The same text has another value as TOML.
    const sha = `${/\.toml$/i.test(file) ? 'toml ' : ''}${sha256(text)}`;
    if (!this.#params.has(sha)) {
      const memo = this.#state.memos.get(`values ${sha}`);
      if (memo !== undefined) this.#params.set(sha, unpackJson(memo));
      else {
        const value = ((await parseSettings(text, file)).value ?? {}) as Json;
        this.#params.set(sha, value);
        this.#state.memos.put(`values ${sha}`, JSON.stringify(value));
      }
    }
    return this.#params.get(sha)!;
  }
}

/** Stands for which files match a pattern. The size is that of the names. */
function listOf(names: readonly string[]): Content {
  const text = names.map((name) => `${name}\n`).join('');
  return { sha256: sha256(text), size: Buffer.byteLength(text) };
}

/** An output as it is now. */
export interface OutputState {
  /** Absent if there is nothing, or if it cannot be read. */
  content?: Content;
  /** Paths in the folder that do not count, because an ignore file or a default pattern says so. */
  ignored: readonly string[];
  /** Why it cannot be read. */
  problem?: string;
}

/** An input that does not exist. `param`: the file exists, but lacks `key`. */
export interface MissingInput {
  kind: 'dep' | 'code' | 'params' | 'param';
  path: string;
  /** Its index in the definition's list of this kind. */
  index: number;
  key?: string;
  /** The end of the message, such as one that suggests a similar name. */
  hint?: string;
}

/** Inputs of a stage do not exist. `placeMissing` turns this error into one that names the places in pipeline.yaml. */
export class MissingInputs extends ReproError {
  readonly stage: Stage;
  readonly missing: readonly MissingInput[];

  constructor(stage: Stage, missing: readonly MissingInput[]) {
    super(missing.map((input) => ({ message: `${stage.name}: ${describeMissing(input)}`, key: input.key })));
    this.stage = stage;
    this.missing = missing;
  }
}

/** The sentence about a missing input, without the stage's name. */
export function describeMissing({ kind, path, key, hint }: MissingInput): string {
  switch (kind) {
    case 'dep':
      return `the dependency "${path}" is missing${hint ?? ''}`;
    case 'code':
      return `the module "${path}" is missing${hint ?? ''}`;
    case 'params':
      return `the params file "${path}" is missing`;
    case 'param':
      return `there is no param "${key}" in ${path}${hint ?? ''}`;
  }
}

/** Paths that scans leave out, see `leaveOut`. */
interface LeftOut {
  paths: readonly string[];
  kept: ReadonlySet<string>;
}

/** The content that a folder would have if nothing were at the paths that are left out. */
function without(path: string, scanned: Scanned | undefined, { paths, kept }: LeftOut): Scanned | undefined {
  if (scanned?.manifest === undefined) return scanned;
  const within = (other: string) =>
    path === '.' ? other : other.startsWith(`${path}/`) ? other.slice(path.length + 1) : [];
  const inside = paths.flatMap(within);
  if (inside.length === 0) return scanned;
  const all = parseManifest(scanned.manifest);
  const entries = all.filter((entry) => !inside.some((other) => contains(other, entry.path)));
  for (const folder of [...kept].flatMap(within)) {
    const had = (list: typeof all) => list.some((entry) => entry.path.startsWith(`${folder}/`));
    if (had(all) && !had(entries)) entries.push({ path: `${folder}/` });
  }
  return { ...scanned, ...folderOf(entries.sort((a, b) => (a.path < b.path ? -1 : 1))) };
}

/** The content that `path` would have if these edits were written: an edited file, or a folder with one in it. */
function withEdits(path: string, scanned: Scanned | undefined, edited: EditedFiles): Scanned | undefined {
  if (scanned === undefined || edited.size === 0) return scanned;
  const content = (text: string): Content => ({ sha256: sha256(text), size: Buffer.byteLength(text) });
  const own = edited.get(path);
  if (own !== undefined) return { content: { ...scanned.content, ...content(own) } };
  if (scanned.manifest === undefined) return scanned;
  const entries = parseManifest(scanned.manifest).map((entry) => {
    const text = edited.get(path === '.' ? entry.path : `${path}/${entry.path}`);
    return text === undefined || entry.link !== undefined ? entry : { ...entry, ...content(text) };
  });
  return folderOf(entries);
}
