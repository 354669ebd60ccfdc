/** Plots on dark screens: the same SVG, its colours replaced by the page's style sheet. */
import { GRID, INK, MUTED, PAPER } from '../plots/index.ts';

/** Neutrals become the page's own; what is dark on paper (a large model's line) becomes light on the screen, at its hue. */
export function plotStyles(svgs: readonly string[]): string {
  const neutrals: Record<string, string> = {
    [INK]: 'var(--ink)',
    [MUTED]: 'var(--muted)',
    [GRID]: 'var(--grid)',
    [PAPER]: 'var(--plot)',
  };
  const found = new Set(
    svgs.flatMap((svg) => [...svg.matchAll(/(?:fill|stroke)="(#[0-9a-f]{6})"/gi)].map(([, colour]) => colour)),
  );
  const marks = [...found].filter((colour) => neutrals[colour] === undefined).sort();
  const rules = (colours: [string, string][]) =>
    colours
      .flatMap(([from, to]) => ['fill', 'stroke'].map((part) => `figure svg [${part}="${from}"]{${part}:${to}}`))
      .join('');
  const dark = rules(marks.map((colour) => [colour, onDark(colour)]));
  return `${rules(Object.entries(neutrals))}@media screen and (prefers-color-scheme: dark){${dark}}`;
}

/** The colour of the same hue and saturation with its lightness turned about, never dimmer than can be seen. */
function onDark(colour: string): string {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
  const [chroma, lightness] = [most - least, (most + least) / 2];
  const saturation = chroma === 0 ? 0 : chroma / (1 - Math.abs(2 * lightness - 1));
  const sixth = most === r ? (g - b) / chroma : most === g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
  const hue = chroma === 0 ? 0 : (60 * sixth + 360) % 360;
  const turned = Math.min(0.85, Math.max(0.42, 1 - lightness));
  return `hsl(${hue.toFixed(0)} ${(100 * saturation).toFixed(0)}% ${(100 * turned).toFixed(0)}%)`;
}
