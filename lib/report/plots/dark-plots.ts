/**
 * Colours of the plots in the page, for light and dark screens. The SVG is unchanged: the style sheet overrides its
 * `fill` and `stroke` attributes.
 */
import { GRID, INK, MUTED, PAPER } from '../../plots/index.ts';

/** The page's colours for the neutral colours of a plot, on every screen. */
const NEUTRALS: Record<string, string> = {
  [INK]: 'var(--ink)',
  [MUTED]: 'var(--muted)',
  [GRID]: 'var(--grid)',
  [PAPER]: 'var(--plot)',
};

/** Range of lightness of a colour on a dark screen: visible, but not glaring. */
const MIN_LIGHTNESS = 0.42;
const MAX_LIGHTNESS = 0.85;

/**
 * Style rules for the plots of the page. Neutral colours become those of the page. On dark screens, the lightness of
 * all other colours is inverted: the dark line of a large model becomes a light line of the same hue.
 *
 * @param svgs the plots, whose colours are looked up
 * @returns CSS
 */
export function plotStyles(svgs: readonly string[]): string {
  const marks = coloursOf(svgs).filter((colour) => NEUTRALS[colour] === undefined);
  const dark = colourRules(marks.map((colour) => [colour, invertLightness(colour)]));
  return `${colourRules(Object.entries(NEUTRALS))}@media screen and (prefers-color-scheme: dark){${dark}}`;
}

/** The distinct colours of fills and strokes, sorted. */
function coloursOf(svgs: readonly string[]): string[] {
  const attributes = svgs.flatMap((svg) => [...svg.matchAll(/(?:fill|stroke)="(#[0-9a-f]{6})"/gi)]);
  return [...new Set(attributes.map(([, colour]) => colour))].sort();
}

/** CSS rules that replace colours of fills and strokes in the plots. */
function colourRules(replacements: [from: string, to: string][]): string {
  return replacements
    .flatMap(([from, to]) => ['fill', 'stroke'].map((part) => `figure svg [${part}="${from}"]{${part}:${to}}`))
    .join('');
}

/**
 * The colour of the same hue and saturation with inverted lightness.
 *
 * @param colour #rrggbb
 * @returns hsl(…), with the lightness between MIN_LIGHTNESS and MAX_LIGHTNESS
 * @see CSS Color 4, 7.2: converting sRGB to HSL
 */
function invertLightness(colour: string): string {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const [max, min] = [Math.max(r, g, b), Math.min(r, g, b)];
  const [chroma, lightness] = [max - min, (max + min) / 2];
  const saturation = chroma === 0 ? 0 : chroma / (1 - Math.abs(2 * lightness - 1));
  const sixth = max === r ? (g - b) / chroma : max === g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
  const hue = chroma === 0 ? 0 : (60 * sixth + 360) % 360;
  const inverted = Math.min(MAX_LIGHTNESS, Math.max(MIN_LIGHTNESS, 1 - lightness));
  return `hsl(${hue.toFixed(0)} ${(100 * saturation).toFixed(0)}% ${(100 * inverted).toFixed(0)}%)`;
}
