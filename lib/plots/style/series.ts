/** The series of a study, one per group of runs: its name, colour, dash and shape, the same in every plot. */
import type { GroupFit, RunRow, Study } from '../../scaling/index.ts';
import { colours } from './theme.ts';

/** A group of runs with one tokenizer and one architecture, and its appearance. */
export interface Series {
  /** key in study.fits */
  group: string;
  /** name for readers */
  name: string;
  fit: GroupFit;
  /** depends on the architecture */
  colour: string;
  /** depends on the tokenizer; the first has solid lines and round points */
  dash: number[];
  shape: 'circle' | 'diamond' | 'square' | 'triangle-up';
}

const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
const SHAPES = ['circle', 'diamond', 'square', 'triangle-up'] as const;

/** The series of a study, in the order of its fits. */
export function seriesOf(study: Study): Series[] {
  const fits = Object.entries(study.fits);
  const tokenizers = [...new Set(fits.map(([, fit]) => fit.tokenizer))];
  const architectures = [...new Set(fits.map(([, fit]) => fit.architecture))];
  const palette = colours(architectures);
  return fits.map(([group, fit]) => {
    const tokenizer = tokenizers.indexOf(fit.tokenizer) % DASHES.length;
    return {
      group,
      name: fit.label,
      fit,
      colour: palette[architectures.indexOf(fit.architecture)],
      dash: DASHES[tokenizer],
      shape: SHAPES[tokenizer],
    };
  });
}

/** The size of a run without its architecture: gpt-tiny → tiny. The plot names the architecture elsewhere. */
export function sizeName(row: Pick<RunRow, 'size' | 'architecture'>): string {
  const prefix = `${row.architecture}-`;
  return row.size.startsWith(prefix) ? row.size.slice(prefix.length) : row.size;
}
