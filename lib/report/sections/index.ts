/**
 * The sections of the page. Each is a function from the data to HTML; page.ts puts them in order.
 *
 *   findings.ts    laws, comparisons, the best model
 *   figures.ts     the plots
 *   listen.ts      the samples
 *   run-table.ts   the table of runs
 *   about.ts       data, methods, provenance
 */
export { dataSection, methodsSection, provenanceSection } from './about.ts';
export { figures } from './figures.ts';
export { findings } from './findings.ts';
export { listen } from './listen.ts';
export { runTable } from './run-table.ts';
