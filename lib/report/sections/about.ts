/** The sections at the end of the page: the data, methods with a citation, and how the results were made. */
import type { DataSection, ReportData } from '../data.ts';
import { type Html, html } from '../html.ts';
import { formatInteger } from '../text/index.ts';

/** Digits of a hash in the page. The rest is in its title. */
const SHORT_HASH = 12;

/** The section Data: where the music comes from, and counts. Null if nothing is known. */
export function dataSection({ music, data = [] }: ReportData): Html | null {
  if (!music && data.length === 0) return null;
  return html`${music && html`<p>${music.sentence}${music.licence && ` Licence of the data: ${music.licence}.`}</p>`}
<div class="columns">${data.map(facts)}</div>`;
}

function facts({ title, facts }: DataSection): Html {
  const value = (one: string | number) => (typeof one === 'number' ? formatInteger(one) : one);
  return html`<div><h3>${title}</h3><dl class="pairs numbers">${facts.map(([name, one]) => html`<dt>${name}</dt><dd>${value(one)}</dd>`)}</dl></div>`;
}

/** The section Methods: text to paste into a paper, and how to cite. Null if there is none. */
export function methodsSection({ methods = [], citation }: ReportData): Html | null {
  if (methods.length === 0) return null;
  return html`<div id="methods-text">${methods.map((paragraph) => html`<p>${paragraph}</p>`)}</div>
<p class="only-script"><button type="button" class="copy" data-copy="methods-text">Copy the text</button></p>
${
  citation &&
  html`<h3>Citation</h3><pre id="citation" class="cite" tabindex="0" role="group" aria-label="Citation as BibTeX">${citation}</pre>
<p class="only-script"><button type="button" class="copy" data-copy="citation">Copy BibTeX</button></p>`
}`;
}

/** The section Provenance: how the results were made, all parameters, and the hashes of what the stages made. */
export function provenanceSection({ settings, provenance, hashes = [] }: ReportData): Html {
  return html`<div class="columns"><div><h3>Made by</h3><dl class="pairs">${Object.entries(provenance).map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>`)}</dl></div>
<div><h3>Parameters</h3>${nestedList(settings)}</div></div>
${hashes.length > 0 && hashTable(hashes)}`;
}

function hashTable(hashes: NonNullable<ReportData['hashes']>): Html {
  return html`<details class="hashes"><summary>What the stages made, by SHA-256 <small>${hashes.length} outputs, from dvc-like.lock</small></summary>
<div class="scroll" tabindex="0" role="region" aria-label="Hashes of the outputs"><table><thead><tr><th scope="col">stage</th><th scope="col">output</th><th scope="col">SHA-256</th></tr></thead>
<tbody>${hashes.map(({ stage, path, sha256 }) => html`<tr><th scope="row">${stage}</th><td>${path}</td><td><code title="${sha256}">${sha256.slice(0, SHORT_HASH)}</code></td></tr>`)}</tbody></table></div></details>`;
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
