/**
 * The outputs that a node has made, as the host of repro takes them: by the node's result. What this host sees of them
 * may be old, because clients of network file systems remember stat data, so it does not count:
 *
 *   seen here as the node has left them   they count as seen
 *   not yet, and only jobs read them      they count as reported (planning/reported-outputs.ts), and repro goes on
 *   not yet, and this host reads them     repro waits for them
 *
 * Before repro ends, it waits until it sees the others too.
 */
import { join } from 'node:path';
import { type Scanned, sameContent } from '../hashing/index.ts';
import { isListed } from '../making/index.ts';
import type { Failure } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import { type Project, touches } from '../planning/index.ts';

/** Milliseconds between two looks at outputs that come late. */
const LOOK_AGAIN = 500;

/**
 * Takes the outputs of a stage.
 *
 * @param outs by path
 * @param how.latency seconds that a file may be late
 * @param how.isJob whether a stage runs by Slurm
 * @returns a failure if this host must see them, and does not
 */
export async function acceptOutputs(
  project: Project,
  stage: Stage,
  outs: ReadonlyMap<string, Scanned>,
  { node, latency, isJob }: { node: string; latency: number; isJob(stage: Stage): boolean },
): Promise<Failure | undefined> {
  const late = new Map<string, Scanned>();
  for (const [path, scanned] of outs) {
    project.stageInputs.reported.drop(path);
    const seen = await project.hasher.scanRemembered(path);
    if (!sameContent(seen?.content, scanned.content)) late.set(path, scanned);
  }
  project.stageInputs.forget();
  if (isReadHere(project, stage, [...late.keys()], isJob)) {
    const unseen = await untilSeen(project, late, latency);
    if (unseen.length === 0) return undefined;
    const message = `${node} has made ${unseen.join(', ')}, but this host sees something else after ${latency} s; do both see this folder?`;
    return { reason: 'error', message };
  }
  for (const [path, scanned] of late) project.stageInputs.reported.set(path, scanned);
  return undefined;
}

/**
 * Whether this host reads outputs itself: for a stage that runs here, for code, params, or names that match a pattern.
 */
function isReadHere({ graph }: Project, stage: Stage, paths: readonly string[], isJob: (stage: Stage) => boolean) {
  return graph.downstream.get(stage.name)!.some((name) => {
    const reader = graph.stages.get(name)!;
    const patterns = reader.deps.filter(({ isPattern }) => isPattern);
    // The text of a pattern does not show which paths it matches.
    const read = [...reader.code, ...reader.params.map(({ file }) => file)];
    return !isJob(reader) || patterns.length > 0 || read.some((path) => touches(path, paths));
  });
}

/**
 * Waits until this host sees outputs as they were made. Their files are read only if their stat data are others here.
 *
 * @returns the paths that it sees otherwise after `latency` seconds
 */
export async function untilSeen(
  project: Project,
  outs: ReadonlyMap<string, Scanned>,
  latency: number,
  isWaiting = () => true,
): Promise<string[]> {
  const until = performance.now() + latency * 1000;
  for (;;) {
    project.stageInputs.forget();
    const late: string[] = [];
    for (const [path, { content }] of outs) {
      const seen = await project.hasher.scan(path).catch(() => undefined);
      if (!sameContent(seen?.content, content)) late.push(path);
    }
    if (late.length === 0 || performance.now() > until || !isWaiting()) return late;
    for (const path of late) isListed(join(project.root, path));
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}
