/**
 * The two layouts of a plot: `wide` for screens and paper, `narrow` for phones. A narrow plot is 360 pixels wide: its
 * panels stand one below the other, names are in a legend, and titles have more lines.
 */
import { wrap } from './axes.ts';

export type Layout = 'wide' | 'narrow';

/** Width of the panel of a narrow plot in pixels; the axis on its left has the rest. */
export const NARROW_WIDTH = 276;

/** Letters of a line of the title and of the subtitle. */
const LETTERS = { wide: { title: 78, subtitle: 105 }, narrow: { title: 33, subtitle: 50 } };

/**
 * The title of a plot, in lines that fit the layout.
 *
 * @param subtitle sentences; each begins a line of its own
 */
export function plotTitle(text: string, subtitle: readonly string[], layout: Layout) {
  const letters = LETTERS[layout];
  return {
    text: wrap(text, letters.title),
    subtitle: subtitle.filter(Boolean).flatMap((line) => wrap(line, letters.subtitle)),
    ...(layout === 'narrow' && { fontSize: 16, subtitleFontSize: 12, subtitleLineHeight: 16 }),
  };
}

/** Fields of a tooltip, with their names for readers and a number format of d3. */
export function tooltip(fields: readonly (readonly [field: string, title: string, format?: string])[]) {
  return fields.map(([field, title, format]) =>
    format === undefined
      ? { field, type: 'nominal' as const, title }
      : { field, type: 'quantitative' as const, title, format },
  );
}
