/**
 * A plot for a page: the specification of Vega, with signals by which a script can zoom and highlight.
 *
 * Each panel has the signals `zoom_x_I` and `zoom_y_I` for its axes with a fixed domain. They are null, or the domain
 * that is shown instead. `hovered` is the name of a run: its points are larger, and its lines wider.
 */
import type { TopLevelSpec } from 'vega-lite';
import { INK } from '../style/index.ts';

/** An axis of a panel that can be zoomed. */
export interface ZoomAxis {
  signal: string;
  /** the domain that is shown at first */
  domain: [number, number];
  log: boolean;
}

/** A plot for a page. */
export interface InteractivePlot {
  /** a specification of Vega */
  spec: object;
  /** the axes of each panel, in the order of the panels */
  panels: { x?: ZoomAxis; y?: ZoomAxis }[];
}

// biome-ignore lint/suspicious/noExplicitAny: the types of Vega-Lite are unions of all kinds of specifications
type Json = Record<string, any>;

/**
 * Compiles a plot of this project for a page.
 *
 * @param spec a specification of Vega-Lite, which is not changed
 */
export async function interactivePlot(spec: TopLevelSpec): Promise<InteractivePlot> {
  const { compile } = await import('vega-lite');
  // Not structuredClone: layers share encodings, and each needs its own.
  const copy: Json = JSON.parse(JSON.stringify(spec));
  const children: Json[] | undefined = copy.concat ?? copy.vconcat ?? copy.hconcat;
  const panels = (children ?? [copy]).map((panel, i) => preparePanel(panel, i));
  const signals = panels.flatMap(({ x, y }) => [x, y].flatMap((axis) => (axis ? [axis.signal] : [])));
  copy.params = [{ name: 'hovered', value: '' }, ...signals.map((name) => ({ name, value: null }))];
  // The page describes each plot itself, so the marks need no descriptions of their own.
  // A background would be a style of the element, which the style sheet of the page could not change.
  copy.config = { ...copy.config, aria: false, background: 'transparent' };
  const { $schema, ...compiled } = compile(copy as unknown as TopLevelSpec).spec;
  return { spec: compiled, panels };
}

/** Adds the signals to one panel. */
function preparePanel(panel: Json, index: number): InteractivePlot['panels'][number] {
  const axes: InteractivePlot['panels'][number] = {};
  const units: Json[] = panel.layer ?? [panel];
  for (const unit of units) {
    const encoding = unit.encoding ?? {};
    for (const channel of ['x', 'y'] as const) {
      const signal = `zoom_${channel}_${index}`;
      const axis = zoomable(encoding[channel], signal);
      if (axis !== undefined) axes[channel] ??= axis;
    }
    highlightRun(unit, encoding);
    hideOutside(unit, encoding, `zoom_y_${index}`);
  }
  return axes;
}

/** Makes the scale and the axis of an encoding follow a signal; undefined if its domain is not fixed. */
function zoomable(channel: Json | undefined, signal: string): ZoomAxis | undefined {
  const { scale, axis } = channel ?? {};
  const domain = scale?.domain;
  if (!Array.isArray(domain) || domain.length !== 2 || typeof domain[0] !== 'number') return undefined;
  Object.assign(scale, { domainRaw: { expr: signal } });
  if (axis?.values !== undefined && axis.labelExpr !== undefined) {
    const [values, labels] = [JSON.stringify(axis.values), String(axis.labelExpr)];
    Object.assign(axis, {
      values: { expr: `${signal} ? null : ${values}` },
      // Ticks that Vega chooses for another domain have no prepared label.
      labelExpr: `${labels} || format(datum.value, '${automaticFormat(labels)}')`,
      labelOverlap: true,
    });
  }
  return { signal, domain: domain as [number, number], log: String(scale.type) === 'log' };
}

/** The number format of an axis, from its prepared labels: 3·10¹¹, 10k, +0.1 or 0.1. */
function automaticFormat(labels: string): string {
  if (/"\d*·?10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+"/.test(labels)) return '.2~e';
  if (/"[\d.]+[kMBT]"/.test(labels)) return '.3~s';
  return /"\+/.test(labels) ? '+.3~g' : '.4~g';
}

/** Makes the marks of runs react to `hovered`. */
function highlightRun(unit: Json, encoding: Json): void {
  const mark = unit.mark;
  const isHovered = 'hovered !== "" && datum.run === hovered';
  const fields = [encoding.detail, ...(encoding.tooltip ?? [])];
  if (!fields.some((field) => String(field?.field) === 'run')) return;
  if (String(mark?.type) === 'point' && Number(mark?.opacity) > 0) {
    const size = Number(mark?.size ?? 60);
    encoding.size = { condition: { test: isHovered, value: 3 * size }, value: size };
    encoding.stroke = { condition: { test: isHovered, value: INK }, value: mark?.stroke };
  } else if (String(mark?.type) === 'line') {
    const width = Number(mark?.strokeWidth ?? 2);
    encoding.strokeWidth = { condition: { test: isHovered, value: 2.5 * width }, value: width };
  }
}

/** Hides texts beside the panel whose place on the y axis is zoomed away: a clip would hide all of them. */
function hideOutside(unit: Json, encoding: Json, signal: string): void {
  const mark = unit.mark;
  const field = encoding.y?.field;
  if (String(mark?.type) !== 'text' || mark?.clip !== undefined || typeof field !== 'string') return;
  if (encoding.y.scale?.domainRaw === undefined) return;
  const value = `datum[${JSON.stringify(field)}]`;
  const isOutside = `${signal} && (${value} < ${signal}[0] || ${value} > ${signal}[1])`;
  encoding.opacity = { condition: { test: isOutside, value: 0 }, value: 1 };
}
