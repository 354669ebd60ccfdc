/**
 * Finds the files of DVC below a folder and makes the files of repro from them. Nothing is written here.
 *
 *   dvc.yaml           → pipeline.yaml
 *   vision/dvc.yaml    → vision/stages.yaml, which pipeline.yaml includes
 *   .dvcignore         → .reproignore, with the same patterns
 *   data/x.csv.dvc     → a line of the report
 */
import { existsSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { folderSource, isMapping, type Json, readText } from '../documents/index.ts';
import { listNames, plural, ReproError } from '../messages/index.ts';
import { contains, loadPipeline, normalise, PIPELINE, type Stage, valuesForTemplates } from '../pipeline/index.ts';
import { DvcDocument } from './dvc-document.ts';
import { translateLists } from './dvc-lists.ts';
import { editsOfStage, translateStage } from './dvc-stage.ts';
import { Report } from './report.ts';
import { reportTracked } from './tracked-files.ts';

/** The name of a file that pipeline.yaml includes. */
const INCLUDED = 'stages.yaml';
const IGNORE = '.reproignore';
/** Folders that no project keeps its pipelines in. */
const SKIPPED = new Set(['.git', '.dvc', '.repro', 'node_modules', '.venv', 'venv', '__pycache__', '.tox']);

/** A file to write. */
export interface ImportedFile {
  /** Relative to the folder. */
  path: string;
  text: string;
  /** The file of DVC that it was made from. */
  from: string;
}

/** The result of an import. */
export interface ImportedProject {
  files: ImportedFile[];
  report: Report;
  /** Problems of the new pipeline: a sentence for each, with its place in the new file. */
  problems: string[];
  stages: readonly Stage[];
}

/**
 * Reads a DVC project.
 *
 * @param root an absolute path
 * @throws ReproError if dvc.yaml is missing, or one of the files is not valid YAML
 */
export async function importProject(root: string): Promise<ImportedProject> {
  const found = findDvcFiles(root);
  const pipelines = found.filter((file) => posix.basename(file) === 'dvc.yaml');
  if (pipelines.length === 0)
    throw new ReproError(
      `there is no dvc.yaml in ${root} or a folder below it; \`repro init\` writes a pipeline to begin with`,
    );
  const report = new Report();
  const files: ImportedFile[] = [];
  const included = pipelines
    .filter((file) => file !== 'dvc.yaml')
    .map((file) => posix.join(posix.dirname(file), INCLUDED));
  const documents = new Map<string, DvcDocument>();
  for (const file of pipelines) {
    const document = await DvcDocument.parse(readText(join(root, file), file), file);
    if (document.value !== null && document.top === undefined)
      throw new ReproError({ message: 'must be a mapping', place: { file, line: 1 } });
    documents.set(file, document);
  }
  const outs = [...documents].flatMap(([file, { value }]) =>
    outputsIn(value).map((path) => normalise(root, posix.dirname(file), path)),
  );
  for (const [file, document] of documents) {
    const folder = posix.dirname(file);
    const isMade = (path: string) =>
      path.includes('${') || outs.some((out) => mayMake(out, normalise(root, folder, path)));
    const path = file === 'dvc.yaml' ? PIPELINE : posix.join(folder, INCLUDED);
    const text = await translate(document, root, folder, report, isMade);
    files.push({ path, from: file, text: file === 'dvc.yaml' ? withIncludes(text, included) : text });
  }
  if (!documents.has('dvc.yaml'))
    files.unshift({ path: PIPELINE, from: listNames(pipelines), text: withIncludes('stages: {}\n', included) });
  for (const file of found.filter((name) => posix.basename(name) === '.dvcignore')) {
    const text = readText(join(root, file), file);
    if (!/^\s*[^#\s]/m.test(text)) continue;
    files.push({ path: posix.join(posix.dirname(file), IGNORE), from: file, text });
    report.take(`${file}: its patterns, with the same syntax`);
  }
  const { stages, problems } = await readNew(root, files);
  for (const file of found.filter((name) => name.endsWith('.dvc')))
    await reportTracked({ root, file, text: readText(join(root, file), file) }, stages, report);
  if (existsSync(join(root, 'dvc.lock')))
    report.leave('dvc.lock and .dvc/cache are not used: `repro commit` records the outputs that exist, without a run');
  const remotes = existsSync(join(root, '.dvc/config')) ? readText(join(root, '.dvc/config')) : '';
  const names = [...remotes.matchAll(/^\s*\['?remote "([^"]+)"'?\]/gm)].map(([, name]) => name);
  if (names.length > 0)
    report.leave(
      `${names.length === 1 ? 'the remote' : 'the remotes'} ${listNames(names)} of DVC: \`repro push -r ADDRESS\` copies to a folder or a service, in a layout of its own`,
    );
  return { files, report, problems, stages };
}

/**
 * Files of DVC below a folder, sorted, the ones of the folder itself first. Projects of their own below are left out.
 */
function findDvcFiles(root: string): string[] {
  const found: string[] = [];
  const visit = (folder: string) => {
    const entries = readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = posix.join(folder, entry.name);
      if (entry.isFile() && /^dvc\.yaml$|^\.dvcignore$|.\.dvc$/.test(entry.name)) found.push(path);
    }
    for (const entry of entries) {
      const path = posix.join(folder, entry.name);
      if (!entry.isDirectory() || SKIPPED.has(entry.name) || existsSync(join(root, path, '.dvc/config'))) continue;
      visit(path);
    }
  };
  visit('.');
  return found;
}

async function translate(
  document: DvcDocument,
  root: string,
  folder: string,
  report: Report,
  isMade: (path: string) => boolean,
): Promise<string> {
  if (document.top === undefined) return 'stages: {}\n';
  const values = await valuesForTemplates(root, folder, document.value);
  const context = { document, report, values };
  const definitions = () =>
    document.entries(document.map(document.top?.get('stages', true))).flatMap(([name, node]) => {
      const definition = document.map(node);
      return definition === undefined ? [] : [[name, definition] as const];
    });
  document.edit(definitions().flatMap(([name, node]) => editsOfStage(name, node, context)));
  for (const [name, node] of definitions()) translateStage(name, node, context);
  translateLists(document, report, isMade);
  if (!document.top!.has('stages')) document.top!.set('stages', document.node({}));
  const count = definitions().length;
  const lists = ['vars', 'metrics', 'plots', 'params'].filter((key) => document.top!.has(key));
  report.take(
    `${document.place([]).file}: ${plural(count, 'stage')}${lists.length > 0 ? `, ${listNames(lists)}` : ''}`,
  );
  return document.toString();
}

/** The paths of the outputs of all stages, as they are written. */
function outputsIn(value: Json): string[] {
  if (!isMapping(value) || !isMapping(value.stages)) return [];
  return Object.values(value.stages).flatMap((definition) => {
    const body = isMapping(definition) && isMapping(definition.do) ? definition.do : definition;
    if (!isMapping(body)) return [];
    const wdir = typeof body.wdir === 'string' ? body.wdir : '.';
    const lists = [
      ...['outs', 'metrics', 'plots'].map((key) => body[key]),
      isMapping(body.live) ? Object.keys(body.live) : [],
    ];
    return lists
      .flatMap((list) => (Array.isArray(list) ? list : []))
      .flatMap((entry) => (isMapping(entry) ? Object.keys(entry) : [String(entry)]))
      .map((path) => posix.join(wdir, path));
  });
}

/** Whether an output, which may have templates, can be a path or a folder around it. */
function mayMake(out: string, path: string): boolean {
  if (!out.includes('${')) return contains(out, path);
  const literal = (text: string) => text.replace(/[^\w]/g, '\\$&');
  return new RegExp(
    `^${out
      .split(/\$\{[^}]*\}/)
      .map(literal)
      .join('.+')}(/|$)`,
  ).test(path);
}

function withIncludes(text: string, included: readonly string[]): string {
  if (included.length === 0) return text;
  return `include:\n${included.map((file) => `  - ${JSON.stringify(file)}\n`).join('')}${text}`;
}

/** Reads the new pipeline from memory, to find out what is wrong with it. */
async function readNew(
  root: string,
  files: readonly ImportedFile[],
): Promise<{ stages: readonly Stage[]; problems: string[] }> {
  const source = folderSource(root, new Map(files.map(({ path, text }) => [path, text])));
  try {
    const { stages } = await loadPipeline(root, source, (_document, _schema, check) => check());
    return { stages, problems: [] };
  } catch (error) {
    if (!(error instanceof ReproError)) throw error;
    return { stages: [], problems: error.message.split('\n') };
  }
}
