/**
 * The plot of the training curves. Data: the curves of all runs, and the table of runs.
 *
 * A panel per tokenizer and architecture, a line per run, darker for larger models. Strong lines are the validation
 * loss, faint ones the loss of the training batches.
 *
 *   x   tokens seen, logarithmic, the same in all panels
 *   y   loss in nats per token, logarithmic, the same in all panels of a tokenizer
 */
import type { TopLevelSpec } from 'vega-lite';
import { displayName, type RunRow } from '../../scaling/index.ts';
import {
  CONFIG,
  colours,
  countLabel,
  endLabels,
  type Layout,
  linesPanel,
  logDomain,
  logTicks,
  NARROW_WIDTH,
  type PanelSize,
  plainLabel,
  plotTitle,
  sizeName,
  ticks,
  tooltip,
} from '../style/index.ts';
import type { CurveRow } from './curves.ts';

const HEIGHT = { wide: 340, narrow: 250 };
const WIDTH = { one: 700, two: 335, narrow: NARROW_WIDTH - 50 };

/** A panel: the runs of one tokenizer and architecture. */
interface Panel {
  tokenizer: string;
  /** the panel's title */
  group: string;
  /** the sizes with their runs, smallest size first */
  sizes: { size: string; runs: string[] }[];
  colour: string;
}

/** A run of a panel, from its row in the table of runs. */
interface Member {
  run: string;
  size: string;
  params: number;
  architecture: string;
  tokenizer: string;
}

/**
 * Builds the specification of the plot.
 *
 * @param rows give the architecture and size of each run; runs without a row share a panel called "runs"
 */
export function trainingPlot(
  curves: readonly CurveRow[],
  rows: readonly RunRow[] = [],
  layout: Layout = 'wide',
): TopLevelSpec {
  const panels = panelsOf(curves, rows);
  const trained = curves.filter((row) => row.tokens > 0);
  const x = logDomain(
    trained.map((row) => row.tokens),
    0,
    0,
  );
  // Losses per token are comparable only within a tokenizer, so only its panels share a y axis.
  const y = (tokenizer: string) =>
    lossDomain(
      panels.filter((panel) => panel.tokenizer === tokenizer),
      trained,
    );
  const width = layout === 'narrow' ? WIDTH.narrow : panels.length > 1 ? WIDTH.two : WIDTH.one;
  const columns = layout === 'narrow' ? 1 : 2;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: describePlot(panels, trained),
    title: plotTitle(
      'Training: validation loss as tokens are seen',
      ['Strong lines: validation loss, on windows spread over the split; faint lines: loss of the training batches.'],
      layout,
    ),
    config: CONFIG,
    columns,
    spacing: 50,
    concat: panels.map((panel, i) =>
      panelSpec(
        panel,
        trained,
        { x, y: y(panel.tokenizer) },
        { width, height: HEIGHT[layout], first: i % columns === 0 },
      ),
    ),
  };
}

/**
 * A text alternative of the plot, for readers who do not see it: the last validation losses of the smallest and largest
 * models.
 */
function describePlot(panels: readonly Panel[], curves: readonly CurveRow[]): string {
  const last = (run: string) => curves.filter((row) => row.run === run && row.sampled_val_loss !== null).at(-1);
  const ends = panels.flatMap(({ sizes }) => {
    const runs = [sizes[0], sizes.at(-1)!].map(({ runs: [run] }) => run);
    return [...new Set(runs)].flatMap((run) => {
      const row = last(run);
      return row ? [`${run}: ${row.sampled_val_loss!.toFixed(3)} after ${countLabel(row.tokens)} tokens`] : [];
    });
  });
  return `Validation loss of every run, in nats a token, against the tokens it has seen. ${ends.join('; ')}.`;
}

/** The y domain of some panels. */
function lossDomain(panels: readonly Panel[], curves: readonly CurveRow[]): [number, number] {
  const runs = new Set(panels.flatMap(({ sizes }) => sizes.flatMap((size) => size.runs)));
  const own = curves.filter((row) => runs.has(row.run));
  const losses = own
    .flatMap((row) => [row.sampled_val_loss, row.train_loss])
    .filter((loss): loss is number => loss !== null);
  return logDomain(losses, 0.06, 0.04);
}

