/** The HTML of the page: a frame, and the sections of the table below. Pure functions from data to HTML. */
import { createHash } from 'node:crypto';
import {
  type AlphaInterval,
  displayName,
  type GroupFit,
  isRefusal,
  lossName,
  type RunRow,
  type Study,
} from '../scaling/index.ts';
import { plotStyles } from './dark-plots.ts';
import type { ClientFiles, PageSample, ReportData, ReportPlot, Validity } from './data.ts';
import { Html, html, scriptJson } from './html.ts';
import { MEASURES } from './measures.ts';

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
  { id: 'findings', name: 'Findings', body: ({ study, validity }) => findings(study, validity) },
  { id: 'plots', name: 'Plots', body: ({ plots }) => (plots.length > 0 ? html`${plots.map(figure)}` : null) },
  {
    id: 'listen',
    name: 'Listen',
    body: ({ results, study }, samples) => (samples.length > 0 ? listen(samples, results, study) : null),
  },
  { id: 'runs', name: 'Runs', body: ({ results, study }) => runTable(results, study) },
  { id: 'settings', name: 'Settings', body: settings },
];

/**
 * Renders the page.
 *
 * @param samples the samples of `data`, prepared for the page
 * @param client style sheet and scripts, which are inlined
 * @returns an HTML document that requests nothing, which its Content-Security-Policy enforces
 */
export function page(data: ReportData, samples: readonly PageSample[], client: ClientFiles): string {
  const { title, study, results, plots } = data;
  const shown = SECTIONS.flatMap(({ id, name, body }) => {
    const content = body(data, samples);
    return content === null ? [] : [{ id, name, content }];
  });
  return html`${new Html('<!doctype html>')}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src ${new Html(client.scripts.map(scriptHash).join(' '))}; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Html(client.css)}${new Html(plotStyles(plots.map(({ svg }) => svg)))}</style>
</head>
<body>
<header class="top"><h1>${title}</h1>${standfirst(results, study)}
<nav aria-label="Sections">${shown.map(({ id, name }) => html`<a href="#${id}">${name}</a>`)}</nav></header>
<main>
${shown.map(({ id, name, content }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${name}</h2>${content}</section>\n`)}
</main>
${samples.length > 0 && html`<script type="application/json" id="samples-data">${scriptJson(samples.map(({ score, packed }) => ({ score, notes: packed })))}</script>`}
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

/** The sentence below the title: the number of models, their architectures and sizes. */
function standfirst(results: readonly RunRow[], study: Study): Html {
  const architectures = [...new Set(results.map((row) => displayName(row.architecture)).filter(Boolean))];
  const sizes = results.map((row) => row.params);
  return html`<p class="standfirst">${plural(results.length, 'model')}${architectures.length > 0 && ` (${architectures.join(' and ')})`} from ${formatInteger(Math.min(...sizes))} to ${formatInteger(Math.max(...sizes))} parameters, trained on music written as text, and how their ${lossName(study.loss)} depends on size.</p>`;
}

// ---- findings -------------------------------------------------------------------------------------------------------------------

/** The section Findings: the laws in plain words, the comparisons, the best model, the table of laws, and the warnings. */
function findings(study: Study, validity: ReportData['validity']): Html {
  const groups = Object.values(study.fits);
  const best = groups.flatMap((group) => (group.best ? [group.best] : [])).sort((a, b) => a.loss - b.loss)[0];
  const warnings = [
    ...study.warnings,
    ...groups.flatMap(({ label, fit }) => fit.warnings.map((warning) => `${label}: ${warning}`)),
  ];
  return html`<ul class="verdicts">${groups.map((group) => html`<li>${describeLaw(group)}</li>`)}
${study.comparisons.map(({ verdict }) => html`<li>${verdict}</li>`)}
${best && html`<li>The best model is ${best.run}: ${formatNumber(best.loss)} ${lossName(study.loss)} with ${formatInteger(best.params)} parameters.</li>`}
${validity.free && html`<li>${describeValidity(validity.free)} drawn without rules ${validity.free.valid === 1 ? 'is' : 'are'} valid ABC from beginning to end${share(validity.free)}.${validity.ruled && ` Of those that the rules of notation guide, ${validity.ruled.valid} of ${validity.ruled.samples} are.`}</li>`}</ul>
${fitTable(study)}
<details class="notes"><summary>The laws in words</summary>${groups.map((group) => html`<p>${group.verdict}</p>`)}</details>
${warnings.length > 0 && html`<aside class="notes"><h3>To bear in mind</h3><ul>${warnings.map((warning) => html`<li>${warning}</li>`)}</ul></aside>`}`;
}

