/**
 * The report: one HTML file that opens from disk, with plots, scores and a synthesizer inside, and nothing fetched from anywhere.
 *
 *   results, study ─→ words, tables ┐
 *   plots (SVG) ────────────────────┼─→ page.ts ─→ index.html, with client/* and abcjs put into it
 *   samples (ABC, MIDI) ─→ score, notes ┘
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ClientFiles, PageSample, ReportData, ReportSample } from './data.ts';
import { page } from './page.ts';
import { midiNotes, type Note, packNotes } from './playback.ts';
import { layOutScore } from './score.ts';

/** Writes OUT/index.html, making the folder, and returns its path. MIDI that cannot be read leaves a sample without sound. */
export async function writeReport(outDir: string, data: ReportData): Promise<string> {
  const samples = data.samples.map(pageSample);
  const text = page(data, samples, await clientFiles(samples.length > 0));
  const file = join(outDir, 'index.html');
  await mkdir(outDir, { recursive: true });
  await writeFile(file, text);
  return file;
}

function pageSample({ notes, ...sample }: ReportSample): PageSample {
  return { ...sample, score: layOutScore(sample.abc), packed: packNotes(notes ?? playable(sample.midiBase64)) };
}

/** A MIDI file that cannot be read is a sample without sound, and no reason to have no report. */
function playable(midiBase64: string | undefined): Note[] {
  if (midiBase64 === undefined) return [];
  try {
    return midiNotes(midiBase64);
  } catch {
    return [];
  }
}

async function clientFiles(withMusic: boolean): Promise<ClientFiles> {
  const client = (file: string) => readFile(new URL(`./client/${file}`, import.meta.url), 'utf8');
  const css = await client('page.css');
  const table = await client('table.js');
  if (!withMusic) return { css, scripts: [table] };
  return { css, scripts: [table, await scoreDrawing(), await client('synth.js'), await client('samples.js')] };
}

/** abcjs as its package ships it for browsers, without the addresses of its sound fonts: this page fetches nothing. */
async function scoreDrawing(): Promise<string> {
  const require = createRequire(import.meta.url);
  const bundle = require.resolve('abcjs/dist/abcjs-basic-min.js');
  const [code, license] = await Promise.all([readFile(bundle, 'utf8'), readFile(`${bundle}.LICENSE`, 'utf8')]);
  return `${license.replace(/https?:\/\//g, '')}\n${code.replace(/https?:\/\/(?!www\.w3\.org\/)[^"'\s)]*/g, '')}`;
}
