/**
 * pipeline.yaml as stages and their graph.
 *
 *   pipeline.ts        the types Pipeline and Stage
 *   load-pipeline.ts   reads pipeline.yaml with check-pipeline.ts (schema), vars.ts, stage-vars.ts and template.ts,
 *                      matrix.ts (matrix and foreach) and stage-reader.ts (one stage)
 *   stage-command.ts   reads cmd; the folder shell quotes values in it
 *   graph.ts           which stage needs which, and the stages that a call selects
 *   removed-paths.ts   which paths may be outputs and checkpoints, because repro removes them
 *   paths-in-outputs.ts  the outputs, and what stages read in them
 *   names.ts           which names stages may have
 *   path-index.ts      finds the paths that overlap with a path
 *   edit-params.ts     -S key=value
 *   presets.ts         -S study=NAME: named sets of values
 *   paths.ts           one spelling for each path
 */
export { editedTexts, editKey, writeTexts } from './edit-params.ts';
export { buildGraph, type Graph, select, UnknownTarget } from './graph.ts';
export { GraphError } from './graph-error.ts';
export { loadPipeline } from './load-pipeline.ts';
export { contains, fileNameFor, isOutside, normalise } from './paths.ts';
export { type PathsInOutputs, pathsInOutputs } from './paths-in-outputs.ts';
export {
  findRoot,
  type Output,
  PARAMS,
  type ParamSource,
  PIPELINE,
  type Pipeline,
  type Resources,
  type Stage,
  type StageCommand,
} from './pipeline.ts';
export { commandText } from './stage-command.ts';
