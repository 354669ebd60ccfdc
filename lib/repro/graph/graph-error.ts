import type { KeyPath } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';

/** A fault in the graph. The message should point at the definition of `stage`, at the key `keys` if there is one. */
export class GraphError extends ReproError {
  readonly stage: string;
  readonly keys: KeyPath;

  constructor(stage: string, message: string, keys: KeyPath = []) {
    super(message);
    this.stage = stage;
    this.keys = keys;
  }
}
