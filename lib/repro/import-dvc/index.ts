/**
 * Turns a DVC project into a pipeline.yaml.
 *
 *   import-project.ts   finds the files of DVC below a folder and makes the new ones from them
 *   dvc-document.ts     one dvc.yaml as a YAML document that is changed in place, so that comments stay
 *   dvc-stage.ts        the keys of one stage
 *   dvc-paths.ts        lists of paths with options: deps, outs, metrics, plots
 *   dvc-command.ts      cmd: several lines, and templates that DVC inserts as code
 *   dvc-lists.ts        the lists at the top of dvc.yaml
 *   tracked-files.ts    .dvc files
 *   report.ts           the report: keys that were converted, keys that were dropped, and work that is left
 */
export { type ImportedFile, type ImportedProject, importProject } from './import-project.ts';
export { describeReport, type Report } from './report.ts';
