/**
 * pipeline.yaml as stages.
 *
 *   pipeline.ts        the types Pipeline and Stage
 *   load-pipeline.ts   reads pipeline.yaml with check-pipeline.ts (schema), vars.ts, stage-vars.ts and template.ts,
 *                      matrix.ts (matrix and foreach) and stage-reader.ts (one stage)
 *   stage-command.ts   reads cmd; the folder shell quotes values in it
 *   pipeline-part.ts   one file of a pipeline: pipeline.yaml, or a file that it includes
 *   listed-results.ts  the lists metrics, plots and params at the top
 *   dvc-keys.ts        keys of DVC that have no effect
 *   template-values.ts  the values for templates of a pipeline of DVC
 *   place-in-stage.ts  line and column of a part of a stage
 *   command-options.ts  a mapping in cmd as options
 *   names.ts           which names stages may have
 *   presets.ts         named sets of values
 *   paths.ts           one spelling for each path
 */
export { resultsOf } from './listed-results.ts';
export { loadPipeline } from './load-pipeline.ts';
export { contains, fileNameFor, isOutside, isPattern, normalise } from './paths.ts';
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
export { placeInStage } from './place-in-stage.ts';
export { CUSTOM, listedPresets, type Presets } from './presets.ts';
export { commandText } from './stage-command.ts';
export { valuesForTemplates } from './template-values.ts';
