/**
 * The study as a whole: the table of runs in, the contents of scaling.json out.
 *
 *   study.ts               fits each tokenizer and architecture, and compares architectures
 *   group-fit.ts           all that is fitted for one tokenizer and architecture
 *   verdicts.ts            the claims in words
 *   published-results.ts   scaling_results.json, as published studies write it
 */

export type { BudgetFit, GroupFit, LawForm, SizeSummary } from './group-fit.ts';
export { type PublishedResults, publishedResults } from './published-results.ts';
export { fitStudy, groupName, type Study, type StudyOptions } from './study.ts';
export { lossName } from './verdicts.ts';