/** "3 of 80 samples". */
function describeValidity({ valid, samples }: Validity): string {
  return `${valid} of ${plural(samples, 'sample')}`;
}

/** The interval of a share of valid samples: " (95 %: 1.3 to 10 %)". */
function share({ interval }: Validity): string {
  const [low, high] = interval.map((end) => Number((100 * end).toPrecision(2)));
  return ` (95 %: ${low} to ${high} %)`;
}

/** Describes a law in words, for readers who do not know scaling laws: the gain of each doubling of the parameters. */
function describeLaw({ label, fit }: GroupFit): string {
  if (isRefusal(fit)) return `${label}: these runs support no scaling law, because ${fit.refused}.`;
  const { alpha, c } = fit.parameters;
  // A doubling multiplies the reducible loss by 2^(−α).
  const share = (exponent: number) => Number((100 * (1 - 2 ** -exponent)).toPrecision(2));
  const [low, high] = fit.form === 'power' ? fit.alpha_without_floor! : (fit.intervals.alpha as [number, number]);
  const gain = `each doubling of the parameters takes ${share(alpha)} % (${share(low)} to ${share(high)} %) off`;
  if (fit.form === 'power-plus-constant')
    return `${label}: larger models predict music better, and by less and less: ${gain} what remains above a floor of ${formatNumber(c)}.`;
  return `${label}: larger models predict music better: ${gain} the loss, if there is no floor below it. These runs do not tell whether there is one.`;
}

const SIZE_NAMES: Record<string, string> = {
  params: 'the number of parameters',
  params_non_embedding: 'the number of parameters without embeddings',
};

