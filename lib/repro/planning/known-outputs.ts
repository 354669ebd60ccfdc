/**
 * The content of a dependency before it is in the workspace.
 *
 * An output is "known" if it is missing but its content is not in doubt: it will be restored from the cache, or it
 * counts as what the lock recorded. A dependency touches known outputs in one of three ways:
 *
 *   known: d               dependency d: the content of d
 *   known: d, a folder     dependency d/x: looked up in d's list of files
 *   known: data/a, data/b  dependency data: the files that are in the workspace, with a and b added
 */
import {
  type Content,
  contentWithin,
  folderOf,
  type ManifestEntry,
  parseManifest,
  type Scanned,
} from '../hashing/index.ts';
import { contains } from '../pipeline/index.ts';

/**
 * The content of a dependency, or what else is certain about it:
 *
 *   absent    the output has no such file
 *   changed   the content differs from the recorded one, but it is not known what it is
 *   unknown   nothing is certain until the output is in the workspace
 */
export type KnownContent = Content | 'absent' | 'changed' | 'unknown';

/** Sources in which `knownContent` looks contents up. */
export interface KnownSources {
  /** The list of files of an output that is a folder; undefined if it is not there. */
  manifest(out: string, content: Content): ManifestEntry[] | undefined;
  /** The content of the workspace at the dependency's path. */
  onDisk: Scanned | undefined;
  /** The dependencies that the stage's last run recorded, by path. */
  recorded: { readonly [path: string]: Content | null };
}

/**
 * Finds the content that a dependency has.
 *
 * @param outputs by path: the known outputs; at least one of them touches `path`
 */
export function knownContent(path: string, outputs: ReadonlyMap<string, Content>, sources: KnownSources): KnownContent {
  for (const [out, content] of outputs) {
    if (out === path) return content;
    if (!contains(out, path)) continue;
    const manifest = sources.manifest(out, content);
    if (manifest !== undefined) return contentIn(manifest, path.slice(out.length + 1));
    // The list of a folder with one file can be rebuilt if the stage recorded that file. It was not rebuilt, so the
    // file is another one now.
    return content.files === 1 && sources.recorded[path] ? 'changed' : 'unknown';
  }
  return contentAround(path, outputs, sources);
}

/** The content of a path in a folder, from the folder's list of files. */
function contentIn(manifest: readonly ManifestEntry[], path: string): KnownContent {
  const content = contentWithin(manifest, path);
  if (content !== undefined) return content;
  // The target of a symbolic link is known only when the link exists.
  const leadsElsewhere = manifest.some(
    (entry) => entry.link !== undefined && (contains(entry.path, path) || contains(path, entry.path)),
  );
  return leadsElsewhere ? 'unknown' : 'absent';
}

/**
 * Rebuilds a folder's list of files from what stages recorded of the files that they read in it. The hash of the list
 * shows whether it is the right one.
 *
 * @param readers the dependencies that each stage of the lock recorded
 * @returns undefined if not all files of the folder are known as they are in it
 */
export function rebuildManifest(
  folder: string,
  { sha256, files }: Content,
  readers: readonly KnownSources['recorded'][],
): ManifestEntry[] | undefined {
  const all = new Map<string, ManifestEntry>();
  const isRight = (entries: ManifestEntry[]) =>
    entries.length === files && folderOf(entries.sort(byPath)).content.sha256 === sha256;
  for (const deps of readers) {
    const own: ManifestEntry[] = [];
    for (const [path, content] of Object.entries(deps)) {
      if (!path.startsWith(`${folder}/`) || !content || content.files !== undefined) continue;
      const entry = { path: path.slice(folder.length + 1), ...content };
      own.push(entry);
      all.set(path, entry);
    }
    if (isRight(own)) return own;
  }
  const together = [...all.values()];
  return isRight(together) ? together : undefined;
}

/** The content of a folder that holds known outputs, and maybe other files. */
function contentAround(
  path: string,
  outputs: ReadonlyMap<string, Content>,
  { manifest, onDisk, recorded }: KnownSources,
): KnownContent {
  if (onDisk !== undefined && onDisk.manifest === undefined) return onDisk.content;
  const inside = new Map<string, ManifestEntry[] | Content>();
  for (const [out, content] of outputs) {
    if (!contains(path, out)) continue;
    const entries = content.files === undefined ? content : manifest(out, content);
    if (entries === undefined) return 'unknown';
    inside.set(out, entries);
  }
  const { content } = folderWith(path, inside, onDisk);
  const before = recorded[path];
  // Files that no stage makes may be missing too.
  const mayLackFiles = onDisk === undefined && before && content.files! < before.files!;
  return mayLackFiles ? 'unknown' : content;
}

/**
 * The content that a folder would have if some outputs in it had their predicted content.
 *
 * @param inside by path, in the folder: the list of files of an output that is a folder, or the content of a file
 * @param onDisk the folder as it is; undefined if there is none
 */
export function folderWith(
  path: string,
  inside: ReadonlyMap<string, readonly ManifestEntry[] | Content>,
  onDisk: Scanned | undefined,
): Scanned {
  const added: ManifestEntry[] = [];
  for (const [out, known] of inside) {
    const own = path === '.' ? out : out.slice(path.length + 1);
    if (!Array.isArray(known)) {
      const { sha256, size, executable } = known as Content;
      added.push({ path: own, sha256, size, ...(executable ? { executable } : {}) });
      continue;
    }
    if (known.length === 0) added.push({ path: `${own}/` });
    for (const entry of known) added.push({ ...entry, path: `${own}/${entry.path}` });
  }
  const replaced = [...inside.keys()];
  const kept = parseManifest(onDisk?.manifest ?? '').filter((entry) => {
    const full = path === '.' ? entry.path : `${path}/${entry.path}`;
    // A folder that was empty has its own line only as long as it is empty.
    const isFilled = entry.path.endsWith('/') && added.some((other) => other.path.startsWith(entry.path));
    return !isFilled && !replaced.some((out) => contains(out, full));
  });
  return folderOf([...kept, ...added].sort(byPath));
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : 1;
}
