/**
 * Which stage needs which, and what their paths allow.
 *
 *   graph.ts             the stages upstream and downstream of each
 *   select.ts            the stages that the targets of a call name
 *   removed-paths.ts     which paths may be outputs and checkpoints, because repro removes them
 *   paths-in-outputs.ts  the outputs, and the paths in them that stages read
 *   path-index.ts        finds the paths that overlap with a path
 */
export { buildGraph, type Graph } from './graph.ts';
export { GraphError } from './graph-error.ts';
export { type PathsInOutputs, pathsInOutputs } from './paths-in-outputs.ts';
export { type CallFolder, select, targetPath, UnknownTarget, unknownPath } from './select.ts';
