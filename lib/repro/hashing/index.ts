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
export { freshStages } from './fresh-stamp.ts';
export { ModuleGraph } from './module-graph.ts';
export { statOrUndefined, statSignature } from './stat-signature.ts';
export { openState, type State } from './state.ts';
export { yieldToEventLoop } from './yield-to-event-loop.ts';
