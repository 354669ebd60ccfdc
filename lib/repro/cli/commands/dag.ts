/** `repro dag`: prints the graph of the stages as text, Mermaid, Graphviz or JSON. */

import { type Graph, select } from '../../graph/index.ts';
import { escapeLine, printableJson } from '../../messages/index.ts';
import { contains, type Stage } from '../../pipeline/index.ts';
import { openProject } from '../../planning/index.ts';
import { print } from '../output.ts';

/**
 * Prints the targets and the stages that they depend on; without targets, all stages.
 *
 * @param format at most one of mermaid, dot and json; none prints text. `outs`: outputs in place of stages
 * @returns the exit code, 0
 */
export async function dag(
  targets: readonly string[],
  format: { mermaid?: boolean; dot?: boolean; json?: boolean; outs?: boolean },
): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  try {
    const names = select(project.graph, { at: project, targets });
    const nodes = format.outs ? outputNodes(project.graph, names) : stageNodes(project.graph, names);
    if (format.json) print(format.outs ? outputsAsJson(nodes) : asJson(project.graph, names));
    else print((format.mermaid ? asMermaid : format.dot ? asDot : asText)(nodes));
    return 0;
  } finally {
    await project.close();
  }
}

/** A stage or an output in a drawing. */
interface Node {
  name: string;
  /** Nodes with the same group are one line of text. */
  group: string;
  /** The names of the nodes that it is made from. */
  needs: string[];
}

/** The given stages. Edges to other stages are left out. */
function stageNodes(graph: Graph, names: readonly string[]): Node[] {
  const shown = new Set(names);
  return names.map((name) => ({
    name,
    group: graph.stages.get(name)!.group,
    needs: graph.upstream.get(name)!.filter((upstream) => shown.has(upstream)),
  }));
}

/** The outputs of the given stages, each with the outputs that its stage reads. */
function outputNodes(graph: Graph, names: readonly string[]): Node[] {
  const shown = new Set(names);
  return names.flatMap((name) => {
    const stage = graph.stages.get(name)!;
    const read = inputPaths(stage);
    const needs = graph.upstream
      .get(name)!
      .filter((upstream) => shown.has(upstream))
      .flatMap((upstream) => graph.stages.get(upstream)!.outs.map(({ path }) => path))
      .filter((out) => read.some((path) => contains(path, out) || contains(out, path)));
    return stage.outs.map(({ path }) => ({ name: path, group: path, needs }));
  });
}

function inputPaths({ deps, code, params }: Stage): string[] {
  return [...deps.map(({ path }) => path), ...code, ...params.map(({ file }) => file)];
}

function edgesOf(nodes: readonly Node[]): [from: string, to: string][] {
  return nodes.flatMap(({ name, needs }) => needs.map((need): [string, string] => [need, name]));
}

function outputsAsJson(nodes: readonly Node[]): string {
  const outs = nodes.map(({ name, needs }) => ({ path: name, needs }));
  return `${printableJson({ outs, edges: edgesOf(nodes).map(([from, to]) => ({ from, to })) }, 2)}\n`;
}

/** The edges between the given stages, from each stage to those that depend on it. */
function edges(graph: Graph, names: readonly string[]): [from: string, to: string][] {
  const shown = new Set(names);
  return names.flatMap((name) =>
    graph.upstream
      .get(name)!
      .filter((upstream) => shown.has(upstream))
      .map((upstream): [string, string] => [upstream, name]),
  );
}

function asJson(graph: Graph, names: readonly string[]): string {
  const stages = names.map((name) => {
    const { deps, outs, desc } = graph.stages.get(name)!;
    return {
      name,
      ...(desc ? { desc } : {}),
      needs: graph.upstream.get(name),
      deps: deps.map(({ path }) => path),
      outs: outs.map(({ path }) => path),
    };
  });
  return `${printableJson({ stages, edges: edges(graph, names).map(([from, to]) => ({ from, to })) }, 2)}\n`;
}

function asMermaid(nodes: readonly Node[]): string {
  const id = new Map(nodes.map(({ name }, i) => [name, `s${i}`]));
  const boxes = nodes.map(({ name }) => `  ${id.get(name)}["${escapeLine(name).replaceAll('"', '#quot;')}"]`);
  const lines = edgesOf(nodes).map(([from, to]) => `  ${id.get(from)} --> ${id.get(to)}`);
  return `${['flowchart TD', ...boxes, ...lines].join('\n')}\n`;
}

function asDot(nodes: readonly Node[]): string {
  const boxes = nodes.map(({ name }) => `  ${JSON.stringify(name)};`);
  const lines = edgesOf(nodes).map(([from, to]) => `  ${JSON.stringify(from)} -> ${JSON.stringify(to)};`);
  return `${['digraph repro {', ...boxes, ...lines, '}'].join('\n')}\n`;
}

/**
 * One line for each definition, with the definitions it depends on, in the order of running. All cells of a matrix
 * share one line. Outputs have a line each.
 */
function asText(nodes: readonly Node[]): string {
  const groupOf = new Map(nodes.map(({ name, group }) => [name, group]));
  const members = new Map<string, Node[]>();
  for (const node of nodes) members.set(node.group, [...(members.get(node.group) ?? []), node]);
  const lines = [...members].map(([group, cells]) => {
    const needs = new Set(cells.flatMap((cell) => cell.needs.map((need) => escapeLine(groupOf.get(need)!))));
    const count = cells.length > 1 || cells[0].name !== group ? ` (${cells.length})` : '';
    return `${escapeLine(group)}${count}${needs.size > 0 ? `  ←  ${[...needs].join(', ')}` : ''}`;
  });
  return lines.length > 0 ? `${lines.join('\n')}\n` : 'no stages\n';
}
