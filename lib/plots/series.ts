/** The series of a study: what a tokenizer and an architecture look like in every plot, and what they and their sizes are called. */
import type { GroupFit, RunRow, Study } from '../scaling/index.ts';
import { colours } from './theme.ts';

export interface Series {
  /** as in study.fits */
  group: string;
  /** as people read it */
  name: string;
  fit: GroupFit;
  /** of the architecture */
  colour: string;
  /** of the tokenizer: the first has full lines and round points */
  dash: number[];
  shape: 'circle' | 'diamond' | 'square' | 'triangle-up';
}

const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
const SHAPES = ['circle', 'diamond', 'square', 'triangle-up'] as const;

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

/** gpt-tiny → tiny: the plot says gpt already. */
export function sizeName(row: Pick<RunRow, 'size' | 'architecture'>): string {
  const prefix = `${row.architecture}-`;
  return row.size.startsWith(prefix) ? row.size.slice(prefix.length) : row.size;
}
