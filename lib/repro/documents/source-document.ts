/** A parsed file: its value, and the place of each key, so that every error can name line and column. */
import type { Place, Problem } from '../messages/index.ts';

/** Keys and indices from the top of a document down to a value. */
export type KeyPath = readonly (string | number)[];

/** A parsed file. */
export interface SourceDocument {
  /** The file's name in messages. */
  file: string;
  value: unknown;
  /**
   * The place of the key at `path`, or of its value if `part` is 'value'. If the key does not exist, the place of the
   * nearest key above it.
   */
  at(path: KeyPath, part?: 'key' | 'value'): Place;
  /** The place of a template in the value at `path`; of the value if the template is not written there as it is. */
  atTemplate(path: KeyPath, template: NonNullable<Problem['template']>): Place;
}

/** The path as messages show it, such as `train.sizes[2]`. */
export function dotted(path: KeyPath): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
}
