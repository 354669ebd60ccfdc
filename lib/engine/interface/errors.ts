/** What is thrown when an engine cannot be opened, or is asked for what it cannot do: the message is for a person. */
export class EngineError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
  }
}
