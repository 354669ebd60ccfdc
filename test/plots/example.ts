/** What the tests of the plots share: a fitted study, and the texts of a drawing. */
import { fitStudy, readRuns } from '../../lib/scaling/index.ts';
import { exampleResults, LAWS, type Law } from '../scaling/example.ts';

/** The runs of some laws, one seed each, and the study fitted to them. */
export function exampleStudy(laws: readonly Law[] = LAWS) {
  const rows = readRuns(exampleResults([...laws], [1]));
  return { rows, study: fitStudy(rows) };
}

/** The texts of an SVG, one per line. */
export function words(svg: string): string {
  return [...svg.matchAll(/<(?:text|tspan)\b[^>]*>([^<]+)/g)].map(([, text]) => text).join('\n');
}
