export { ownIdentity } from './build-id.ts';
export {
  type Content,
  contentWithin,
  folderOf,
  type ManifestEntry,
  parseManifest,
  type Scanned,
  sameContent,
  sha256,
} from './content.ts';
export { Contents } from './content-hasher.ts';
export {
  type FoundFile,
  type Reading,
  readFile,
  readInPieces,
  readingOfKnown,
  readSmall,
  SMALL,
} from './file-readers.ts';
export { certified } from './fresh-stamp.ts';
export { Code } from './module-graph.ts';
export { identity, statOrUndefined } from './stat-signature.ts';
export { openState, type State } from './state.ts';
export { letOthersRun } from './yield-to-event-loop.ts';
