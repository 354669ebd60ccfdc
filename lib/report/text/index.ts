/**
 * The texts of the report: findings, methods and facts in words.
 *
 *   headline.ts       headlineText: the findings in five lines
 *   methods.ts        methodsText, bibtex: a paragraph for a paper, and a citation
 *   music-source.ts   musicSource: which music the study learned from
 *   data-facts.ts     dataFacts: counts of files, tunes and tokens
 *   numbers.ts        numbers, counts and intervals
 */
export { type DataMetrics, dataFacts } from './data-facts.ts';
export { bestRun, describeModels, headlineText, type LawLine, lawLines } from './headline.ts';
export { bibtex, methodsText, type Software, type StudySettings } from './methods.ts';
export { musicSource } from './music-source.ts';
export { formatDuration, formatInteger, formatNumber, formatShare, plural, withInterval } from './numbers.ts';
