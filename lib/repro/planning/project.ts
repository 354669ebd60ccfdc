/** Everything about one pipeline that is open: its stages, their graph, and where contents, lock and caches are kept. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkAgainstSchema,
  type EditedFiles,
  type FileSource,
  folderSource,
  NO_EDITS,
  readDocumentFrom,
  readSchema,
} from '../documents/index.ts';
import {
  ContentHasher,
  ModuleGraph,
  openState,
  ownIdentity,
  type State,
  sha256,
  statOrUndefined,
  statSignature,
} from '../hashing/index.ts';
import { type Problem, ReproError } from '../messages/index.ts';
import {
  buildGraph,
  contains,
  findRoot,
  type Graph,
  GraphError,
  loadPipeline,
  PIPELINE,
  type Pipeline,
} from '../pipeline/index.ts';
import { Cache, LOCK, Lock, RunCache } from '../storage/index.ts';
import { describeMissing, type MissingInputs, StageInputs } from './stage-inputs.ts';

export interface Project {
  root: string;
  pipeline: Pipeline;
  /** Its own files. */
  files: FileSource;
  graph: Graph;
  state: State;
  hasher: ContentHasher;
  stageInputs: StageInputs;
  lock: Lock;
  cache: Cache;
  runs: RunCache;
  /** To be called when everything is up to date and nothing has been looked at for any other end: see certificate.ts. */
  writeFreshStamp(): void;
  close(): Promise<void>;
}

/**
 * Opens the pipeline that `start` lies in. Without `write`, nothing on disk is touched; only then may some files be
 * taken for `edited`.
 */
export async function openProject(start: string, options: { write: boolean; edited?: EditedFiles }): Promise<Project> {
  const { edited = NO_EDITS } = options;
  const root = findRoot(start);
  const texts = folderSource(root, edited);
  const state = await openState(root, options);
  try {
    const { pipeline, sources } = await knownPipeline(root, texts, state);
    const graph = await graphOf(pipeline, texts);
    const contents = new ContentHasher(root, state);
    const code = new ModuleGraph(root, state, contents);
    const lock = new Lock(root, state);
    await lock.refresh();
    const readOnly = !options.write;
    return {
      root,
      pipeline,
      files: texts,
      graph,
      state,
      hasher: contents,
      stageInputs: new StageInputs(root, state, contents, code, edited),
      lock,
      cache: new Cache(root, contents, { readOnly }),
      runs: new RunCache(root, { readOnly }),
      writeFreshStamp: () => {
        const { snapshot: witnesses } = contents;
        for (const [file, sha] of Object.entries(sources)) {
          witnesses.add(join(root, file));
          if (hashOrNull(join(root, file)) !== sha) return;
        }
        const stat = statOrUndefined(join(root, LOCK));
        if ((stat ? statSignature(stat) : '') !== lock.identity) return;
        witnesses.add(join(root, LOCK), stat);
        witnesses.writeFreshStamp(root, ownIdentity(), pipeline.stages.length);
      },
      close: () => state.close(),
    };
  } catch (error) {
    await state.close();
    throw error;
  }
}

async function graphOf(pipeline: Pipeline, texts: FileSource): Promise<Graph> {
  try {
    return buildGraph(pipeline.stages);
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const document = await readDocumentFrom(texts, PIPELINE);
    const { source } = pipeline.stages.find(({ name }) => name === error.stage)!;
    throw new ReproError({ message: error.message, place: document.at(source) });
  }
}

interface KnownPipeline {
  by: string;
  /** SHA-256 by file; null: it was not there. */
  sources: { [file: string]: string | null };
  pipeline: Pipeline;
}

/** The pipeline as it was last worked out, if every file that it came from is as it was; else worked out now. */
async function knownPipeline(root: string, texts: FileSource, state: State): Promise<Omit<KnownPipeline, 'by'>> {
  const by = ownIdentity();
  const memo = state.memos.get('pipeline');
  if (memo !== undefined) {
    const known = JSON.parse(memo) as KnownPipeline;
    const same = Object.entries(known.sources).every(([file, sha]) => hashOrNull(join(root, file)) === sha);
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
  const pipeline = await loadPipeline(root, texts, checkedOnce, async (schemas) => {
    for (const [file, name] of Object.entries(schemas)) {
      const document = await readDocumentFrom(texts, file);
      const schema = readSchema(join(root, name), name);
      await checkedOnce(document, schema, () => checkAgainstSchema(document, schema, name));
    }
  });
  const sources = Object.fromEntries(pipeline.sources.map((file) => [file, hashOrNull(join(root, file))]));
  const known: KnownPipeline = { by, sources, pipeline };
  state.memos.put('pipeline', JSON.stringify(known));
  return known;
}

function hashOrNull(path: string): string | null {
  try {
    return sha256(readFileSync(path));
  } catch {
    return null;
  }
}

/** An error about missing inputs, with the spot in pipeline.yaml that asks for each. */
export async function placeMissing(project: Project, error: MissingInputs): Promise<ReproError> {
  const document = await readDocumentFrom(project.files, PIPELINE);
  const list = { dep: 'deps', code: 'code', params: 'params', param: 'params' } as const;
  return new ReproError(
    error.missing.map((input): Problem => {
      const path = [...error.stage.source, list[input.kind], ...(input.kind.startsWith('param') ? [] : [input.index])];
      const maker = project.graph.upstream
        .get(error.stage.name)!
        .map((name) => project.graph.stages.get(name)!)
        .find(({ outs }) => outs.some((out) => contains(out.path, input.path) || contains(input.path, out.path)));
      return { ...describeMissing(error.stage, input, maker), place: document.at(path) };
    }),
  );
}
