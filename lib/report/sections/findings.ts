/** The section Findings: the headline law, the comparisons, the best model, the table of laws, and the warnings. */
import { type GroupFit, isRefusal, lossName, type Study } from '../../scaling/index.ts';
import type { ReportData, Validity } from '../data.ts';
import { type Html, html } from '../html.ts';
import { bestRun, formatInteger, formatNumber, lawLines, plural, withInterval } from '../text/index.ts';

/** @returns the content of the section */
export function findings({ study, validity, music }: ReportData): Html {
  const groups = Object.values(study.fits);
  const best = bestRun(study);
  const warnings = [...study.warnings, ...groupWarnings(groups)];
  return html`<dl class="headline">${lawLines(study).map(
    ({ label, law, detail, refused }) =>
      html`<div><dt>${label}</dt><dd${refused ? html` class="refused"` : ''}><b>${superscript(law)}</b> <span>${detail}</span></dd></div>`,
  )}</dl>
<ul class="verdicts">${groups.map((group) => html`<li>${describeLaw(group)}</li>`)}
${study.comparisons.map(({ verdict }) => html`<li>${verdict}</li>`)}
${groups.map(({ label, branches_verdict: verdict }) => verdict && html`<li>${label}, by size and tokens: ${superscript(verdict)}</li>`)}
${best && html`<li>The best model is ${best.run}: ${formatNumber(best.loss)} ${lossName(study.loss)} with ${formatInteger(best.params)} parameters.</li>`}
${validity.free && html`<li>${describeValidity(validity.free)} drawn without rules ${validity.free.valid === 1 ? 'is' : 'are'} valid ABC from beginning to end${share(validity.free)}.${validity.constrained && ` Of those that may only follow the rules of the notation, ${validity.constrained.valid} of ${validity.constrained.samples} are.`}</li>`}
${music && html`<li>${music.sentence}</li>`}</ul>
${fitTable(study)}
<details class="notes"><summary>The laws in words</summary>${groups.map((group) => html`<p>${group.verdict}</p>`)}</details>
${warnings.length > 0 && html`<aside class="notes" aria-label="To bear in mind"><h3>To bear in mind</h3><ul>${warnings.map((warning) => html`<li>${warning}</li>`)}</ul></aside>`}`;
}

/** The warnings of the groups. One that several groups have is listed once, with their names. */
function groupWarnings(groups: readonly GroupFit[]): string[] {
  const labels = new Map<string, string[]>();
  for (const { label, fit } of groups)
    for (const warning of fit.warnings) labels.set(warning, [...(labels.get(warning) ?? []), label]);
  return [...labels].map(([warning, names]) => `${names.join(', ')}: ${warning}`);
}

/** A text with its exponents raised: N^(−0.35) → N<sup>−0.35</sup>, C^0.5 → C<sup>0.5</sup>. */
function superscript(law: string): Html {
  const parts = law.replace(/\^(\d[\d.]*\d)/g, '^($1)').split(/\^\(([^)]*)\)/);
  return html`${parts.map((part, i) => (i % 2 === 1 ? html`<sup>${part}</sup>` : part))}`;
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

const FIT_COLUMNS = ['models', 'law', 'α', 'a', 'c', 'rms error', 'runs', 'sizes'];

/** The table of fitted laws, a row per group of runs. */
function fitTable(study: Study): Html {
  const confidence = `${Number((100 * study.confidence).toPrecision(3))} %`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Scaling laws"><table class="fits cards">
<caption>The laws, with ${confidence} intervals. The interval of α holds with and without a floor. L is ${lossName(study.loss)}, N is ${SIZE_NAMES[study.size] ?? study.size.replaceAll('_', ' ')}.</caption>
<thead><tr>${FIT_COLUMNS.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${Object.values(study.fits).map(fitRow)}</tbody></table></div>`;
}

/** A row of the table: the parameters of a law with their intervals. A refused law has a row with the reason. */
function fitRow({ label, fit, runs, sizes }: GroupFit): Html {
  const counts = html`${cell('runs', runs)}${cell('sizes', sizes)}`;
  if (isRefusal(fit))
    return html`<tr><th scope="row">${label}</th><td colspan="5" class="refused" data-label="law">none: ${fit.refused}</td>${counts}</tr>`;
  const { alpha, a, c } = fit.parameters;
  const { intervals } = fit;
  const floor =
    fit.form === 'power'
      ? intervals.c === null
        ? 'not asked'
        : html`0 <small>up to ${formatNumber(intervals.c[1])}</small>`
      : withInterval(c, intervals.c);
  return html`<tr><th scope="row">${label}</th><td class="law" data-label="law">a·N<sup>−α</sup>${fit.form === 'power-plus-constant' && ' + c'}</td>${cell('α', withInterval(alpha, intervals.alpha))}${cell('a', withInterval(a, intervals.a))}${cell('c', floor)}${cell('rms error', formatNumber(fit.rmse, 2))}${counts}</tr>`;
}

/** A cell with the name of its column, which a phone shows beside the value. */
function cell(label: string, content: Html | string | number): Html {
  return html`<td class="number" data-label="${label}">${content}</td>`;
}
