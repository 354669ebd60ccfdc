/**
 * dvc-like.lock: the inputs and outputs of the last run of each stage. It is YAML with one block for each stage, in a
 * canonical form and sorted by name. So two branches merge, and the same work gives the same bytes. It contains no
 * times, host names or absolute paths.
 *
 * A block is always replaced whole. The text of every other block stays the same, byte for byte.
 */
import { join } from 'node:path';
import { readText, unpackJson } from '../documents/index.ts';
import { writeAtomically } from '../files/index.ts';
import { statOrUndefined, statSignature } from '../freshness/index.ts';
import { type State, sha256 } from '../hashing/index.ts';
import { describeError, ReproError } from '../messages/index.ts';
import { blockText, HEADER, LOCK, type LockedStage, parseBlock, splitBlocks } from './lock-text.ts';

/**
 * After a write that took T, the next one waits 29 T, so that writing takes a thirtieth of the time. It waits at most
 * LONGEST_PAUSE (ms), because other repros wait for the blocks. If a kill loses a block, the run cache restores it.
 */
const WRITES_APART = 29;
const LONGEST_PAUSE = 1000;

/** Runs `work` while no other process is in such a call. */
type Exclusively = <T>(work: () => T) => T;

/** Reads and writes the lock file, together with other repro processes. */
export class Lock {
  readonly #root: string;
  readonly #state: State;
  readonly #exclusively: Exclusively;
  #texts = new Map<string, string>();
  #parsed = new Map<string, LockedStage>();
  /** Stat signature of the file as last read or written; 'none' if it was missing, '' if it was never read. */
  #signature = '';
  /** False while the blocks of the file as last read have not been parsed. */
  #isParsed = false;
  #parsing: Promise<void> = Promise.resolve();
  /** Blocks that are not on disk yet; undefined for one to be removed. */
  #waiting = new Map<string, string | undefined>();
  readonly #whenWritten: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #nextWrite = 0;

  /** @param exclusively keeps other repros from writing the file */
  constructor(root: string, state: State, exclusively: Exclusively) {
    this.#root = root;
    this.#state = state;
    this.#exclusively = exclusively;
  }

  /** A lock of these blocks. No file is read, and nothing can be written to it. */
  static of(root: string, state: State, blocks: { readonly [stage: string]: LockedStage }): Lock {
    const lock = new Lock(root, state, () => {
      throw new ReproError(`${LOCK} is written by the host that planned the attempt`, 1);
    });
    lock.#parsed = new Map(Object.entries(blocks));
    lock.#texts = new Map(Object.keys(blocks).map((name) => [name, '']));
    lock.#isParsed = true;
    return lock;
  }

  /**
   * How often another process was found to have changed the file. A status found at an older version must be redone.
   */
  version = 0;

  /**
   * Reads the file if another process has changed it since it was last read.
   *
   * @throws ReproError if it is damaged or has a merge conflict
   */
  async refresh(): Promise<void> {
    const path = join(this.#root, LOCK);
    const stat = statOrUndefined(path);
    const now = stat ? statSignature(stat) : 'none';
    if (now !== this.#signature) this.#load(stat ? readText(path, LOCK) : '', now);
    if (!this.#isParsed) this.#parsing = this.#parse();
    await this.#parsing;
  }

  /** Stat signature of the file, taken before it was read or after it was written; '' if there is no file. */
  get fileSignature(): string {
    return this.#signature === 'none' ? '' : this.#signature;
  }

  /** The stages that have a block. */
  get names(): string[] {
    return [...this.#texts.keys()];
  }

  /** The block of a stage, as of the last `refresh`, `set` or `remove`. */
  get(name: string): LockedStage | undefined {
    return this.#parsed.get(name);
  }

  /**
   * Replaces a stage's block. It is written immediately, or a moment later together with others if writes are slow
   * compared with the stages; see `written` and `flush`.
   */
  async set(name: string, block: LockedStage): Promise<void> {
    const text = await blockText(name, block);
    await this.#parsing;
    this.#parsed.set(name, block);
    this.#state.memos.put(`block ${sha256(text)}`, JSON.stringify(block));
    this.#change(name, text);
  }

  /** Removes the block of a stage that is no longer in the pipeline. */
  remove(name: string): void {
    this.#parsed.delete(name);
    this.#change(name, undefined);
  }

  /** Resolves when every change is on disk, or could not be written; `flush` then throws. */
  written(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenWritten.push(resolve));
  }

  /** The stages with a change that is not on disk yet. */
  get unwritten(): string[] {
    return [...this.#waiting.keys()];
  }

  /**
   * Writes every change now.
   *
   * @throws ReproError if the file cannot be written
   */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const changes = this.#waiting;
    this.#waiting = new Map();
    try {
      this.#exclusively(() => {
        const started = performance.now();
        this.#write(changes);
        const ended = performance.now();
        this.#nextWrite = ended + Math.min(WRITES_APART * (ended - started), LONGEST_PAUSE);
      });
    } catch (error) {
      // The next flush tries again.
      this.#waiting = new Map([...changes, ...this.#waiting]);
      throw error;
    } finally {
      for (const resolve of this.#whenWritten.splice(0)) resolve();
    }
  }

  #change(name: string, text: string | undefined): void {
    this.#waiting.set(name, text);
    const pause = this.#nextWrite - performance.now();
    if (pause <= 0) this.flush();
    else this.#timer ??= setTimeout(() => this.#tryToFlush(), pause);
  }

  #tryToFlush(): void {
    try {
      this.flush();
    } catch {} // The changes wait for the next flush; the last one is the caller's, and throws.
  }

  #write(changes: ReadonlyMap<string, string | undefined>): void {
    const path = join(this.#root, LOCK);
    const stat = statOrUndefined(path);
    const now = stat ? statSignature(stat) : 'none';
    // Another repro process has written since: keep its blocks.
    if (now !== this.#signature) this.#load(stat ? readText(path, LOCK) : '', now);
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
    this.#signature = statSignature(statOrUndefined(path)!);
  }

  #load(text: string, signature: string): void {
    const conflict = text.split('\n').findIndex((line) => /^(<{7}|={7}|>{7})( |$)/.test(line));
    if (conflict >= 0)
      throw new ReproError({
        message: 'holds a merge conflict; keep one side of each block; repro then runs what is stale',
        place: { file: LOCK, line: conflict + 1, column: 1 },
      });
    this.#texts = splitBlocks(text);
    for (const [name, block] of this.#waiting) {
      if (block === undefined) this.#texts.delete(name);
      else this.#texts.set(name, block);
    }
    this.#signature = signature;
    this.#isParsed = false;
  }

  async #parse(): Promise<void> {
    this.#isParsed = true;
    this.version++;
    const parsed = new Map<string, LockedStage>();
    for (const [name, text] of this.#texts) {
      const key = `block ${sha256(text)}`;
      const memo = this.#state.memos.get(key);
      let block: LockedStage;
      if (memo === undefined) {
        block = await parseBlock(name, text);
        this.#state.memos.put(key, JSON.stringify(block));
      } else block = unpackJson(memo) as unknown as LockedStage;
      parsed.set(name, block);
    }
    this.#parsed = parsed;
  }
}
