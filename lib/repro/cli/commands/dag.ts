/** `repro dag`: prints the graph of the stages as text, Mermaid, Graphviz or JSON. */

import { type Graph, select } from '../../graph/index.ts';
import { escapeLine, printableJson } from '../../messages/index.ts';
import { openProject } from '../../planning/index.ts';
import { print } from '../output.ts';

/**
 * Prints the targets and the stages that they depend on; without targets, all stages.
 *
 * @param format at most one of the three; none prints text
 * @returns the exit code, 0
 */
export async function dag(
  targets: readonly string[],
  format: { mermaid?: boolean; dot?: boolean; json?: boolean },
): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  try {
    const names = select(project.graph, { targets });
    const draw = format.json ? asJson : format.mermaid ? asMermaid : format.dot ? asDot : asText;
    print(draw(project.graph, names));
    return 0;
  } finally {
    await project.close();
  }
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

function asMermaid(graph: Graph, names: readonly string[]): string {
  const id = new Map(names.map((name, i) => [name, `s${i}`]));
  const nodes = names.map((name) => `  ${id.get(name)}["${escapeLine(name).replaceAll('"', '#quot;')}"]`);
  const lines = edges(graph, names).map(([from, to]) => `  ${id.get(from)} --> ${id.get(to)}`);
  return `${['flowchart TD', ...nodes, ...lines].join('\n')}\n`;
}

function asDot(graph: Graph, names: readonly string[]): string {
  const nodes = names.map((name) => `  ${JSON.stringify(name)};`);
  const lines = edges(graph, names).map(([from, to]) => `  ${JSON.stringify(from)} -> ${JSON.stringify(to)};`);
  return `${['digraph repro {', ...nodes, ...lines, '}'].join('\n')}\n`;
}

/**
 * One line for each definition, with the definitions it depends on, in the order of running. All cells of a matrix
 * share one line.
 */
function asText(graph: Graph, names: readonly string[]): string {
  const shown = new Set(names);
  const label = (name: string) => escapeLine(graph.stages.get(name)!.group);
  const cells = new Map<string, string[]>();
  for (const name of names) cells.set(label(name), [...(cells.get(label(name)) ?? []), name]);
  const lines: string[] = [];
  for (const [group, members] of cells) {
    const needs = new Set(
      members.flatMap((name) =>
        graph.upstream
          .get(name)!
          .filter((up) => shown.has(up))
          .map(label),
      ),
    );
    const cellCount = members.length > 1 || escapeLine(members[0]) !== group ? ` (${members.length})` : '';
    lines.push(`${group}${cellCount}${needs.size > 0 ? `  ←  ${[...needs].join(', ')}` : ''}`);
  }
  return lines.length > 0 ? `${lines.join('\n')}\n` : 'no stages\n';
}