/** The table of fitted laws, a row per group of runs. */
function fitTable(study: Study): Html {
  const confidence = `${Number((100 * study.confidence).toPrecision(3))} %`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Scaling laws"><table class="fits">
<caption>The laws, with ${confidence} intervals. The interval of α holds with and without a floor. L is ${lossName(study.loss)}, N is ${SIZE_NAMES[study.size] ?? study.size.replaceAll('_', ' ')}.</caption>
<thead><tr><th scope="col">models</th><th scope="col">law</th><th scope="col">α</th><th scope="col">a</th><th scope="col">c</th><th scope="col">rms error</th><th scope="col">runs</th><th scope="col">sizes</th></tr></thead>
<tbody>${Object.values(study.fits).map(fitRow)}</tbody></table></div>`;
}

/** The row of a law: its parameters with their intervals, or the reason why there is no law. */
function fitRow({ label, fit, runs, sizes }: GroupFit): Html {
  const counts = html`<td class="number">${runs}</td><td class="number">${sizes}</td>`;
  if (isRefusal(fit))
    return html`<tr><th scope="row">${label}</th><td colspan="5" class="refused">none: ${fit.refused}</td>${counts}</tr>`;
  const { alpha, a, c } = fit.parameters;
  const { intervals } = fit;
  const floor =
    fit.form === 'power'
      ? intervals.c === null
        ? 'not asked'
        : html`0 <small>up to ${formatNumber(intervals.c[1])}</small>`
      : withInterval(c, intervals.c);
  return html`<tr><th scope="row">${label}</th><td class="law">a·N<sup>−α</sup>${fit.form === 'power-plus-constant' && ' + c'}</td><td class="number">${withAlphaInterval(alpha, intervals.alpha)}</td><td class="number">${withInterval(a, intervals.a)}</td><td class="number">${floor}</td><td class="number">${formatNumber(fit.rmse, 2)}</td>${counts}</tr>`;
}

/** "0.35 0.31–0.39", or "0.35 0.05 and above". */
function withAlphaInterval(value: number, interval: AlphaInterval | null): Html {
  if (interval === null || interval[1] !== null) return withInterval(value, interval as [number, number] | null);
  return html`${formatNumber(value)} <small>${formatNumber(interval[0])} and above</small>`;
}

/** "0.35 0.31–0.39". */
function withInterval(value: number, interval: readonly [number, number] | null): Html {
  return html`${formatNumber(value)}${interval && html` <small>${formatNumber(interval[0])}–${formatNumber(interval[1])}</small>`}`;
}

// ---- plots ----------------------------------------------------------------------------------------------------------------------

/** A plot in the section Plots. The drawing is as wide as the page (page.css). */
function figure({ name, svg, caption }: ReportPlot): Html {
  return html`<figure id="plot-${name}"><div class="drawing" role="img" aria-label="${caption}">${new Html(svg)}</div><figcaption>${caption}</figcaption></figure>`;
}

// ---- samples --------------------------------------------------------------------------------------------------------------------

/** The section Listen: the samples by run. The samples of the best model are open at first. */
function listen(samples: readonly PageSample[], results: readonly RunRow[], { loss }: Study): Html {
  const runs = [...new Set(samples.map((sample) => sample.run))];
  const params = new Map(results.map((row) => [row.run, row.params]));
  const losses = new Map(results.map((row) => [row.run, Number(row[loss as keyof RunRow])]));
  const lossOf = (run: string) => losses.get(run) ?? Number.POSITIVE_INFINITY;
  const best = runs.reduce((a, b) => (lossOf(b) < lossOf(a) ? b : a), runs[0]);
  return html`<p>What the models compose, drawn as they wrote it and played by a plain synthesizer in this page.</p>
${runs.map((run) => {
  const own = samples.flatMap((sample, i) => (sample.run === run ? [{ sample, i }] : []));
  const valid = own.filter(({ sample }) => sample.valid).length;
  const detail = [params.has(run) && `${formatInteger(params.get(run)!)} parameters`, `${valid} of ${own.length} valid`]
    .filter(Boolean)
    .join(', ');
  return html`<details class="run"${new Html(run === best ? ' open' : '')}><summary>${run} <small>${detail}</small></summary>${own.map(({ sample, i }) => sampleCard(sample, i))}</details>`;
})}`;
}

/** A sample: player, score, measures and ABC. `position` is its index in the page's data, for client/samples.js. */
function sampleCard(sample: PageSample, position: number): Html {
  const name = `${sample.run}, sample ${sample.index}`;
  const measures = Object.entries(sample.metrics ?? {}).filter(([, value]) => Number.isFinite(value));
  return html`<article class="sample" data-sample="${position}" aria-label="${name}">
<header><h3>Sample ${sample.index}</h3><span class="${sample.valid ? 'valid' : 'invalid'}">${sample.valid ? 'valid ABC' : `not valid ABC${sample.problem ? `: ${sample.problem}` : ''}`}</span></header>
${
  sample.packed.length > 0
    ? html`<div class="player"><button type="button" class="play" aria-label="Play ${name}">▶</button><input type="range" class="seek" min="0" max="1000" value="0" step="1" aria-label="Position in ${name}"><output class="time">0:00</output></div>`
    : html`<p class="silent">There is nothing to play.</p>`
}
<div class="score" tabindex="0" role="img" aria-label="Score of ${name}"><div class="paper"></div></div>
<dl class="facts"><div><dt>bars</dt><dd>${sample.measures}</dd></div>${measures.map(([key, value]) => {
    const { name: shown = key.replaceAll('_', ' '), meaning = '' } = MEASURES[key] ?? {};
    return html`<div title="${meaning}"><dt>${shown}</dt><dd>${formatNumber(value)}</dd></div>`;
  })}</dl>
<details class="source"><summary>ABC</summary><pre>${sample.abc}</pre>${sample.midiBase64 !== undefined && html`<p><a download="${sample.run}-${String(sample.index).padStart(3, '0')}.mid" href="data:audio/midi;base64,${sample.midiBase64}">MIDI file</a></p>`}</details>
</article>`;
}

// ---- runs, settings -------------------------------------------------------------------------------------------------------------

/** The columns of the table of runs. A column without any value is left out. */
const COLUMNS: [column: string, name: string, write: (value: number) => string][] = [
  ['params', 'parameters', formatInteger],
  ['tokens', 'tokens', formatInteger],
  ['train_loss', 'train loss', (value) => formatNumber(value, 4)],
  ['val_loss', 'val loss', (value) => formatNumber(value, 4)],
  ['test_loss', 'test loss', (value) => formatNumber(value, 4)],
  ['test_bits_per_byte', 'test bits per byte', (value) => formatNumber(value, 4)],
  ['perplexity', 'perplexity', (value) => formatNumber(value)],
  ['seconds', 'seconds', (value) => formatNumber(value)],
  ['tokens_per_second', 'tokens/s', formatInteger],
  ['peak_memory_mb', 'memory (MB)', (value) => value.toFixed(0)],
];

/** The section Runs: a table that sorts by a click on a heading (client/table.js). */
function runTable(results: readonly RunRow[], study: Study): Html {
  const columns = COLUMNS.filter(([column]) =>
    results.some((row) => row[column] !== null && row[column] !== undefined),
  );
  if (!columns.some(([column]) => column === study.loss))
    columns.push([study.loss, lossName(study.loss), (value) => formatNumber(value, 4)]);
  const heading = (name: string, i: number) =>
    html`<th scope="col" aria-sort="none"><button type="button" data-column="${i}">${name}</button></th>`;
  return html`<p>Losses are in nats a token. A column's name sorts by it.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Runs"><table class="sortable"><thead><tr>${['run', ...columns.map(([, name]) => name)].map(heading)}</tr></thead>
<tbody>${results.map(
    (row) =>
      html`<tr${new Html(row.diverged ? ' class="diverged"' : '')}><th scope="row" data-value="${row.run}">${row.run}${row.diverged && html` <small>diverged</small>`}</th>${columns.map(
        ([column, , write]) => {
          const value = row[column];
          const shown = typeof value === 'number' && Number.isFinite(value);
          return html`<td class="number" data-value="${shown ? value : ''}">${shown ? write(value) : '–'}</td>`;
        },
      )}</tr>`,
  )}</tbody></table></div>`;
}

/** The section Settings: provenance and parameters. */
function settings({ settings, provenance }: ReportData): Html {
  return html`<div class="columns"><div><h3>Made by</h3><dl class="pairs">${Object.entries(provenance).map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>`)}</dl></div>
<div><h3>Parameters</h3>${nestedList(settings)}</div></div>`;
}

/** A nested value as lists; objects inside it can be opened. */
function nestedList(value: unknown): Html {
  if (value === null || typeof value !== 'object') return html`${String(value)}`;
  if (Array.isArray(value))
    return html`${value.map((item) => (item !== null && typeof item === 'object' ? JSON.stringify(item) : String(item))).join(', ')}`;
  const entries = Object.entries(value);
  const nested = entries.filter(([, item]) => item !== null && typeof item === 'object' && !Array.isArray(item));
  const plain = entries.filter((entry) => !nested.includes(entry));
  return html`${plain.length > 0 && html`<dl class="pairs">${plain.map(([key, item]) => html`<dt>${key}</dt><dd>${nestedList(item)}</dd>`)}</dl>`}${nested.map(([key, item]) => html`<details><summary>${key}</summary>${nestedList(item)}</details>`)}`;
}

// ---- numbers --------------------------------------------------------------------------------------------------------------------

/** A number with `precision` significant digits, with all digits before the point, or in exponential form if it is extreme. */
function formatNumber(value: number, precision = 3): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-4 || size >= 1e6)
      ? value.toExponential(precision - 1)
      : size >= 10 ** precision
        ? value.toFixed(0)
        : value.toPrecision(precision);
  return text.replace('-', '−').replace('e+', 'e');
}

/** An integer with separators: 512,640. */
function formatInteger(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** "1 sample", "2 samples". */
function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