/** Groups the runs into panels. */
function panelsOf(curves: readonly CurveRow[], rows: readonly RunRow[]): Panel[] {
  const known = new Map(rows.map((row) => [row.run, row]));
  const several = new Set(rows.map((row) => row.tokenizer)).size > 1;
  const groups = new Map<string, Member[]>();
  for (const run of new Set(curves.map((row) => row.run))) {
    const row = known.get(run);
    const group = row ? [displayName(row.architecture), several && row.tokenizer].filter(Boolean).join(', ') : 'runs';
    const entry = row
      ? {
          run,
          size: sizeName(row) || run,
          params: row.params,
          architecture: row.architecture,
          tokenizer: row.tokenizer,
        }
      : { run, size: run, params: 0, architecture: 'runs', tokenizer: '' };
    groups.set(group, [...(groups.get(group) ?? []), entry]);
  }
  const architectures = [...new Set([...groups.values()].map(([first]) => first.architecture))];
  const palette = colours(architectures);
  return [...groups].map(([group, members]) => {
    members.sort((a, b) => a.params - b.params);
    const sizes = [...new Set(members.map((member) => member.size))].map((size) => ({
      size,
      runs: members.filter((member) => member.size === size).map((member) => member.run),
    }));
    return {
      group,
      tokenizer: members[0].tokenizer,
      sizes,
      colour: palette[architectures.indexOf(members[0].architecture)],
    };
  });
}

/** The specification of one panel. The first panel of a row has the title of the y axis. */
function panelSpec(
  panel: Panel,
  curves: readonly CurveRow[],
  domains: { x: [number, number]; y: [number, number] },
  { first, ...size }: PanelSize & { first: boolean },
) {
  const sizeOf = new Map(panel.sizes.flatMap(({ size, runs }) => runs.map((run) => [run, size])));
  const points = curves.flatMap((row) => {
    const name = sizeOf.get(row.run);
    return name === undefined
      ? []
      : [{ run: row.run, size: name, tokens: row.tokens, train: row.train_loss, val: row.sampled_val_loss }];
  });
  const ends = panel.sizes.flatMap(({ size, runs }) => {
    const last = points.filter((point) => point.run === runs[0] && point.val !== null).at(-1);
    return last ? [{ size, value: last.val! }] : [];
  });
  const x = {
    field: 'tokens',
    type: 'quantitative',
    scale: { type: 'log', domain: domains.x, nice: false },
    axis: { title: 'tokens seen', ...ticks(logTicks(domains.x, size.width < 300 ? 3 : 5), countLabel) },
  } as const;
  const y = {
    type: 'quantitative',
    scale: { type: 'log', domain: domains.y, nice: false },
    axis: { title: first ? 'loss (nats a token)' : null, ...ticks(logTicks(domains.y, 6), plainLabel) },
  } as const;
  const { frame, color } = linesPanel(
    panel.group,
    panel.sizes.map(({ size }) => size),
    panel.colour,
    size,
  );
  return {
    ...frame,
    layer: [
      {
        data: {
          values: points
            .filter((point) => point.train !== null)
            .map(({ run, size, tokens, train }) => ({ run, size, tokens, loss: train })),
        },
        mark: { type: 'line', strokeWidth: 0.8, opacity: 0.35, clip: true } as const,
        encoding: { x, y: { ...y, field: 'loss' }, color, detail: { field: 'run' } },
      },
      {
        data: {
          values: points
            .filter((point) => point.val !== null)
            .map(({ run, size, tokens, val }) => ({ run, size, tokens, loss: val })),
        },
        mark: { type: 'line', strokeWidth: 2, clip: true } as const,
        encoding: { x, y: { ...y, field: 'loss' }, color, detail: { field: 'run' } },
      },
      // Invisible points that carry the tooltips: those of a line would show its first point only.
      {
        data: { values: points.filter((point) => point.val !== null) },
        mark: { type: 'point', filled: true, size: 90, opacity: 0, clip: true } as const,
        encoding: {
          x,
          y: { ...y, field: 'val' },
          color,
          tooltip: tooltip([
            ['run', 'run'],
            ['tokens', 'tokens', ','],
            ['val', 'validation loss', '.4f'],
            ['train', 'batch loss', '.4f'],
          ]),
        },
      },
      endLabels(ends, y, color, size),
    ],
  };
}
