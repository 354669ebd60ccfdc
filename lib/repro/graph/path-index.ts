/** A map from paths to values. Finds the values of a path, of the folders above it, and of all paths in it. */
export class PathIndex<T> {
  readonly #byPath = new Map<string, T[]>();
  readonly #sorted: string[];

  /** @param entries pairs of a normalised path and a value; a path may come several times */
  constructor(entries: Iterable<readonly [path: string, value: T]>) {
    for (const [path, value] of entries) {
      const values = this.#byPath.get(path);
      if (values === undefined) this.#byPath.set(path, [value]);
      else values.push(value);
    }
    this.#sorted = [...this.#byPath.keys()].sort();
  }

  /**
   * The values of this path, of the folders above it, and of all paths in it. The root counts only for paths outside
   * of .repro.
   */
  meeting(path: string): T[] {
    const root = path.startsWith('.repro/') ? [] : (this.#byPath.get('.') ?? []);
    return [...this.within(path), ...this.above(path), ...root];
  }

  /** The values of the folders above this path, without the root. */
  above(path: string): T[] {
    return ancestors(path).flatMap((outer) => this.#byPath.get(outer) ?? []);
  }

  /** The values of this path and of all paths in it. */
  within(path: string): T[] {
    if (path === '.') return [...this.#byPath.values()].flat();
    const found = [...(this.#byPath.get(path) ?? [])];
    const inside = `${path}/`;
    for (let i = firstNotBelow(this.#sorted, inside); this.#sorted[i]?.startsWith(inside); i++)
      found.push(...this.#byPath.get(this.#sorted[i])!);
    return found;
  }
}

/** `a/b/c` → `a/b`, `a` */
export function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) found.push(path.slice(0, end));
  return found;
}

/** The index of the first text in `sorted` that is not below `text`. */
function firstNotBelow(sorted: readonly string[], text: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
