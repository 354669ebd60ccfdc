/** Thrown if a configuration is wrong or a checkpoint cannot be read. The message is for people. */
export class ModelError extends Error {
  /** the setting that is wrong, for example "heads"; undefined if the error is not about a setting */
  readonly key?: string;

  constructor(message: string, key?: string) {
    super(message);
    this.name = 'ModelError';
    this.key = key;
  }
}
