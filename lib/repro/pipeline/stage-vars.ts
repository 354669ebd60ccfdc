/** The `vars` of one definition: values for the templates of its stages alone. */
import { isMapping, type Json, type KeyPath, type SourceDocument } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import { normalise } from './paths.ts';
import { withPlace } from './stage-reader.ts';
import { type Context, fillIn } from './template.ts';
import { mergeInto, type VarsReader } from './vars.ts';

/** The names that a cell of a matrix or foreach has in templates. */
const CELL_NAMES = ['item', 'key'];

/** Arguments of StageVars besides the definition. */
interface StageVarsOptions {
  vars: VarsReader;
  root: string;
  /** The folder of the file, which `wdir` is relative to. */
  folder: string;
  /** The key that makes cells of the definition, if there is one. */
  cellBy: 'foreach' | 'matrix' | undefined;
}

/** Adds the vars of a definition to a context. Files among them are relative to the wdir, as the other paths are. */
export class StageVars {
  readonly #document: SourceDocument;
  readonly #path: KeyPath;
  readonly #entries: readonly (readonly [index: number, entry: Json])[];
  readonly #wdir: Json;
  readonly #options: StageVarsOptions;

  /** @param source the path of `body`, the definition, in the document */
  constructor(document: SourceDocument, source: KeyPath, body: { [key: string]: Json }, options: StageVarsOptions) {
    this.#document = document;
    this.#path = [...source, 'vars'];
    const entries = [...((body.vars ?? []) as readonly Json[]).entries()];
    // Mappings come first, because the wdir may use them.
    this.#entries = [
      ...entries.filter(([, entry]) => isMapping(entry)),
      ...entries.filter(([, entry]) => !isMapping(entry)),
    ];
    this.#wdir = body.wdir ?? '.';
    this.#options = options;
  }

  /** Whether each cell has vars files of its own, because its wdir depends on the cell. */
  get varyByCell(): boolean {
    return this.#options.cellBy !== undefined && /\$\{\s*(item|key)\b/.test(String(this.#wdir));
  }

  /**
   * A copy of the context with these vars.
   *
   * @throws ReproError if an entry cannot be used, with its place
   */
  async addTo(outer: Context): Promise<Record<string, Json>> {
    const context: Record<string, Json> = { ...outer };
    const { vars, root, folder, cellBy } = this.#options;
    for (const [i, entry] of this.#entries)
      await withPlace(this.#document, [...this.#path, i], async () => {
        const wdir = isMapping(entry) ? '.' : normalise(root, folder, String(fillIn(this.#wdir, context)));
        const own: Record<string, Json> = {};
        await vars.merge(own, entry, wdir);
        const taken = cellBy && CELL_NAMES.find((name) => Object.hasOwn(own, name));
        if (taken) throw new ReproError(`"${taken}" is set by ${cellBy}; give the value of the vars another name`);
        mergeInto(context, own);
      });
    return context;
  }
}
