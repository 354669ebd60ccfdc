/**
 * A section of code that one process of this host may be in at a time: it protects dvc-like.lock and the claim of the
 * folder. It is the lock of an LMDB store that stays empty, so it never waits for a disk, and it ends with its process.
 */
import { join } from 'node:path';
import { Store, thisHost } from '../files/index.ts';

/** The section of one project. The store is opened by the first use. */
export class Section {
  readonly #lmdb: typeof import('lmdb');
  /** The folder of the store. */
  readonly folder: string;
  #store: Store<string> | undefined;

  private constructor(lmdb: typeof import('lmdb'), folder: string) {
    this.#lmdb = lmdb;
    this.folder = folder;
  }

  /** @param folder of the LMDB stores, from `stateFolder` */
  static async of(folder: string): Promise<Section> {
    return new Section(await import('lmdb'), join(folder, 'section', thisHost().id));
  }

  /**
   * Runs `work` while no other process of this host is in the section. It should take little time.
   *
   * @throws ReproError if other processes cannot be kept out
   */
  exclusively<T>(work: () => T): T {
    this.#store ??= Store.open<string>(this.#lmdb, this.folder, {
      name: '.repro/section',
      encoding: 'string',
      consequence: 'an empty one takes its place',
    });
    return this.#store.exclusively(work);
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }
}
