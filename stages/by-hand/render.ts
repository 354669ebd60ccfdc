/**
 * Draws a Vega-Lite specification: `npm run render -- my.vl.json -o my.pdf`. The plots of the study are such
 * specifications, with their data inside, so a copy can be changed and drawn again. docs/plots.md shows how.
 */
import { writeFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';
import { drawPlot, type PlotFormat } from '../../lib/plots/index.ts';
import { readJson, StageError } from '../parts/stage.ts';
import { program } from './program.ts';

const FORMATS: readonly PlotFormat[] = ['pdf', 'svg', 'png'];

await program({
  name: 'render',
  usage: 'SPEC.vl.json -o FILE',
  description: 'Draws a Vega-Lite specification. The ending of FILE says how: .pdf, .svg or .png.',
  arguments: [1, 1],
  options: { out: 'the file to write; it is replaced if it is there (-o)' },
  async run({ args: [file], options: { out } }) {
    const format = FORMATS.find((each) => extname(out ?? '') === `.${each}`);
    if (out === undefined || format === undefined)
      throw new StageError(
        `${out === undefined ? '-o is missing' : `-o is ${out}`}; it must end with .pdf, .svg or .png`,
      );
    const spec: TopLevelSpec = await readJson(file);
    if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
      throw new StageError(`${file} is not a specification of Vega-Lite: it must be a mapping`);
    const drawn = await drawPlot(spec, basename(out, extname(out)), [format]).catch((error: Error) => {
      throw new StageError(`${file} cannot be drawn: ${error.message}`);
    });
    await writeFile(out, drawn.get(format)!);
  },
});
