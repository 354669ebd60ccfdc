/**
 * Checks a plot before it becomes part of the page: its SVG, and its Vega specification. The page needs the drawing
 * itself, not an image, because its style sheet changes the colours on dark screens. So the SVG must hold shapes and
 * text only: no script, link, style or address.
 */
import { ReportError } from '../errors.ts';

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

/** Keys of a Vega specification by which it would load a file or lead to an address. */
const ADDRESS_KEYS = new Set(['url', 'href', 'loader']);
/** Marks that load an image. */
const IMAGE = 'image';

/**
 * Checks the specification of an interactive plot. Its expressions are interpreted, never compiled to JavaScript, and
 * the policy of the page forbids requests. A specification that needs them is refused all the same.
 *
 * @param name names the plot in errors
 * @throws ReportError if the plot loads data or images, or has links
 */
export function checkPlotSpec(name: string, spec: unknown): void {
  if (spec === null || typeof spec !== 'object') return;
  for (const [key, value] of Object.entries(spec)) {
    const isImage = key === 'type' && value === IMAGE;
    if (isImage || (ADDRESS_KEYS.has(key) && !Array.isArray(spec)))
      throw new ReportError(
        `the plot ${name} has ${isImage ? 'an image' : `an address (${key})`}; the page takes only plots with their data inside: draw the plot again`,
      );
    checkPlotSpec(name, value);
  }
}
