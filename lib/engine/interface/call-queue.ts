/**
 * The calls of a model, in the order in which they are made. A model computes one thing at a time, and nothing after it
 * was disposed of. On a device that keeps an order of its own, a training step may be started while the one before it
 * goes on.
 *
 *     const calls = new CallQueue();
 *     const loss = await calls.run(async () => step());
 *     const weights = await calls.runNow(() => copy()); // immediately, because no call is under way
 *     calls.checkIdle('make a decoder'); // throws if a call has not ended
 */
import { EngineError } from './errors.ts';

/** A call that was made. */
interface Call {
  begun: Promise<unknown>;
  ended: Promise<unknown>;
  /** whether a call of the same kind may begin before it has ended */
  overlaps: boolean;
}

const DONE: Call = { begun: Promise.resolve(), ended: Promise.resolve(), overlaps: false };

/** The calls of one model. */
export class CallQueue {
  #last = DONE;
  /** resolves when all calls before the last one have ended */
  #earlier: Promise<unknown> = DONE.ended;
  #pending = 0;
  #isClosed = false;

  /** Makes a call when those before it have ended. @throws EngineError if the model was disposed of */
  run<T>(call: () => Promise<T>): Promise<T> {
    return this.#add(call, false);
  }

  /**
   * Makes a call that starts work on a device and then waits for it. It begins while one other such call is under way,
   * but not two. The device does the work in the order in which the calls begin.
   *
   * @throws EngineError if the model was disposed of
   */
  overlap<T>(call: () => Promise<T>): Promise<T> {
    return this.#add(call, true);
  }

  /**
   * Makes a call that returns without waiting: immediately if no call is under way, otherwise as `run` does.
   *
   * @throws EngineError if the model was disposed of
   */
  async runNow<T>(call: () => T): Promise<T> {
    if (this.#pending > 0) return this.run(async () => call());
    this.#checkOpen();
    return call();
  }

  /**
   * @param action what the caller wants, such as "make a decoder", for the message
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
    else void Promise.all([this.#earlier, this.#last.ended]).then(free);
  }

  #add<T>(call: () => Promise<T>, overlaps: boolean): Promise<T> {
    const last = this.#last;
    const gate = Promise.all([this.#earlier, overlaps && last.overlaps ? last.begun : last.ended]);
    // The result is in an object, because a promise of a promise would only resolve when the call has ended.
    const begun = gate.then(() => {
      this.#checkOpen();
      return { result: call() };
    });
    const result = begun.then((started) => started.result);
    const end = () => this.#pending--;
    const ended = result.then(end, end);
    const ignore = () => {};
    this.#pending++;
    this.#earlier = Promise.all([this.#earlier, last.ended]);
    this.#last = { begun: begun.then(ignore, ignore), ended, overlaps };
    return result;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new EngineError('the model was disposed of');
  }
}
