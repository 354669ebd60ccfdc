/**
 * Finds the stages that the targets of a call name, and the stages that belong to them.
 *
 *   repro train@1          a stage, with the stages that it needs
 *   repro train            every cell of a matrix
 *   repro ../model/1       the stage that makes this output; the path is relative to the current folder
 */
import { posix } from 'node:path';
import picomatch from 'picomatch';
import { ReproError, suggestion } from '../messages/index.ts';
import { normalise } from '../pipeline/index.ts';
import type { Graph } from './graph.ts';

/** The folder that a call is made in. */
export interface CallFolder {
  /** The pipeline's folder, absolute. */
  root: string;
  /** The current folder, relative to `root` and normalised; `.` for `root`. */
  folder: string;
}

/** For calls in the pipeline's folder. */
const AT_ROOT: CallFolder = { root: '/', folder: '.' };

/** The selection of stages in a call of repro. */
export interface Selection {
  /** Names of stages, names of groups (`train` for every `train@…`), or paths of outputs. Empty: all stages. */
  targets: readonly string[];
  /** What the paths are relative to; by default the pipeline's folder. */
  at?: CallFolder;
  /** Only the targets, without the stages that they need. */
  single?: boolean;
  /** All stages connected with a target. */
  pipeline?: boolean;
  /** The targets and the stages that need them. */
  downstream?: boolean;
  /** Targets are patterns in the syntax of picomatch: `*`, `?`, `[a-c]`, `{a,b}`, `!(a|b)`. */
  glob?: boolean;
}

/**
 * The names of the selected stages, in the graph's order.
 *
 * @throws UnknownTarget if a target matches no stage
 */
export function select(graph: Graph, selection: Selection): string[] {
  const names = [...graph.stages.keys()];
  if (selection.targets.length === 0) return names;
  const chosen = new Set(selection.targets.flatMap((target) => resolveTarget(graph, target, selection)));
  if (selection.single) return names.filter((name) => chosen.has(name));
  const addReachable = (edges: ReadonlyMap<string, readonly string[]>[]) => {
    const queue = [...chosen];
    while (queue.length > 0) {
      const name = queue.pop()!;
      for (const next of edges.flatMap((map) => map.get(name) ?? [])) {
        if (chosen.has(next)) continue;
        chosen.add(next);
        queue.push(next);
      }
    }
  };
  if (selection.downstream) addReachable([graph.downstream]);
  else if (selection.pipeline) addReachable([graph.upstream, graph.downstream]);
  else addReachable([graph.upstream]);
  return names.filter((name) => chosen.has(name));
}

/** The stages that one target names. A name is the same in every folder; a path is relative to the current one. */
function resolveTarget(graph: Graph, target: string, { at = AT_ROOT, glob }: Selection): string[] {
  const stages = [...graph.stages.values()];
  if (glob) {
    const matches = nameMatcher(target);
    const found = stages.filter(({ name }) => matches(name));
    if (found.length === 0) throw unknown(graph, target, `no stage matches "${target}"`);
    return found.map(({ name }) => name);
  }
  const path = targetPath(target, at);
  const found = stages.filter(
    ({ name, group, outs }) => name === target || group === target || outs.some((out) => out.path === path),
  );
  if (found.length > 0) return found.map(({ name }) => name);
  const outs = new Set(stages.flatMap((stage) => stage.outs.map((out) => out.path)));
  throw unknownPath(target, at, (other) => outs.has(other)) ?? unknown(graph, target, noSuchTarget(target));
}

/** The path that a target is if it is not a name, normalised. */
export function targetPath(target: string, { root, folder }: CallFolder): string {
  return normalise(root, folder, target);
}

/**
 * The error for a target that would be known if the call had been made in the pipeline's folder.
 *
 * @param isKnown whether a normalised path is known
 * @returns undefined if it would be unknown there too
 */
export function unknownPath(
  target: string,
  at: CallFolder,
  isKnown: (path: string) => boolean,
): UnknownTarget | undefined {
  const fromRoot = targetPath(target, { ...at, folder: '.' });
  if (!isKnown(fromRoot)) return undefined;
  const meant = posix.relative(at.folder, fromRoot) || '.';
  return new UnknownTarget(
    target,
    noSuchTarget(target),
    `; did you mean "${meant}"? A path is relative to the current folder`,
  );
}

function unknown(graph: Graph, target: string, message: string): UnknownTarget {
  const groups = new Set([...graph.stages.values()].map(({ group }) => group));
  return new UnknownTarget(target, message, suggestion(target, groups, [...graph.stages.keys()]));
}

function noSuchTarget(target: string): string {
  return `there is no stage or output "${target}"`;
}

/** A target that matches no stage; the message suggests a similar name. */
export class UnknownTarget extends ReproError {
  readonly target: string;

  constructor(target: string, message: string, hint: string) {
    super(`${message}${hint}`);
    this.target = target;
  }
}

/** `*` and `?` match a slash and a leading dot too, as a stage's name is not a path; `!` negates only as `!(…)`. */
function nameMatcher(glob: string): (name: string) => boolean {
  const withoutSlash = (text: string) => text.replaceAll('/', '\u0001');
  const matches = picomatch(withoutSlash(glob), { dot: true, nonegate: true });
  return (name) => matches(withoutSlash(name));
}
