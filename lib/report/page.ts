/** The HTML of the page: a frame, and the sections of the table below. Pure functions from data to HTML. */
import { createHash } from 'node:crypto';
import { lossName } from '../scaling/index.ts';
import type { ClientFiles, PageSample, ReportData } from './data.ts';
import { Html, html, scriptJson } from './html.ts';
import { plotStyles } from './plots/index.ts';
import {
  dataSection,
  figures,
  findings,
  listen,
  methodsSection,
  provenanceSection,
  runTable,
} from './sections/index.ts';
import { describeModels } from './text/index.ts';

/** A section of the page. */
interface Section {
  /** anchor in the page */
  id: string;
  /** heading, and text of its link */
  name: string;
  /** null leaves the section out */
  body(data: ReportData, samples: readonly PageSample[]): Html | null;
}

/** The sections of the page from top to bottom. */
const SECTIONS: readonly Section[] = [
  { id: 'findings', name: 'Findings', body: findings },
  { id: 'plots', name: 'Plots', body: ({ plots }) => (plots.length > 0 ? figures(plots) : null) },
  { id: 'listen', name: 'Listen', body: (data, samples) => (samples.length > 0 ? listen(samples, data) : null) },
  { id: 'runs', name: 'Runs', body: runTable },
  { id: 'data', name: 'Data', body: dataSection },
  { id: 'methods', name: 'Methods', body: methodsSection },
  { id: 'provenance', name: 'Provenance', body: provenanceSection },
];

/**
 * Renders the page.
 *
 * @param samples the samples of `data`, prepared for the page
 * @param client style sheet and scripts, which are inlined
 * @returns an HTML document that requests nothing, which its Content-Security-Policy enforces
 */
export function page(data: ReportData, samples: readonly PageSample[], client: ClientFiles): string {
  const { title, plots } = data;
  const shown = SECTIONS.flatMap(({ id, name, body }) => {
    const content = body(data, samples);
    return content === null ? [] : [{ id, name, content }];
  });
  const drawings = plots.flatMap(({ svg, narrowSvg }) => (narrowSvg === undefined ? [svg] : [svg, narrowSvg]));
  return html`${new Html('<!doctype html>')}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src ${new Html(client.scripts.map(scriptHash).join(' '))}; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Html(client.css)}${new Html(plotStyles(drawings))}</style>
</head>
<body>
<a class="skip" href="#findings">Skip to the findings</a>
<header class="top"><h1>${title}</h1>${standfirst(data)}
<nav aria-label="Sections">${shown.map(({ id, name }) => html`<a href="#${id}">${name}</a>`)}</nav></header>
<main>
${shown.map(({ id, name, content }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${name}</h2>${content}</section>\n`)}
</main>
${samples.length > 0 && html`<script type="application/json" id="samples-data">${scriptJson(samples.map(({ score, narrowScore, packed }) => ({ score, narrowScore, notes: packed })))}</script>`}
${client.scripts.map((script) => html`<script>${new Html(scriptText(script))}</script>\n`)}
</body>
</html>
`.text;
}

/** A script within HTML: no text in it may end the element. */
function scriptText(script: string): string {
  return script.replaceAll('</script', '<\\/script');
}

/** The source of a script for the policy. Other scripts, and handlers in attributes, do not run. */
function scriptHash(script: string): string {
  return `'sha256-${createHash('sha256').update(scriptText(script)).digest('base64')}'`;
}

/** The sentence below the title: the number of models, their architectures and sizes, and the music. */
function standfirst({ results, study, music }: ReportData): Html {
  const trained = music ? `${music.phrase}, written as text` : 'music written as text';
  return html`<p class="standfirst">${describeModels(results)}, trained on ${trained}: how model size changes their ${lossName(study.loss)}.</p>`;
}
