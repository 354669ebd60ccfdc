/**
 * Checks the SVG of a plot before it becomes part of the page. The page needs the drawing itself, not an image, because its
 * style sheet changes the colours on dark screens. So the SVG must hold shapes and text only: no script, link, style or address.
 */
import { ReportError } from './errors.ts';

/** The elements that Vega writes for plots of this project. */
const ELEMENTS = new Set(
  'svg g defs clipPath linearGradient radialGradient stop path line rect circle ellipse text tspan title desc'.split(
    ' ',
  ),
);
/** Attributes of shapes and text. None of them can hold code or an address, except that `url(…)` is checked. */
const ATTRIBUTE =
  /^(xmlns(:xlink)?|version|viewBox|class|id|role|aria-[a-z]+|transform|width|height|[xydr]|[cdfr][xy]|[xy][12]|d|points|offset|fill(-opacity|-rule)?|stroke(-[a-z]+)?|stop-(color|opacity)|opacity|font-[a-z]+|text-anchor|dominant-baseline|display|pointer-events|clip-path|gradientUnits|gradientTransform|cursor)$/;
const TAG = /<(\/?)([\w:-]+)((?:\s+[\w:-]+\s*=\s*"[^"<>]*")*)\s*\/?>/g;
const ATTRIBUTES = /([\w:-]+)\s*=\s*"([^"]*)"/g;

/**
 * @param name names the plot in errors
 * @throws ReportError if the SVG holds anything but shapes and text
 */
export function checkPlotSvg(name: string, svg: string): void {
  const refuse = (what: string) =>
    new ReportError(`the plot ${name} has ${what}; the page takes only shapes and text: draw the plot again`);
  for (const [, , element, attributes] of svg.matchAll(TAG)) {
    if (!ELEMENTS.has(element)) throw refuse(`an element <${element.slice(0, 40)}>`);
    for (const [, attribute, value] of attributes.matchAll(ATTRIBUTES)) {
      if (!ATTRIBUTE.test(attribute)) throw refuse(`an attribute ${attribute.slice(0, 40)}`);
      if (/url\s*\(\s*(?!#)/i.test(value)) throw refuse('an address');
    }
  }
  const rest = svg.replace(TAG, '');
  if (rest.includes('<')) throw refuse('markup that is not an element of a plot');
}
