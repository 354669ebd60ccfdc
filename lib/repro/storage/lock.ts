/**
 * dvc-like.lock: what the last run of each stage used and made. YAML, one block a stage in one canonical form, sorted by
 * name, so that two branches merge and the same work gives the same bytes. It holds no time, host or absolute path.
 *
 * A block is only ever replaced whole; the text of every other block stays as it is, byte for byte.
 */
import { join } from 'node:path';
import { readText } from '../documents/index.ts';
import { writeAtomically } from '../files/index.ts';
import { type State, sha256, statOrUndefined, statSignature } from '../hashing/index.ts';
import { describeError, ReproError } from '../messages/index.ts';
import { blockText, HEADER, LOCK, type LockedStage, parseBlock, splitBlocks } from './lock-text.ts';

/**
 * Writing takes a thirtieth of the time, as far as the longest pause (ms) allows: other repros wait for what is not
 * written. A block that is lost to a kill meanwhile comes back from the run cache.
 */
const WRITES_APART = 29;
const LONGEST_PAUSE = 1000;

export class Lock {
  readonly #root: string;
  readonly #state: State;
  #texts = new Map<string, string>();
  #parsed = new Map<string, LockedStage>();
  #identity = '';
  /** false: another repro has written the file, and its blocks have not been looked at. */
  #isParsed = false;
  #parsing: Promise<void> = Promise.resolve();
  #waiting = new Map<string, string | undefined>();
  readonly #whenWritten: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #nextWrite = 0;

  constructor(root: string, state: State) {
    this.#root = root;
    this.#state = state;
  }

  /** Counts how often the file has been found changed by another: what was judged at an older one must be judged anew. */
  version = 0;

  /** Reads the file if another has changed it since it was last read. Throws ReproError if it is damaged. */
  async refresh(): Promise<void> {
    const path = join(this.#root, LOCK);
    const stat = statOrUndefined(path);
    const now = stat ? statSignature(stat) : 'none';
    if (now !== this.#identity) this.#load(stat ? readText(path, LOCK) : '', now);
    if (!this.#isParsed) this.#parsing = this.#parse();
    await this.#parsing;
  }

  /** What stat said of the file before it was read, or after it was written; '' when there is none. */
  get identity(): string {
    return this.#identity === 'none' ? '' : this.#identity;
  }

  get names(): string[] {
    return [...this.#texts.keys()];
  }

  get(name: string): LockedStage | undefined {
    return this.#parsed.get(name);
  }

  /**
   * Puts a stage's block in place. It is on disk at once, or, where writing the file takes long beside the stages'
   * own time, a moment later together with others; `flush` waits for nothing.
   */
  async set(name: string, block: LockedStage): Promise<void> {
    const text = await blockText(name, block);
    await this.#parsing;
    this.#parsed.set(name, block);
    this.#state.memos.put(`lock ${sha256(text)}`, JSON.stringify(block));
    this.#change(name, text);
  }

  /** Takes stages out that are no longer in the pipeline. */
  remove(name: string): void {
    this.#parsed.delete(name);
    this.#change(name, undefined);
  }

  /** Resolves when all that was set is on disk. */
  written(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenWritten.push(resolve));
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const changes = this.#waiting;
    this.#waiting = new Map();
    this.#state.exclusively(() => {
      const started = performance.now();
      this.#write(changes);
      const ended = performance.now();
      this.#nextWrite = ended + Math.min(WRITES_APART * (ended - started), LONGEST_PAUSE);
    });
    for (const resolve of this.#whenWritten.splice(0)) resolve();
  }

  #change(name: string, text: string | undefined): void {
    this.#waiting.set(name, text);
    const pause = this.#nextWrite - performance.now();
    if (pause <= 0) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), pause);
  }

  #write(changes: ReadonlyMap<string, string | undefined>): void {
    const path = join(this.#root, LOCK);
    const stat = statOrUndefined(path);
    const now = stat ? statSignature(stat) : 'none';
    // Another repro has written in the meantime: its blocks stay.
    if (now !== this.#identity) this.#load(stat ? readText(path, LOCK) : '', now);
    for (const [name, text] of changes) {
      if (text === undefined) this.#texts.delete(name);
      else this.#texts.set(name, text);
    }
    const names = [...this.#texts.keys()].sort();
    try {
      writeAtomically(path, HEADER + names.map((name) => this.#texts.get(name)).join(''), { fsync: true });
    } catch (error) {
      throw new ReproError(`${LOCK} cannot be written: ${describeError(error)}`, 1);
    }
    this.#identity = statSignature(statOrUndefined(path)!);
  }

  #load(text: string, identity: string): void {
    const conflict = text.split('\n').findIndex((line) => /^(<{7}|={7}|>{7})( |$)/.test(line));
    if (conflict >= 0)
      throw new ReproError({
        message: 'holds a merge conflict; keep either side of each block, repro puts right what is then stale',
        place: { file: LOCK, line: conflict + 1, column: 1 },
      });
    this.#texts = splitBlocks(text);
    for (const [name, block] of this.#waiting) {
      if (block === undefined) this.#texts.delete(name);
      else this.#texts.set(name, block);
    }
    this.#identity = identity;
    this.#isParsed = false;
  }

  async #parse(): Promise<void> {
    this.#isParsed = true;
    this.version++;
    const parsed = new Map<string, LockedStage>();
    for (const [name, text] of this.#texts) {
      const key = `lock ${sha256(text)}`;
      const memo = this.#state.memos.get(key);
      let block: LockedStage;
      if (memo === undefined) {
        block = await parseBlock(name, text);
        this.#state.memos.put(key, JSON.stringify(block));
      } else block = JSON.parse(memo);
      parsed.set(name, block);
    }
    this.#parsed = parsed;
  }
}
