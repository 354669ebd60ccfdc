/**
 * Everything that is on disk, as the reference sees it: the workspace, the lock, the run cache, the objects, the trash, the
 * marks of attempts and a remote. Nothing here decides anything.
 */
import type { Block } from './block.ts';
import { expand, inOrder, type Pipeline, type PlainStage, upstreamOf, type Value } from './stages.ts';
import { type Content, contentOf, manifestOf, type Subtree, sha256, type Tree, touches } from './tree.ts';

/** Options of `repro`. */
export interface RunOptions {
  targets?: string[];
  single?: boolean;
  pipeline?: boolean;
  downstream?: boolean;
  force?: boolean;
  keepGoing?: boolean;
  noRunCache?: boolean;
  noCommit?: boolean;
  pull?: boolean;
}

/** The call is wrong, or an input is missing before anything ran: exit code 2. */
export class Refused extends Error {}

/** Folders with objects and runs, as `.repro` and a remote are. */
export interface Store {
  /** The hashes of whole objects. */
  objects: Set<string>;
  /** By key. */
  runs: Map<string, Block>;
}

/** What is known of a stage's checkpoint. */
export interface Checkpoint {
  /** The inputs that it belongs to. */
  key: string;
  path: string;
  /** The attempt that wrote it was killed. */
  isBegun: boolean;
  /** A person changed it since. */
  isEdited: boolean;
}

/** Everything that is on disk. */
export class ProjectState {
  tree: Tree;
  pipeline: Pipeline;
  params: Value;
  lock = new Map<string, Block>();
  store: Store = { objects: new Set(), runs: new Map() };
  remote: Store | undefined;
  trash: { path: string; subtree: Subtree }[] = [];
  /** By stage: the outputs of an attempt that was not recorded, unless touched since. */
  marks = new Map<string, Map<string, Content | undefined>>();
  /** By stage: what is known of its checkpoint. */
  checkpoints = new Map<string, Checkpoint>();
  /** Outputs that a killed attempt may have left: they may go to the trash or be removed. */
  uncertain = new Set<string>();
  /** By stage: what the last call attempted or restored, and the inputs of its checkpoint. */
  touched = new Map<string, { key: string; path: string }>();
  /**
   * What the real call moved to the trash and what the cache had afterwards. They decide what the rules leave open: what
   * becomes of what a killed attempt left, and of a file whose content another stage may have made by then.
   */
  seen: { inTrash: ReadonlySet<string>; inCache: ReadonlySet<string> } = { inTrash: new Set(), inCache: new Set() };
  /** Every content that was ever seen, by hash. Contents do not change, so copies of the state share this. */
  readonly #contents: Map<string, Subtree>;

  constructor(tree: Tree, pipeline: Pipeline, params: Value, contents = new Map<string, Subtree>()) {
    this.tree = tree;
    this.pipeline = pipeline;
    this.params = params;
    this.#contents = contents;
  }

  copy(): this {
    const copy = new (this.constructor as new (...args: unknown[]) => this)(
      this.tree.copy(),
      this.pipeline,
      this.params,
      this.#contents,
    );
    copy.lock = new Map(this.lock);
    copy.store = copyOf(this.store);
    copy.remote = this.remote && copyOf(this.remote);
    copy.trash = [...this.trash];
    copy.marks = new Map([...this.marks].map(([stage, paths]) => [stage, new Map(paths)]));
    copy.checkpoints = new Map([...this.checkpoints].map(([stage, checkpoint]) => [stage, { ...checkpoint }]));
    copy.uncertain = new Set(this.uncertain);
    return copy;
  }

  /** The stages, each after those it needs. */
  get stages(): PlainStage[] {
    return inOrder(expand(this.pipeline, this.params));
  }

  /** The stages that a call means. */
  select({ targets = [], single, pipeline, downstream }: RunOptions): PlainStage[] {
    const { stages } = this;
    if (targets.length === 0) return stages;
    const isTarget = (stage: PlainStage, target: string) =>
      [stage.name, stage.group, ...stage.outs.map(({ path }) => path)].includes(target);
    for (const target of targets) if (!stages.some((stage) => isTarget(stage, target))) throw new Refused(target);
    const chosen = new Set(stages.filter((stage) => targets.some((target) => isTarget(stage, target))));
    for (let size = -1; !single && size !== chosen.size; ) {
      size = chosen.size;
      for (const stage of stages)
        for (const other of upstreamOf(stage, stages)) {
          if (!downstream && chosen.has(stage)) chosen.add(other);
          if ((downstream || pipeline) && chosen.has(other)) chosen.add(stage);
        }
    }
    return stages.filter((stage) => chosen.has(stage));
  }
  /** Notes that a person changed a path: what attempts left there is theirs no longer. */
  edited(path: string): void {
    for (const out of this.uncertain) if (touches(out, path)) this.uncertain.delete(out);
    for (const paths of this.marks.values()) for (const out of paths.keys()) if (touches(out, path)) paths.delete(out);
    for (const checkpoint of this.checkpoints.values()) if (touches(checkpoint.path, path)) checkpoint.isEdited = true;
  }

  contentAt(path: string): Content | undefined {
    const content = this.tree.content(path);
    if (content !== undefined) this.remember(this.tree.subtree(path));
    return content;
  }

  remember(subtree: Subtree): void {
    this.#contents.set(contentOf(subtree).sha256, subtree);
    for (const [path, node] of subtree)
      if (path !== '' && node !== 'folder') this.#contents.set(sha256(node.text), new Map([['', node]]));
  }

  /** Takes an output into the cache. */
  take(path: string): Content {
    const content = this.contentAt(path)!;
    for (const object of this.objectsIn(content)) this.store.objects.add(object);
    return content;
  }

  /** The objects that a content consists of: of a folder, its manifest first. */
  objectsIn({ sha256: own, files }: Content): string[] {
    const subtree = this.#contents.get(own);
    if (files === undefined || subtree === undefined) return [own];
    return [own, ...[...subtree.values()].flatMap((node) => (node === 'folder' ? [] : [sha256(node.text)]))];
  }

  /** The objects that gc sees in a run. The files of a folder are not known if its manifest is gone. */
  objectsOf({ outs = {}, code = {} }: Block): string[] {
    const known = (content: Content) =>
      this.store.objects.has(content.sha256) ? this.objectsIn(content) : [content.sha256];
    return [...Object.values(outs).flatMap(known), ...Object.values(code).map((content) => content.sha256)];
  }

  isCached(content: Content): boolean {
    return this.isIn(this.store, content);
  }

  isIn({ objects }: Store, content: Content): boolean {
    return this.objectsIn(content).every((object) => objects.has(object));
  }

  /** The text of the object with this hash. */
  objectText(hash: string): string | undefined {
    const subtree = this.#contents.get(hash);
    const own = subtree?.get('');
    if (subtree === undefined || own === undefined) return undefined;
    return own === 'folder' ? manifestOf(subtree) : own.text;
  }

  /** The file or folder whose content has this hash. */
  subtreeOf(hash: string): Subtree | undefined {
    return this.#contents.get(hash);
  }

  /** Whether the hash is one of a content that the model knows. */
  knows(hash: string): boolean {
    return this.#contents.has(hash);
  }
}

function copyOf({ objects, runs }: Store): Store {
  return { objects: new Set(objects), runs: new Map(runs) };
}
