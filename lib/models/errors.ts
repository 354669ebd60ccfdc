/** What is thrown for a model that cannot be, or a checkpoint that cannot be read: the message is for a person. */
export class ModelError extends Error {
  /** the setting that is wrong, where it is one: "heads" */
  readonly key?: string;

  constructor(message: string, key?: string) {
    super(message);
    this.name = 'ModelError';
    this.key = key;
  }
}
