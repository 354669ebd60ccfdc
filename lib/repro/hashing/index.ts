/**
 * The content of inputs and outputs, as SHA-256 hashes.
 *
 *   content.ts          a content: the hash of a file, or of a folder's manifest
 *   content-hasher.ts   walks over a path and hashes the files that are not known yet
 *   ignore-rules.ts     which files in a folder do not count; folder-names.ts: its names, links.ts: its symbolic links
 *   module-graph.ts     the modules behind a `code` entry: found by esbuild-modules.ts or python-modules.ts
 *   package-versions.ts the versions of the packages that these modules import
 *   stat-snapshot.ts    looks at files and records what stat said; write-fresh-stamp.ts keeps the record between calls
 *   file-readers.ts     reads and hashes one file
 *   state.ts            the memo store in .repro/state; known-files.ts: its text for one folder
 */
export {
  type Content,
  contentWithin,
  folderOf,
  isSha256,
  type ManifestEntry,
  manifestLine,
  manifestProblem,
  parseManifest,
  type Scanned,
  sameContent,
  sha256,
} from './content.ts';
export { ContentHasher } from './content-hasher.ts';
export {
  type FoundFile,
  type Reading,
  readFile,
  readInPieces,
  readingOfKnown,
  readSmall,
  SMALL,
} from './file-readers.ts';
export { ModuleGraph, type PythonEntries } from './module-graph.ts';
export { isPython } from './python-modules.ts';
export { openState, type State } from './state.ts';
export { writeFreshStamp } from './write-fresh-stamp.ts';
export { yieldToEventLoop } from './yield-to-event-loop.ts';
