/**
 * Writes the report: one HTML file that opens from disk and makes no network request. Plots, scores and a synthesizer are inside.
 *
 *   results, study ─→ text, tables ─┐
 *   plots (SVG) ────────────────────┼─→ page.ts ─→ index.html, with client/* and abcjs inlined
 *   samples ─→ score, notes ────────┘
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ClientFiles, PageSample, ReportData, ReportSample } from './data.ts';
import { page } from './page.ts';
import { midiNotes, type Note, packNotes } from './playback.ts';
import { checkPlotSvg } from './plot-svg.ts';
import { layOutScore } from './score.ts';

/**
 * Writes the report to OUT/index.html, and creates the folder.
 *
 * @returns the path of the file; it has the same bytes for the same data
 * @throws ReportError if a plot holds anything but shapes and text
 */
export async function writeReport(outDir: string, data: ReportData): Promise<string> {
  for (const { name, svg } of data.plots) checkPlotSvg(name, svg);
  const samples = data.samples.map(pageSample);
  const text = page(data, samples, await clientFiles(samples.length > 0));
  const file = join(outDir, 'index.html');
  await mkdir(outDir, { recursive: true });
  await writeFile(file, text);
  return file;
}

/** Prepares a sample for the page. */
function pageSample({ notes, ...sample }: ReportSample): PageSample {
  return { ...sample, score: layOutScore(sample.abc), packed: packNotes(notes ?? readableNotes(sample.midiBase64)) };
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

/** Reads the style sheet and scripts. A page without samples needs only the script of the tables. */
async function clientFiles(withMusic: boolean): Promise<ClientFiles> {
  const client = (file: string) => readFile(new URL(`./client/${file}`, import.meta.url), 'utf8');
  const css = await client('page.css');
  const table = await client('table.js');
  if (!withMusic) return { css, scripts: [table] };
  return { css, scripts: [table, await abcjsScript(), await client('synth.js'), await client('samples.js')] };
}

/** The browser bundle of abcjs, with its license. Addresses (of sound fonts) are removed, so that the page requests nothing. */
async function abcjsScript(): Promise<string> {
  const require = createRequire(import.meta.url);
  const bundle = require.resolve('abcjs/dist/abcjs-basic-min.js');
  const [code, license] = await Promise.all([readFile(bundle, 'utf8'), readFile(`${bundle}.LICENSE`, 'utf8')]);
  return `${license.replace(/https?:\/\//g, '')}\n${code.replace(/https?:\/\/(?!www\.w3\.org\/)[^"'\s)]*/g, '')}`;
}
