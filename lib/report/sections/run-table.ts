/** The section Runs: a table that sorts by a column (client/table.js), and that can be downloaded as CSV. */
import { csvFormat } from 'd3-dsv';
import { lossName, type RunRow, type Study } from '../../scaling/index.ts';
import type { ReportData, ReportFile, Validities, Validity } from '../data.ts';
import { Html, html } from '../html.ts';
import { formatInteger, formatNumber, formatShare } from '../text/index.ts';

/** A value of the table; undefined if it was not measured. */
type Value = number | string | undefined;

/** A column of the table. A column without any value is left out. */
interface Column {
  /** name in the CSV file */
  column: string;
  name: string;
  value(row: RunRow, validity: Validities): Value;
  /** text of a number */
  write?(value: number, validity: Validities): string;
}

const loss = (value: number) => formatNumber(value, 4);

/** A column of the table of runs, as it is. */
function plain(column: string, name: string, write?: Column['write']): Column {
  const value = (row: RunRow): Value => {
    const one = row[column];
    return typeof one === 'number' ? (Number.isFinite(one) ? one : undefined) : one ? String(one) : undefined;
  };
  return { column, name, value, write };
}

/** A share of valid samples, as "2 of 2". */
function share(column: string, name: string, of: (validity: Validities) => Validity | undefined): Column {
  return {
    column,
    name,
    value: (_, validity) => {
      const one = of(validity);
      return one && one.valid / one.samples;
    },
    write: (_, validity) => `${of(validity)!.valid} of ${of(validity)!.samples}`,
  };
}

/** The columns from left to right. A phone shows the first PHONE_COLUMNS, and the others on demand. */
const COLUMNS: readonly Column[] = [
  plain('params', 'parameters', formatInteger),
  plain('test_bits_per_byte', 'test bits per byte', loss),
  plain('val_bits_per_byte', 'val bits per byte', loss),
  plain('tokens', 'tokens', formatInteger),
  share('valid_share_constrained', 'valid constrained', ({ constrained }) => constrained),
  share('valid_share_free', 'valid free', ({ free }) => free),
  {
    column: 'tokens_per_parameter',
    name: 'tokens/N',
    value: ({ tokens, params }) => (typeof tokens === 'number' && params > 0 ? tokens / params : undefined),
    write: (value) => formatNumber(value),
  },
  plain('learning_rate', 'learning rate', (value) => formatNumber(value)),
  plain('train_loss', 'train loss', loss),
  plain('val_loss', 'val loss', loss),
  plain('test_loss', 'test loss', loss),
  plain('test_bits_per_note', 'bits a note', loss),
  plain('perplexity', 'perplexity', (value) => formatNumber(value)),
  plain('seconds', 'seconds', (value) => formatNumber(value)),
  plain('tokens_per_second', 'tokens/s', formatInteger),
  plain('peak_memory_mb', 'memory (MB)', (value) => value.toFixed(0)),
  plain('tokenizer', 'tokenizer'),
  plain('architecture', 'architecture'),
  plain('size', 'size'),
  plain('seed', 'seed', String),
  plain('params_non_embedding', 'without embeddings', formatInteger),
];
const PHONE_COLUMNS = 6;

/** Columns of smaller budgets, from the cooldowns of a run: test_bits_per_byte@0.25. Their names must be short. */
function budgetColumns(results: readonly RunRow[]): Column[] {
  const names = new Set(results.flatMap((row) => Object.keys(row).filter((name) => /@0\.\d+$/.test(name))));
  return [...names].map((name) => {
    const [column, share] = name.split('@');
    return plain(name, `${lossName(column)} at ${formatShare(Number(share))} of tokens`, loss);
  });
}

/** The columns that have a value, with that of the fitted loss. */
function columnsOf({ results, study, runValidity = {} }: ReportData): Column[] {
  const known = COLUMNS.some(({ column }) => column === study.loss);
  const all = [
    ...COLUMNS,
    ...budgetColumns(results),
    ...(known ? [] : [plain(study.loss, lossName(study.loss), loss)]),
  ];
  // One tokenizer is the same in each row, and the name of the run has it.
  const isOne = new Set(results.map((row) => row.tokenizer)).size <= 1;
  return all.filter(
    ({ column, value }) =>
      !(column === 'tokenizer' && isOne) && results.some((row) => value(row, runValidity[row.run] ?? {}) !== undefined),
  );
}

/**
 * The table as CSV, with numbers as they were measured. It has the columns of the page and `diverged`.
 */
export function runTableCsv(data: ReportData): string {
  const columns = columnsOf(data);
  const rows = data.results.map((row): Record<string, Value> => {
    const values = columns.map(({ column, value }) => [column, value(row, data.runValidity?.[row.run] ?? {}) ?? '']);
    return { run: row.run, ...Object.fromEntries(values), diverged: String(row.diverged) };
  });
  return `${csvFormat(rows, ['run', ...columns.map(({ column }) => column), 'diverged'])}\n`;
}

/** @returns the content of the section */
export function runTable(data: ReportData): Html {
  const { results, study, runValidity = {}, files = [] } = data;
  const columns = columnsOf(data);
  const names = ['run', ...columns.map(({ name }) => name)];
  const heading = (name: string, i: number) =>
    html`<th scope="col" aria-sort="none"><button type="button" data-column="${i}">${name}</button></th>`;
  const downloads: ReportFile[] = [{ name: 'runs.csv', type: 'text/csv', text: runTableCsv(data) }, ...files];
  return html`<p>Losses are in nats per token; tokens/N is the number of training tokens per parameter. The best run of each group is marked. Click on a column’s name to sort by it.</p>
<p class="files">Download: ${downloads.map(download)}</p>
<p class="sorter only-script"><label>Sort by <select>${names.map((name, i) => html`<option value="${i}">${name}</option>`)}</select></label> <button type="button">reverse</button> <label><input type="checkbox" class="all-values"> all values</label></p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of runs"><table class="sortable cards"><thead><tr>${names.map(heading)}</tr></thead>
<tbody>${results.map((row) => runRow(row, columns, runValidity[row.run] ?? {}, study))}</tbody></table></div>`;
}

function runRow(row: RunRow, columns: readonly Column[], validity: Validities, study: Study): Html {
  const isBest = Object.values(study.fits).some(({ best }) => best?.run === row.run);
  const kind = [row.diverged && 'diverged', isBest && 'best'].filter(Boolean).join(' ');
  return html`<tr${kind !== '' && html` class="${kind}"`}><th scope="row" data-value="${row.run}">${row.run}${row.diverged && html` <small>diverged</small>`}${isBest && html` <small>best</small>`}</th>${columns.map(
    ({ name, value, write }, i) => {
      const one = value(row, validity);
      const shown = typeof one === 'number' ? (write?.(one, validity) ?? formatNumber(one)) : (one ?? '–');
      return html`<td class="${typeof one === 'string' ? 'text' : 'number'}${i >= PHONE_COLUMNS && ' more'}" data-label="${name}" data-value="${one ?? ''}">${shown}</td>`;
    },
  )}</tr>`;
}

/** A link that saves a file out of the page. */
export function download({ name, type, text }: ReportFile): Html {
  return html`<a download="${name}" href="data:${type};charset=utf-8,${new Html(encodeURIComponent(text).replaceAll("'", '%27'))}">${name}</a> `;
}
