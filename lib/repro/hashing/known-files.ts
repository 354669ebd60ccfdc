/**
 * The remembered hashes of the small files of one folder (State.folders): text lines `NAME/SIGNATURE SHA256`, sorted by
 * name. One text for the whole folder is faster: with 100,000 files, one entry for each would take most of the time.
 */

/** Length of a SHA-256 in hexadecimal digits. */
const HASH = 64;

/** Finds the hashes of files. The files must be looked up in the order of their names. */
export class KnownFiles {
  readonly #text: string;
  /** Start of the first line that may still be looked up. */
  #at = 0;

  constructor(text = '') {
    this.#text = text;
  }

  /** The hash of the file; undefined if none is remembered for this stat signature. */
  find(name: string, signature: string): string | undefined {
    while (this.#at < this.#text.length) {
      const line = `${name}/${signature} `;
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

/**
 * Writes the hashes of a folder's files as one text, for the state.
 *
 * @param files in the order of their names. `key`: the name, without a slash. `remember`: the SHA-256; undefined: the
 *   file is left out
 * @returns a line `NAME/SIGNATURE SHA256` for each file
 */
export function knownFilesText(
  files: readonly { key: string; signature: string; remember: string | undefined }[],
): string {
  return files
    .map(({ key, signature, remember }) => (remember === undefined ? '' : `${key}/${signature} ${remember}\n`))
    .join('');
}
