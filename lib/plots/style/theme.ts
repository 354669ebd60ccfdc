/**
 * The appearance of all plots: colours, fonts, margins.
 *
 * @see Okabe and Ito 2008, "Color Universal Design": a palette that is distinguishable with every kind of colour vision
 */
import type { Config } from 'vega-lite';

// The neutral colours. The report replaces them by those of the page, for light and dark screens.

/** Titles and other strong text. */
export const INK = '#1d2733';
/** Labels and other weak text. */
export const MUTED = '#5c6b7a';
/** Grid lines. */
export const GRID = '#e3e8ee';
/** Background. */
export const PAPER = '#ffffff';

/** The two architectures have the same colour in every plot. */
const BY_NAME: Record<string, string> = { gpt: '#0072b2', lstm: '#d55e00' };
const OTHERS = ['#009e73', '#cc79a7', '#8c6d00', '#56b4e9', '#e69f00'];

/** A colour for each name, in their order. */
export function colours(names: readonly string[]): string[] {
  let next = 0;
  return names.map((name) => BY_NAME[name] ?? OTHERS[next++ % OTHERS.length]);
}

/**
 * `count` shades of one hue from light to dark, for ordered values such as sizes. None is too light for a white
 * background.
 */
export function ramp(colour: string, count: number): string[] {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return Array.from({ length: count }, (_, i) => {
    const share = count === 1 ? 0.5 : i / (count - 1);
    const mixed = channels.map((channel) =>
      // Below 0.6 the colour is mixed with white, less and less. Above 0.6 it is mixed with black, more and more.
      Math.round(
        share < 0.6
          ? channel + (255 - channel) * 0.62 * (1 - share / 0.6)
          : channel * (1 - 0.55 * ((share - 0.6) / 0.4)),
      ),
    );
    return `#${mixed.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
  });
}

/** The font families. PNGs are drawn with the first one (render.ts). */
const FONT = 'DejaVu Sans, Verdana, system-ui, sans-serif';

/** The Vega-Lite config of every plot. */
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
