/** Opens a project: its pipeline, the graph of its stages, its lock, its caches, and the hashes that are remembered. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  checkAgainstSchema,
  type EditedFiles,
  type FileSource,
  folderSource,
  NO_EDITS,
  readDocumentFrom,
  readSchema,
} from '../documents/index.ts';
import { removeLeftovers } from '../files/index.ts';
import { buildId, readBytes, statSignature } from '../freshness/index.ts';
import { buildGraph, type Graph, GraphError, pathsInOutputs } from '../graph/index.ts';
import { ContentHasher, ModuleGraph, openState, type State, sha256, writeFreshStamp } from '../hashing/index.ts';
import { FolderClaim, otherHost, Section, stateFolder } from '../hosts/index.ts';
import { type Problem, ReproError, warn } from '../messages/index.ts';
import {
  contains,
  findRoot,
  loadPipeline,
  normalise,
  type Pipeline,
  placeInStage,
  type Stage,
} from '../pipeline/index.ts';
import { Cache, LOCK, Lock, RunCache, readConfig, SharedCache, sharedCacheFolder } from '../storage/index.ts';
import { expandPatterns, PatternFiles } from './expand-patterns.ts';
import { pythonEntries } from './python-entries.ts';
import { describeMissing, type MissingInputs, StageInputs } from './stage-inputs.ts';

/** An open project. */
export interface Project {
  /** The folder of pipeline.yaml, absolute. */
  root: string;
  /** The folder that it was opened from, relative to `root` and normalised. */
  folder: string;
  /** The folder of its LMDB stores, absolute: .repro, or one on a disk of this machine. */
  stateFolder: string;
  /** The claim of this host to the folder, if the project is open for writing. */
  claim?: FolderClaim;
  pipeline: Pipeline;
  /** Reads pipeline.yaml and the files that it names. */
  files: FileSource;
  graph: Graph;
  /** The database of remembered hashes. */
  state: State;
  hasher: ContentHasher;
  stageInputs: StageInputs;
  lock: Lock;
  cache: Cache;
  runs: RunCache;
  /**
   * Records that everything is fresh, so that the next run need not check (hashing/fresh-stamp.ts). Call it only when
   * all stages are fresh and no files but theirs have been scanned since the last `forget`.
   */
  writeFreshStamp(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the project that the folder `start` is in.
 *
 * @param options.write false: nothing on disk is changed
 * @param options.claim with `write`, false: only hashes are remembered, so another host may have the folder
 * @param options.remember with `write: false`: hashes are still remembered in .repro/state, if it exists
 * @param options.edited texts to use instead of the files' own texts; only if `write` is false
 * @throws ReproError if pipeline.yaml, a params file or the lock is missing or wrong
 * @throws FolderTaken if another host has the folder
 */
export async function openProject(
  start: string,
  options: { write: boolean; claim?: boolean; remember?: boolean; edited?: EditedFiles },
): Promise<Project> {
  const { edited = NO_EDITS } = options;
  const root = findRoot(start);
  const files = folderSource(root, edited);
  const sharedFolder = await sharedCacheFolder(root);
  const shared = sharedFolder === undefined ? undefined : new SharedCache(sharedFolder, root);
  const stores = await openStores(root, options);
  const { state } = stores;
  try {
    const known = await knownPipeline(root, files, state, edited);
    const { sources } = known;
    const hasher = new ContentHasher(root, state, pathsInOutputs(known.pipeline.stages));
    const lock = new Lock(root, state, stores.exclusively);
    await lock.refresh();
    const patterns = new PatternFiles(hasher, known.pipeline.stages, outputsLeft(known.pipeline, lock));
    const pipeline = await expandPatterns(known.pipeline, patterns);
    const graph = await graphOf(pipeline, files);
    const modules = new ModuleGraph(root, state, hasher, pythonEntries(pipeline.stages, root));
    const outs = pipeline.stages.flatMap((stage) => stage.outs.map(({ path }) => path));
    const isMade = (path: string) => outs.some((out) => contains(out, path));
    const stageInputs = new StageInputs(root, state, hasher, modules, edited, isMade);
    if (pipeline !== known.pipeline) stageInputs.patterns = patterns;
    const readOnly = !options.write;
    if (!readOnly) shared?.begin();
    if (!readOnly) removeLeftovers(writtenFiles(pipeline).map((file) => join(root, file)));
    return {
      root,
      folder: normalise(root, '.', resolve(start)),
      stateFolder: stores.folder,
      claim: stores.claim,
      pipeline,
      files,
      graph,
      state,
      hasher,
      stageInputs,
      lock,
      cache: new Cache(root, hasher, { readOnly, shared }),
      runs: new RunCache(root, { readOnly }),
      writeFreshStamp: async () => {
        const { snapshot } = hasher;
        if (!(await stageInputs.areParamsCurrent())) return;
        for (const [file, sha] of Object.entries(sources))
          if (hashOrNull(() => snapshot.read(join(root, file))) !== sha) return;
        const stat = snapshot.stat(join(root, LOCK));
        if ((stat ? statSignature(stat) : '') !== lock.fileSignature) return;
        const { stages, headline } = pipeline;
        writeFreshStamp(root, snapshot, { by: buildId(), stages: stages.length, headline });
      },
      close: async () => {
        try {
          // A command that ended with an error may have set blocks that wait for their turn to be written.
          lock.flush();
        } finally {
          shared?.close();
          await stores.close();
        }
      },
    };
  } catch (error) {
    shared?.close();
    await stores.close();
    throw error;
  }
}

/**
 * The files outside of .repro and of outputs that repro writes, relative to the root: the lock, and what commands edit.
 */
function writtenFiles({ stages, sources }: Pipeline): string[] {
  const params = stages.flatMap((stage) => stage.params.map(({ file }) => file));
  return [...new Set([LOCK, '.gitignore', '.reproignore', ...sources, ...params])];
}

/** The outputs in the lock of stages that are not in the pipeline any more. */
function outputsLeft({ stages }: Pipeline, lock: Lock): string[] {
  const known = new Set(stages.map(({ name }) => name));
  return lock.names.filter((name) => !known.has(name)).flatMap((name) => Object.keys(lock.get(name)?.outs ?? {}));
}

/** The stores that `openProject` opens besides the pipeline. */
interface Stores {
  /** The folder of the LMDB stores, absolute. */
  folder: string;
  state: State;
  claim?: FolderClaim;
  exclusively<T>(work: () => T): T;
  close(): Promise<void>;
}

async function openStores(
  root: string,
  { write, claim: claims = write, remember = false }: { write: boolean; claim?: boolean; remember?: boolean },
): Promise<Stores> {
  const folder = stateFolder(root, write || remember ? (await readConfig(root)).state : undefined);
  // LMDB stores must not be open on two hosts.
  const isFree = () => otherHost(root) === undefined;
  if (!write) {
    const state = await openState(folder, { write, remember: remember && isFree() });
    return { folder, state, exclusively: (work) => work(), close: () => state.close() };
  }
  const section = await Section.of(folder);
  const claim = claims ? FolderClaim.take(root, section) : undefined;
  const state = await openState(folder, { write: claim !== undefined || isFree() });
  const close = async () => {
    await state.close();
    claim?.release();
    await section.close();
  };
  return { folder, state, claim, exclusively: (work) => section.exclusively(work), close };
}

async function graphOf(pipeline: Pipeline, files: FileSource): Promise<Graph> {
  try {
    return buildGraph(pipeline.stages, pipeline.sources);
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const stage = pipeline.stages.find(({ name }) => name === error.stage)!;
    throw new ReproError({ message: error.message, place: await placeInStage(files, stage, error.keys) });
  }
}

/** A pipeline as remembered from an earlier call. */
interface KnownPipeline {
  /** The build of repro that read it. */
  by: string;
  /** SHA-256 of each file that it was read from; null: the file did not exist. */
  sources: { [file: string]: string | null };
  pipeline: Pipeline;
}

/** Returns the remembered pipeline if none of its files has changed. Otherwise reads it again. */
async function knownPipeline(
  root: string,
  files: FileSource,
  state: State,
  edited: EditedFiles,
): Promise<Omit<KnownPipeline, 'by'>> {
  const by = buildId();
  // The memo names texts on disk, so it does not hold for edited ones.
  const memo = edited.size > 0 ? undefined : state.memos.get('pipeline');
  if (memo !== undefined) {
    const known = JSON.parse(memo) as KnownPipeline;
    const same = Object.entries(known.sources).every(
      ([file, sha]) => hashOrNull(() => readBytes(join(root, file))) === sha,
    );
    if (same && known.by === by) return { sources: known.sources, pipeline: { ...known.pipeline, root } };
  }
  const checkedOnce = async (
    document: { file: string; value: unknown },
    schema: object,
    check: () => Promise<void>,
  ) => {
    const key = `valid ${by} ${sha256(JSON.stringify([schema, document.value]))}`;
    if (state.memos.get(key) !== undefined) return;
    await check();
    state.memos.put(key, 'yes');
  };
  const pipeline = await loadPipeline(root, files, checkedOnce, async (schemas) => {
    for (const [file, name] of Object.entries(schemas)) {
      const document = await readDocumentFrom(files, file);
      const schema = readSchema(join(root, name), name);
      await checkedOnce(document, schema, () => checkAgainstSchema(document, schema, name));
    }
  });
  if (pipeline.note !== undefined) warn(pipeline.note);
  const sources = Object.fromEntries(
    pipeline.sources.map((file) => [file, hashOrNull(() => readBytes(join(root, file)))]),
  );
  const known: KnownPipeline = { by, sources, pipeline };
  if (edited.size === 0) state.memos.put('pipeline', JSON.stringify(known));
  return known;
}

/** SHA-256 of what `read` returns; null if there is no such file or it cannot be read. */
function hashOrNull(read: () => Buffer | undefined): string | null {
  try {
    const bytes = read();
    return bytes === undefined ? null : sha256(bytes);
  } catch {
    return null;
  }
}

/**
 * Adds to each missing input its place in pipeline.yaml and the stage that makes it, if there is one.
 *
 * @returns the error to show to the user
 */
export async function placeMissing(project: Project, error: MissingInputs): Promise<ReproError> {
  const list = { dep: 'deps', code: 'code', params: 'params', param: 'params' } as const;
  const problems: Problem[] = [];
  for (const input of error.missing) {
    const path = [list[input.kind], ...(input.kind.startsWith('param') ? [] : [input.index])];
    const maker = project.graph.upstream
      .get(error.stage.name)!
      .map((name) => project.graph.stages.get(name)!)
      .find(({ outs }) => outs.some((out) => contains(out.path, input.path) || contains(input.path, out.path)));
    const origin = input.kind === 'dep' ? `, and ${await describeMaker(project, maker, input.path)}` : '';
    problems.push({
      message: `${error.stage.name}: ${describeMissing(input)}${origin}`,
      place: await placeInStage(project.files, error.stage, path),
      key: input.key,
    });
  }
  return new ReproError(problems);
}

/** The clause about the .dvc file that tracks a path or a folder above it, in a project that uses DVC for its data. */
function describeTracker(root: string, path: string): string {
  const parts = path.split('/');
  for (let n = parts.length; n > 0; n--) {
    const file = `${parts.slice(0, n).join('/')}.dvc`;
    if (existsSync(join(root, file))) return `; ${file} says that DVC keeps it: dvc pull`;
  }
  return '';
}

/** The clause about the stage that makes a missing dependency, and how to get it. */
async function describeMaker(project: Project, maker: Stage | undefined, path: string): Promise<string> {
  if (maker === undefined) return `no stage makes it${describeTracker(project.root, path)}`;
  const { name } = maker;
  const recorded = Object.entries(project.lock.get(name)?.outs ?? {})
    .filter(([out]) => contains(out, path) || contains(path, out))
    .map(([, content]) => content);
  let remedy = '';
  if (recorded.length > 0) {
    const problems = await Promise.all(recorded.map((content) => project.cache.problems(content)));
    remedy = problems.every((found) => found.length === 0)
      ? `\`repro checkout ${name}\` restores it`
      : `\`repro pull ${name}\` fetches it from a remote`;
  } else if (maker.frozen) remedy = `it has not run: \`repro unfreeze ${name}\` lets it run`;
  if (maker.frozen) return `${name}, which makes it, is frozen; ${remedy}`;
  return `${name} makes it: run that first${remedy === '' ? '' : `; or ${remedy}`}`;
}
