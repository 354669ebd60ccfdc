/**
 * The calls of a model, one after another: a model computes one thing at a time, and nothing after it was disposed of.
 *
 *     const calls = new CallQueue();
 *     const loss = await calls.run(async () => step());
 *     calls.checkIdle('read the model'); // throws if a call has not ended
 */
import { EngineError } from './errors.ts';

/** The calls of one model. */
export class CallQueue {
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #isClosed = false;

  /** Makes a call when those before it have ended. @throws EngineError if the model was disposed of */
  run<T>(call: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      this.#checkOpen();
      return call();
    });
    this.#pending++;
    this.#last = result.then(
      () => this.#pending--,
      () => this.#pending--,
    );
    return result;
  }

  /**
   * @param action what the caller wants, such as "read the model", for the message
   * @throws EngineError while a call goes on, or if the model was disposed of
   */
  checkIdle(action: string): void {
    this.#checkOpen();
    if (this.#pending > 0)
      throw new EngineError(`cannot ${action} while the model computes; await what was called before`);
  }

  /** Refuses further calls. @param free is called when those before have ended, once */
  close(free: () => void): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#pending === 0) free();
    else void this.#last.then(free);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new EngineError('the model was disposed of');
  }
}
