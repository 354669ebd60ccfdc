/** How every plot looks: colours, type, widths. The palette is Okabe and Ito's (2008), told apart by colour-blind eyes too. */
import type { Config } from 'vega-lite';

/** The neutrals of the page; a reader of the SVG may replace them, as the report does for dark screens. */
export const INK = '#1d2733';
export const MUTED = '#5c6b7a';
export const GRID = '#e3e8ee';
export const PAPER = '#ffffff';

/** Of the two architectures always the same, so that plots can be read beside each other. */
const BY_NAME: Record<string, string> = { gpt: '#0072b2', lstm: '#d55e00' };
const OTHERS = ['#009e73', '#cc79a7', '#8c6d00', '#56b4e9', '#e69f00'];

/** In the order of names given. */
export function colours(names: readonly string[]): string[] {
  let next = 0;
  return names.map((name) => BY_NAME[name] ?? OTHERS[next++ % OTHERS.length]);
}

/** Light to dark, for what is ordered (sizes of a model): evenly spaced cuts of one hue, none too light for white paper. */
export function ramp(colour: string, count: number): string[] {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return Array.from({ length: count }, (_, i) => {
    const share = count === 1 ? 0.5 : i / (count - 1);
    const mixed = channels.map((channel) =>
      // The first third of the way is towards white, the last towards black.
      Math.round(
        share < 0.6
          ? channel + (255 - channel) * 0.62 * (1 - share / 0.6)
          : channel * (1 - 0.55 * ((share - 0.6) / 0.4)),
      ),
    );
    return `#${mixed.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
  });
}

/** The family named first is the one that PNGs are drawn with: see render.ts. */
const FONT = 'DejaVu Sans, Verdana, system-ui, sans-serif';

export const CONFIG: Config = {
  background: PAPER,
  padding: { left: 12, right: 16, top: 14, bottom: 12 },
  font: FONT,
  view: { stroke: null },
  title: {
    anchor: 'start',
    frame: 'bounds',
    color: INK,
    fontSize: 19,
    fontWeight: 'bold',
    offset: 18,
    subtitleColor: MUTED,
    subtitleFontSize: 13,
    subtitlePadding: 7,
    subtitleLineHeight: 18,
  },
  axis: {
    domain: false,
    ticks: false,
    grid: true,
    gridColor: GRID,
    gridWidth: 1,
    labelColor: MUTED,
    labelFontSize: 12.5,
    labelPadding: 8,
    labelFlush: false,
    titleColor: INK,
    titleFontSize: 13,
    titleFontWeight: 'normal',
    titlePadding: 12,
  },
  header: { labelColor: INK, labelFontSize: 14, labelFontWeight: 'bold', title: null },
  legend: { labelColor: INK, labelFontSize: 12.5, titleColor: MUTED, titleFontSize: 12.5, titleFontWeight: 'normal' },
  text: { color: INK, fontSize: 12.5 },
};
