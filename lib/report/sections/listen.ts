/**
 * The section Listen: the samples by run, those under the rules of the dialect first. The best model comes first, and
 * is open.
 */
import { lossName, type RunRow, type Study } from '../../scaling/index.ts';
import type { PageSample, ReportData, Validities, Validity } from '../data.ts';
import { Html, html } from '../html.ts';
import { MEASURES } from '../samples/index.ts';
import { formatInteger, formatNumber, formatShare } from '../text/index.ts';

/** @returns the content of the section */
export function listen(samples: readonly PageSample[], data: ReportData): Html {
  const { results, study, validity, music, runValidity = {} } = data;
  const rows = new Map(results.map((row) => [row.run, row]));
  const lossOf = (run: string) => lossOfRun(rows.get(run), study) ?? Number.POSITIVE_INFINITY;
  // The sort is stable: runs without a loss keep their order.
  const runs = [...new Set(samples.map((sample) => sample.run))].sort((a, b) => compare(lossOf(a), lossOf(b)));
  return html`<p>Music that the models composed, as a score and as sound. A simple synthesizer in this page plays it.${music && ` They learned from ${music.phrase}.`}</p>
${rates(validity)}
${runs.map((run, i) => runSamples(run, samples, rows.get(run), study, runValidity[run], i === 0))}`;
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

function lossOfRun(row: RunRow | undefined, { loss }: Study): number | undefined {
  const value = row?.[loss];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Both shares of valid samples, and what they mean. */
function rates({ constrained, free }: Validities): Html | null {
  if (!constrained && !free) return null;
  const rate = (name: string, meaning: string, one: Validity | undefined) =>
    one &&
    html`<div><dt>${name}</dt><dd><b>${one.valid} of ${one.samples}</b> valid (95 % Wilson interval: ${formatShare(one.interval[0])} to ${formatShare(one.interval[1])}). <small class="meaning">${meaning}</small></dd></div>`;
  return html`<dl class="rates">${rate('Constrained', 'At each step, only tokens that can still lead to a complete tune are allowed.', constrained)}${rate('Free', 'All tokens are allowed: this shows what the models have learned.', free)}</dl>`;
}

/** The samples of one run. `isOpen`: they are shown at first. */
function runSamples(
  run: string,
  samples: readonly PageSample[],
  row: RunRow | undefined,
  study: Study,
  validity: Validities | undefined,
  isOpen: boolean,
): Html {
  const order = (sample: PageSample) => (sample.kind === 'constrained' ? 0 : 1);
  const own = samples
    .flatMap((sample, i) => (sample.run === run ? [{ sample, i }] : []))
    .sort((a, b) => order(a.sample) - order(b.sample));
  const loss = lossOfRun(row, study);
  const detail = [
    row && `${formatInteger(row.params)} parameters`,
    loss !== undefined && `${formatNumber(loss)} ${lossName(study.loss)}`,
    ...describeValidities(
      validity,
      own.map(({ sample }) => sample),
    ),
  ];
  return html`<details class="run"${new Html(isOpen ? ' open' : '')}><summary>${run} <small>${detail.filter(Boolean).join(', ')}</small></summary>${own.map(({ sample, i }) => sampleCard(sample, i))}</details>`;
}

/** "2 of 2 valid constrained", "0 of 8 valid free"; without counts of the run, those of its samples in the page. */
function describeValidities(validity: Validities | undefined, own: readonly PageSample[]): string[] {
  if (!validity) return [`${own.filter(({ valid }) => valid).length} of ${own.length} valid`];
  const { constrained, free } = validity;
  return [
    ...(constrained ? [`${constrained.valid} of ${constrained.samples} valid constrained`] : []),
    ...(free ? [`${free.valid} of ${free.samples} valid free`] : []),
  ];
}

/** A sample: player, score, measures and ABC. `position` is its index in the page's data, for client/samples.js. */
function sampleCard(sample: PageSample, position: number): Html {
  const kind = sample.kind === 'constrained' ? ', constrained' : sample.kind === 'free' ? ', free' : '';
  const title = `Sample ${sample.index}${kind}`;
  const name = `${sample.run}, sample ${sample.index}${kind}`;
  const measures = Object.entries(sample.metrics ?? {}).filter(([, value]) => Number.isFinite(value));
  const file = `${sample.run}-${sample.kind === 'free' ? 'free-' : ''}${String(sample.index).padStart(3, '0')}.mid`;
  return html`<article class="sample" data-sample="${position}" aria-label="${name}">
<header><h3>${title}</h3><span class="${sample.valid ? 'valid' : 'invalid'}">${sample.valid ? 'valid ABC' : `not valid ABC${sample.problem ? `: ${sample.problem}` : ''}`}</span></header>
${
  sample.packed.length > 0
    ? html`<div class="player"><button type="button" class="play" aria-label="Play ${name}">▶</button><input type="range" class="seek" min="0" max="1000" value="0" step="1" aria-label="Position in ${name}"><output class="time">0:00</output></div>`
    : html`<p class="silent">There is nothing to play.</p>`
}
<div class="score" tabindex="0" role="img" aria-label="Score of ${name}, ${formatInteger(sample.measures)} bars"><div class="paper"></div></div>
<dl class="facts"><div><dt>bars</dt><dd>${sample.measures}</dd></div>${measures.map(([key, value]) => {
    const { name: shown = key.replaceAll('_', ' '), meaning = '' } = MEASURES[key] ?? {};
    return html`<div title="${meaning}"><dt>${shown}</dt><dd>${Number.isInteger(value) ? formatInteger(value) : formatNumber(value)}</dd></div>`;
  })}</dl>
<details class="source"><summary>ABC</summary><pre tabindex="0" role="group" aria-label="ABC of ${name}">${sample.abc}</pre>${sample.midiBase64 !== undefined && html`<p><a download="${file}" href="data:audio/midi;base64,${sample.midiBase64}">MIDI file</a></p>`}</details>
</article>`;
}
