/**
 * Finds the order of the stages. It follows from paths alone: a stage that reads a path comes after the stage that
 * writes this path, a folder that contains it, or something inside it.
 *
 *   deps: [data/tokens]  →  outs: [data/tokens], [data] or [data/tokens/bpe]
 */
import type { Stage } from '../pipeline/index.ts';
import { GraphError } from './graph-error.ts';
import { ancestors, PathIndex } from './path-index.ts';
import { checkRemovedPaths } from './removed-paths.ts';

/** The stages and the edges between them. */
export interface Graph {
  /** Stages by name. A stage comes after the stages that it needs. Otherwise the order is that of pipeline.yaml. */
  stages: ReadonlyMap<string, Stage>;
  /** The stages whose outputs a stage reads, by name. */
  upstream: ReadonlyMap<string, readonly string[]>;
  /** The stages that read a stage's outputs, by name. */
  downstream: ReadonlyMap<string, readonly string[]>;
}

/**
 * Finds the edges and the order.
 *
 * @param sources the files that the pipeline is read from, which no stage may write
 * @throws GraphError if outputs overlap or contain the pipeline's own files, or if there is a cycle
 */
export function buildGraph(stages: readonly Stage[], sources: readonly string[] = []): Graph {
  checkRemovedPaths(stages, sources);
  const writers = new Writers(stages);
  const upstream = new Map<string, string[]>();
  const downstream = new Map<string, string[]>(stages.map(({ name }) => [name, []]));
  for (const stage of stages) {
    const needs = new Set(readPaths(stage).flatMap((path) => writers.of(path)));
    upstream.set(stage.name, [...needs]);
    for (const name of needs) downstream.get(name)!.push(stage.name);
  }
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const order = topologicalOrder(stages, upstream);
  return { stages: new Map(order.map((name) => [name, byName.get(name)!])), upstream, downstream };
}

/** The paths that a stage reads: dependencies, entry modules and params files. */
function readPaths(stage: Stage): string[] {
  return [...stage.deps.map(({ path }) => path), ...stage.code, ...stage.params.map(({ file }) => file)];
}

/** Finds the stages that write a path, something inside it, or a folder that contains it. */
class Writers {
  readonly #index: PathIndex<string>;

  constructor(stages: readonly Stage[]) {
    const byPath = new Map<string, string>();
    for (const { name, outs } of stages) {
      for (const { path } of outs) {
        const other = byPath.get(path);
        if (other !== undefined) throw new GraphError(name, overlap(name, path, other, path));
        byPath.set(path, name);
      }
    }
    for (const [path, name] of byPath)
      for (const outer of ancestors(path))
        if (byPath.has(outer)) throw new GraphError(name, overlap(name, path, byPath.get(outer)!, outer));
    this.#index = new PathIndex(byPath);
  }

  of(path: string): string[] {
    return [...this.#index.within(path), ...this.#index.above(path)];
  }
}

function overlap(stage: string, path: string, other: string, outer: string): string {
  if (path === outer)
    return stage === other
      ? `${stage}: the output "${path}" is listed twice`
      : `the output "${path}" belongs to two stages, ${other} and ${stage}; give each its own`;
  return `the output "${path}" of ${stage} lies inside the output "${outer}" of ${other}; outputs cannot overlap`;
}

function topologicalOrder(stages: readonly Stage[], upstream: ReadonlyMap<string, readonly string[]>): string[] {
  const order: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  for (const { name: start } of stages) {
    // No recursion: a long chain of stages would overflow the call stack.
    const stack: { name: string; next: number }[] = [{ name: start, next: 0 }];
    if (state.has(start)) continue;
    state.set(start, 'open');
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const need = upstream.get(top.name)![top.next++];
      if (need === undefined) {
        state.set(top.name, 'done');
        order.push(top.name);
        stack.pop();
      } else if (state.get(need) === 'open') {
        const names = stack.map(({ name }) => name);
        const cycle = [...names.slice(names.indexOf(need)), need].reverse();
        throw new GraphError(
          need,
          cycle.length === 2
            ? `${need} depends on its own output`
            : `these stages form a cycle, each needing what the one before it makes: ${cycle.join(' → ')}`,
        );
      } else if (!state.has(need)) {
        state.set(need, 'open');
        stack.push({ name: need, next: 0 });
      }
    }
  }
  return order;
}
