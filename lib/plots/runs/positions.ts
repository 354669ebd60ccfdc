/**
 * The plot of the loss by position. Data: the losses of all runs by the number of tokens seen of a window.
 *
 * A panel per tokenizer and architecture, a line per run, darker for larger models. Lines that still fall at the right
 * end say that a longer window would help.
 *
 *   x   position in the window, from 1, logarithmic; positions that lie close together are averaged
 *   y   loss in bits per token, linear, the same in all panels of a tokenizer
 */
import type { TopLevelSpec } from 'vega-lite';
import { displayName, type RunRow, readTable, type TableSchema } from '../../scaling/index.ts';
import {
  CONFIG,
  colours,
  countLabel,
  endLabels,
  type Layout,
  linearTicks,
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

const SIZE = { wide: { width: 335, height: 300 }, narrow: { width: NARROW_WIDTH - 50, height: 240 } };
/** Positions are averaged in bins that grow by this factor. */
const BIN_FACTOR = 1.25;

/** The loss at one position. */
export interface PositionRow {
  run: string;
  /** from 1 */
  position: number;
  /** number of tokens that were judged there */
  tokens: number;
  bits_per_token: number;
}

const SCHEMA: TableSchema = {
  columns: { run: 'name', position: 'number', tokens: 'number', bits_per_token: 'number' },
  required: ['run', 'position', 'tokens', 'bits_per_token'],
};

/**
 * Parses a CSV file of losses by position.
 *
 * @param file names the file in messages
 * @throws TableError with file, line and column
 */
export function readPositions(csvText: string, file = 'positions.csv'): PositionRow[] {
  return readTable(csvText, SCHEMA, file) as unknown as PositionRow[];
}

/** A point of a line. */
interface Point {
  run: string;
  size: string;
  position: number;
  bits: number;
}

/**
 * Builds the specification of the plot.
 *
 * @returns undefined if no run of the table has losses by position
 */
export function positionsPlot(
  positions: readonly PositionRow[],
  rows: readonly RunRow[],
  layout: Layout = 'wide',
): TopLevelSpec | undefined {
  const several = new Set(rows.map(({ tokenizer }) => tokenizer)).size > 1;
  const groups = new Map<string, RunRow[]>();
  const measured = new Set(positions.map(({ run }) => run));
  for (const row of rows.filter(({ run }) => measured.has(run))) {
    const name = [displayName(row.architecture), several && row.tokenizer].filter(Boolean).join(', ') || 'runs';
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  if (groups.size === 0) return undefined;
  const palette = colours([...new Set([...groups.values()].map(([{ architecture }]) => architecture))]);
  const architectures = [...new Set([...groups.values()].map(([{ architecture }]) => architecture))];
  const panels = [...groups].map(([name, members]) => ({
    name,
    tokenizer: members[0].tokenizer,
    colour: palette[architectures.indexOf(members[0].architecture)],
    points: [...members].sort((a, b) => a.params - b.params).flatMap((row) => lineOf(row, positions)),
  }));
  const longest = Math.max(...panels.flatMap(({ points }) => points.map(({ position }) => position)));
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: `Loss in bits per token by position in a window of ${longest} tokens, one line per run. The first tokens of a window have little context, so their loss is higher.`,
    title: plotTitle(
      'What context is worth: loss by position in the window',
      [
        'One line per run; larger models stand out more. Where lines still fall at the right end, a longer window would help.',
      ],
      layout,
    ),
    config: CONFIG,
    columns: layout === 'narrow' ? 1 : 2,
    spacing: 50,
    concat: panels.map((panel) => panelSpec(panel, panels, SIZE[layout])),
  };
}

/** The line of a run: means over bins of positions, weighted by their tokens. */
function lineOf(row: RunRow, positions: readonly PositionRow[]): Point[] {
  const bins = new Map<number, { tokens: number; bits: number; logs: number }>();
  for (const { run, position, tokens, bits_per_token: bits } of positions) {
    if (run !== row.run || !(tokens > 0) || !(position > 0)) continue;
    const key = Math.round(Math.log(position) / Math.log(BIN_FACTOR));
    const bin = bins.get(key) ?? { tokens: 0, bits: 0, logs: 0 };
    bins.set(key, {
      tokens: bin.tokens + tokens,
      bits: bin.bits + tokens * bits,
      logs: bin.logs + tokens * Math.log(position),
    });
  }
  return [...bins.values()].map(({ tokens, bits, logs }) => ({
    run: row.run,
    size: sizeName(row) || row.run,
    position: Math.exp(logs / tokens),
    bits: bits / tokens,
  }));
}

interface Panel {
  name: string;
  tokenizer: string;
  colour: string;
  points: Point[];
}

function panelSpec(panel: Panel, panels: readonly Panel[], size: PanelSize) {
  const { name, tokenizer, colour, points } = panel;
  const all = panels.filter((other) => other.tokenizer === tokenizer).flatMap((other) => other.points);
  const xDomain = logDomain(
    all.map(({ position }) => position),
    0,
    0,
  );
  const [least, most] = [Math.min(...all.map(({ bits }) => bits)), Math.max(...all.map(({ bits }) => bits))];
  const margin = 0.06 * Math.max(most - least, 0.01);
  const [low, high]: [number, number] = [least - margin, most + margin];
  const sizes = [...new Set(points.map(({ size }) => size))];
  const ends = sizes.map((size) => {
    const [{ run }] = points.filter((point) => point.size === size);
    return points.filter((point) => point.run === run).reduce((a, b) => (b.position > a.position ? b : a));
  });
  const x = {
    field: 'position',
    type: 'quantitative',
    scale: { type: 'log', domain: xDomain, nice: false },
    axis: { title: 'position in the window', ...ticks(logTicks(xDomain, 5), countLabel) },
  } as const;
  const y = {
    type: 'quantitative',
    scale: { domain: [low, high] as [number, number], nice: false, zero: false },
    axis: { title: 'bits per token', ...ticks(linearTicks([low, high], 6), plainLabel) },
  } as const;
  const { frame, color } = linesPanel(name, sizes, colour, size);
  return {
    ...frame,
    layer: [
      {
        data: { values: points },
        mark: { type: 'line', strokeWidth: 2, clip: true } as const,
        encoding: { x, y: { ...y, field: 'bits' }, color, detail: { field: 'run' } },
      },
      {
        data: { values: points },
        mark: { type: 'point', filled: true, size: 90, opacity: 0, clip: true } as const,
        encoding: {
          x,
          y: { ...y, field: 'bits' },
          color,
          tooltip: tooltip([
            ['run', 'run'],
            ['position', 'position', '.0f'],
            ['bits', 'bits per token', '.3f'],
          ]),
        },
      },
      endLabels(
        ends.map(({ size, bits }) => ({ size, value: bits })),
        y,
        color,
        size,
      ),
    ],
  };
}
