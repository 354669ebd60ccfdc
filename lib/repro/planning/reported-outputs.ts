/**
 * Outputs that a node of a cluster has made, as it has reported them. A host that shares the folder may see the old
 * ones for a while, or none: clients of network file systems remember stat data. So these outputs, and dependencies
 * that they touch, count as reported, whatever this host sees.
 *
 *     inputs.reported.set('model', { content, manifest });   // the files of `model` are not looked at
 *     inputs.reported.drop('model');                         // this host sees them now
 */
import { type Content, contentWithin, type ManifestEntry, parseManifest, type Scanned } from '../hashing/index.ts';
import { contains } from '../pipeline/index.ts';
import { folderWith } from './known-outputs.ts';

/** The outputs of one project that count as reported. */
export class ReportedOutputs {
  readonly #outs = new Map<string, Scanned>();

  /** The paths of the outputs. */
  get paths(): string[] {
    return [...this.#outs.keys()];
  }

  /** Lets an output count as reported. @param scanned of a folder, with the list of its files */
  set(path: string, scanned: Scanned): void {
    this.#outs.set(path, scanned);
  }

  get(path: string): Scanned | undefined {
    return this.#outs.get(path);
  }

  /** Lets an output count as this host sees it. */
  drop(path: string): void {
    this.#outs.delete(path);
  }

  /**
   * The content at a path, according to the reports.
   *
   * @param here looks at the path on this host; it is called only if the reports do not say everything
   */
  async scan(path: string, here: () => Promise<Scanned | undefined>): Promise<Scanned | undefined> {
    const own = this.#outs.get(path);
    if (own !== undefined) return own;
    const inside = new Map<string, readonly ManifestEntry[] | Content>();
    for (const [out, { content, manifest }] of this.#outs) {
      if (contains(out, path)) {
        const entries = parseManifest(manifest ?? '');
        const found = contentWithin(entries, path.slice(out.length + 1));
        if (found !== undefined) return { content: found };
        // A symbolic link leads elsewhere, so this host must look for itself.
        return entries.some(({ link }) => link !== undefined) ? here() : undefined;
      }
      if (contains(path, out)) inside.set(out, manifest === undefined ? content : parseManifest(manifest));
    }
    return inside.size === 0 ? here() : folderWith(path, inside, await here());
  }
}
