/**
 * What is remembered of the small files of one folder (State.folders): a text of lines `NAME/IDENTITY SHA256`, sorted by
 * name. One such text for a folder, not an entry for each of its files: with 100,000 files that is most of the time.
 */

const HASH = 64;

/** Looks files up, which must be asked for in the order of their names. */
export class KnownFiles {
  readonly #text: string;
  /** Where the first line starts that may still be asked for. */
  #at = 0;

  constructor(text = '') {
    this.#text = text;
  }

  /** The hash of the file that looked so; undefined when it is not known, or looks otherwise now. */
  find(name: string, identity: string): string | undefined {
    while (this.#at < this.#text.length) {
      const line = `${name}/${identity} `;
      if (this.#text.startsWith(line, this.#at)) {
        const start = this.#at + line.length;
        this.#at = start + HASH + 1;
        return this.#text.slice(start, start + HASH);
      }
      const slash = this.#text.indexOf('/', this.#at);
      const other = this.#text.slice(this.#at, slash);
      if (other > name) return undefined;
      this.#at = this.#text.indexOf('\n', slash) + 1;
      if (other === name) return undefined;
    }
    return undefined;
  }
}

/** The text to remember; `remember` is a hash, where there is one to remember. A name holds no slash. */
export function knownFilesText(
  files: readonly { key: string; identity: string; remember: string | undefined }[],
): string {
  return files
    .map(({ key, identity, remember }) => (remember === undefined ? '' : `${key}/${identity} ${remember}\n`))
    .join('');
}
