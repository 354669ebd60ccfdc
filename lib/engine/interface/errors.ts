/** Thrown if an engine cannot be opened, or if its arguments are wrong. The message is for people. */
export class EngineError extends Error {
  /** @param options the `cause` of the error, if there is one */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
  }
}
