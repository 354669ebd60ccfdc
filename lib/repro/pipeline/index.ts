export { editedTexts, editKey, writeTexts } from './edit-params.ts';
export { buildGraph, type Graph, GraphError, select, UnknownTarget } from './graph.ts';
export { loadPipeline } from './load-pipeline.ts';
export { contains, fileNameFor } from './paths.ts';
export {
  findRoot,
  type Output,
  PARAMS,
  type ParamSource,
  PIPELINE,
  type Pipeline,
  type Resources,
  type Stage,
} from './pipeline.ts';
