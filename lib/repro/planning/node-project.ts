/**
 * The project as a node of a cluster sees it: for one attempt at a stage, and without anything that only one host may
 * have open. No LMDB store is opened, nothing is claimed, and pipeline.yaml and the lock are not read: what they said
 * when the attempt was planned comes from the host that planned it.
 */
import { folderSource, NO_EDITS } from '../documents/index.ts';
import { buildGraph, pathsInOutputs } from '../graph/index.ts';
import { ContentHasher, ModuleGraph, type State } from '../hashing/index.ts';
import { ReproError } from '../messages/index.ts';
import { contains, type Pipeline } from '../pipeline/index.ts';
import { Cache, Lock, type LockedStage, RunCache, SharedCache, sharedCacheFolder } from '../storage/index.ts';
import { PatternFiles } from './expand-patterns.ts';
import type { Project } from './project.ts';
import { pythonEntries } from './python-entries.ts';
import { StageInputs } from './stage-inputs.ts';

/** The project as the host that planned the attempt describes it. */
export interface PlannedProject {
  /** The folder of pipeline.yaml, absolute. */
  root: string;
  /** With the files of its patterns. */
  pipeline: Pipeline;
  /** Remembers hashes, in memory. */
  state: State;
  /** Blocks of the lock, by stage: those that have an output where the stage of the attempt writes. */
  recorded: { readonly [stage: string]: LockedStage };
}

/**
 * Opens a project for an attempt.
 *
 * @throws ReproError if the shared cache cannot be used
 */
export async function openOnNode({ root, pipeline, state, recorded }: PlannedProject): Promise<Project> {
  const sharedFolder = await sharedCacheFolder(root);
  const shared = sharedFolder === undefined ? undefined : new SharedCache(sharedFolder, root);
  shared?.begin();
  const hasher = new ContentHasher(root, state, pathsInOutputs(pipeline.stages));
  return {
    root,
    folder: '.',
    stateFolder: '',
    pipeline,
    files: folderSource(root, NO_EDITS),
    graph: buildGraph(pipeline.stages, pipeline.sources),
    state,
    hasher,
    stageInputs: inputsOf(root, pipeline, state, hasher),
    lock: Lock.of(root, state, recorded),
    cache: new Cache(root, hasher, { readOnly: false, shared }),
    runs: new RunCache(root, { readOnly: true }),
    writeFreshStamp: async () => {
      throw new ReproError('a node does not say that everything is fresh', 1);
    },
    close: async () => shared?.close(),
  };
}

/**
 * The inputs of the stages of a pipeline, with hashes that a store of its own remembers.
 *
 * @param pipeline with the files of its patterns
 */
export function inputsOf(
  root: string,
  pipeline: Pipeline,
  state: State,
  hasher = new ContentHasher(root, state, pathsInOutputs(pipeline.stages)),
): StageInputs {
  const modules = new ModuleGraph(root, state, hasher, pythonEntries(pipeline.stages, root));
  const outs = pipeline.stages.flatMap((stage) => stage.outs.map(({ path }) => path));
  const isMade = (path: string) => outs.some((out) => contains(out, path));
  const inputs = new StageInputs(root, state, hasher, modules, NO_EDITS, isMade);
  inputs.patterns = new PatternFiles(hasher, pipeline.stages, []);
  return inputs;
}
