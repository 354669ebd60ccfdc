/** `repro plots show` and `repro plots diff [A] [B]`: writes all plots into one self-contained HTML page. */
import { dirname, join, resolve } from 'node:path';
import { makeFolder, removeLeftovers, writeAtomically } from '../../files/index.ts';
import { parseManifest } from '../../hashing/index.ts';
import { plural } from '../../messages/index.ts';
import { type Output, resultsOf } from '../../pipeline/index.ts';
import { openProject, type Project } from '../../planning/index.ts';
import { openSides, PlotRenderer, plotFigure, plotPage, workspace } from '../../results/index.ts';
import { printError, printLine } from '../output.ts';
import { reportGaps } from '../report-gaps.ts';

/**
 * Writes the page. A plot that cannot be drawn is reported on stderr and left out.
 *
 * @param revisions the two sides to compare, the second one undefined for the workspace; undefined: only the workspace
 * @param out the page's path, relative to the current folder; default: .repro/plots.html of the project
 * @returns the exit code, 0
 * @throws ReproError if git does not know a revision
 */
export async function drawPlots(revisions: [string, string | undefined] | undefined, out?: string): Promise<number> {
  const project = await openProject(process.cwd(), { write: false });
  await project.close();
  const sides = revisions ? await openSides(project, ...revisions) : [workspace(project)];
  const figures: string[] = [];
  const gaps: string[] = [];
  const outputs = project.pipeline.stages.flatMap((stage) => resultsOf(stage, 'plot'));
  const renderer = new PlotRenderer();
  const cannotBeDrawn = ({ path }: Output, error: unknown) =>
    printError(`${path} cannot be drawn: ${error instanceof Error ? error.message : error}`);
  for (const output of outputs) {
    const plots = await plotFiles(project, output).catch((error) => cannotBeDrawn(output, error));
    if (plots?.length === 0) printError(`${output.path} is a folder without plots`);
    for (const plot of plots ?? []) {
      try {
        const figure = await plotFigure(project.root, plot, sides, renderer);
        if (figure === undefined) gaps.push(plot.path);
        else figures.push(figure);
      } catch (error) {
        cannotBeDrawn(plot, error);
      }
    }
  }
  renderer.close();
  reportGaps(project.root, gaps);
  const path = out === undefined ? join(project.root, '.repro/plots.html') : resolve(out);
  makeFolder(dirname(path));
  removeLeftovers([path]);
  writeAtomically(path, plotPage(figures), { fsync: false });
  printLine(figures.length === 0 ? 'there are no plots yet' : `${plural(figures.length, 'plot')} in ${path}`);
  return 0;
}

/** The file name extensions of plots. If one plot was written in several formats, the first of these is drawn. */
const EXTENSIONS = ['.vl.json', '.svg', '.png', '.jpg', '.jpeg', '.gif', '.csv', '.tsv', '.json', '.yaml'];

/**
 * The plots of an output: the output itself or, for a folder, each plot that counts as a part of it.
 *
 * @throws ReproError if the folder cannot be read
 */
async function plotFiles({ stageInputs }: Project, output: Output): Promise<Output[]> {
  const manifest = (await stageInputs.scan(output.path))?.manifest;
  if (manifest === undefined) return [output];
  const plots = new Map<string, string>();
  const names = parseManifest(manifest)
    .map(({ path }) => path)
    .sort();
  const extensionOf = (name: string) => EXTENSIONS.find((extension) => name.endsWith(extension));
  for (const extension of EXTENSIONS)
    for (const name of names.filter((each) => extensionOf(each) === extension)) {
      const plot = name.slice(0, -extension.length);
      if (!plots.has(plot)) plots.set(plot, name);
    }
  return [...plots.values()].sort().map((name) => ({ ...output, path: `${output.path}/${name}` }));
}
