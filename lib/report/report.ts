/**
 * Writes the report: one HTML file that opens from disk and makes no network request. Plots, scores and a synthesizer
 * are inside.
 *
 *   results, study ─→ text, tables ─┐
 *   plots (SVG, Vega) ──────────────┼─→ page.ts ─→ index.html, with client/*, Vega and abcjs inlined
 *   samples ─→ score, notes ────────┘
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ClientFiles, PageSample, ReportData, ReportSample } from './data.ts';
import { page } from './page.ts';
import { checkPlotSpec, checkPlotSvg, vegaScript } from './plots/index.ts';
import { layOutScore, midiNotes, type Note, packNotes } from './samples/index.ts';

/**
 * Writes the report to OUT/index.html, and creates the folder.
 *
 * @returns the path of the file; it has the same bytes for the same data
 * @throws ReportError if a plot holds anything but shapes and text
 */
export async function writeReport(outDir: string, data: ReportData): Promise<string> {
  for (const { name, svg, narrowSvg, interactive } of data.plots) {
    checkPlotSvg(name, svg);
    if (narrowSvg !== undefined) checkPlotSvg(name, narrowSvg);
    for (const plot of Object.values(interactive ?? {})) checkPlotSpec(name, plot.spec);
  }
  const samples = data.samples.map(pageSample);
  const isInteractive = data.plots.some(({ interactive }) => interactive);
  const text = page(data, samples, await clientFiles({ music: samples.length > 0, plots: isInteractive }));
  const file = join(outDir, 'index.html');
  await mkdir(outDir, { recursive: true });
  await writeFile(file, text);
  return file;
}

/** Prepares a sample for the page. */
function pageSample({ notes, ...sample }: ReportSample): PageSample {
  return {
    ...sample,
    score: layOutScore(sample.abc),
    narrowScore: layOutScore(sample.abc, 'narrow'),
    packed: packNotes(notes ?? readableNotes(sample.midiBase64)),
  };
}

/**
 * Notes of a MIDI file. An unreadable file has no notes. Its sample is then shown without a player, and the report is
 * still written.
 */
function readableNotes(midiBase64: string | undefined): Note[] {
  if (midiBase64 === undefined) return [];
  try {
    return midiNotes(midiBase64);
  } catch {
    return [];
  }
}

/** Reads the style sheet and scripts. Vega and abcjs are left out of a page that does not need them. */
async function clientFiles(needs: { music: boolean; plots: boolean }): Promise<ClientFiles> {
  const client = (file: string) => readFile(new URL(`./client/${file}`, import.meta.url), 'utf8');
  // All scripts of a page share one global scope. Each is wrapped in a function, so that equal names do not collide.
  // A script passes a value to another by setting a property of window.
  const script = async (file: string) => `(() => {\n${await client(file)}})();\n`;
  const scripts = [script('page.js'), script('table.js')];
  if (needs.plots) scripts.push(vegaScript(), script('plots.js'));
  if (needs.music) scripts.push(abcjsScript(), script('synth.js'), script('samples.js'));
  return { css: await client('page.css'), scripts: await Promise.all(scripts) };
}

/**
 * The browser bundle of abcjs, with its license. Addresses (of sound fonts) are removed, so that the page requests
 * nothing.
 */
async function abcjsScript(): Promise<string> {
  const require = createRequire(import.meta.url);
  const bundle = require.resolve('abcjs/dist/abcjs-basic-min.js');
  const [code, license] = await Promise.all([readFile(bundle, 'utf8'), readFile(`${bundle}.LICENSE`, 'utf8')]);
  return `${license.replace(/https?:\/\//g, '')}\n${code.replace(/https?:\/\/(?!www\.w3\.org\/)[^"'\s)]*/g, '')}`;
}
