/** Counts of the data of a study, from the metrics of the stages download, convert, split and tokenize. */
import type { DataSection } from '../data.ts';
import { formatInteger, formatNumber, formatShare, plural } from './numbers.ts';

type Counts = Record<string, { count: number }>;

/** The parts of the metrics that are read. A metric that is missing leaves its facts out. */
export interface DataMetrics {
  download?: { files?: number; skipped?: unknown[] };
  convert?: { files?: number; converted?: number; notes?: number; failed?: unknown };
  split?: {
    files?: number;
    kept?: number;
    dropped?: Counts;
    duplicates?: Counts;
    splits?: Record<string, { tunes: number; bars?: number; notes?: number; characters?: number }>;
  };
  tokenize?: ({ tokenizer: string; vocabulary_size: number } & Record<string, unknown>)[];
}

/** The counts, in sections: from files to tunes, tunes by split, what was dropped and why, tokens. */
export function dataFacts({ download, convert, split, tokenize = [] }: DataMetrics): DataSection[] {
  return [
    { title: 'From files to tunes', facts: filesToTunes({ download, convert, split }) },
    { title: 'Tunes by split', facts: tunesBySplit(split) },
    { title: 'Dropped, and why', facts: droppedFiles(split) },
    ...tokenize.map((one) => ({ title: `Tokens: ${one.tokenizer}`, facts: tokensBySplit(one) })),
  ].filter(({ facts }) => facts.length > 0);
}

type Facts = DataSection['facts'];

/** A fact, if its number is known. */
function fact(name: string, value: unknown): Facts {
  return typeof value === 'number' ? [[name, value]] : [];
}

function filesToTunes({ download, convert, split }: DataMetrics): Facts {
  const failed = Array.isArray(convert?.failed) ? convert.failed.length : undefined;
  return [
    ...fact('MIDI files', download?.files),
    ...fact('converted to ABC', convert?.converted),
    ...(failed ? fact('not readable', failed) : []),
    ...fact('notes', convert?.notes),
    ...fact('tunes kept', split?.kept),
  ];
}

function tunesBySplit(split: DataMetrics['split']): Facts {
  return Object.entries(split?.splits ?? {}).map(([name, { tunes, bars, notes, characters }]) => {
    const details = [
      bars !== undefined && plural(bars, 'bar'),
      notes !== undefined && plural(notes, 'note'),
      characters !== undefined && plural(characters, 'character'),
    ].filter(Boolean);
    return [name, `${formatInteger(tunes)}${details.length > 0 ? ` (${details.join(', ')})` : ''}`];
  });
}

/** Reasons that never applied are named together. */
function droppedFiles(split: DataMetrics['split']): Facts {
  if (split?.dropped === undefined) return [];
  const reasons: [string, number][] = [
    ...Object.entries(split.duplicates ?? {}).map(([name, { count }]): [string, number] => [`same ${name}`, count]),
    ...Object.entries(split.dropped).map(([name, { count }]): [string, number] => [name.replaceAll('_', ' '), count]),
  ];
  const never = reasons.filter(([, count]) => count === 0).map(([name]) => name);
  return [
    ...reasons.filter(([, count]) => count > 0),
    ...(never.length > 0 ? ([['none for', never.join(', ')]] as Facts) : []),
  ];
}

function tokensBySplit({ vocabulary_size, statistics, ...rest }: NonNullable<DataMetrics['tokenize']>[number]): Facts {
  const splits = ['train', 'val', 'test'].flatMap((name): Facts => {
    const one = rest[name] as { tokens?: number; bytes_per_token?: number } | undefined;
    if (typeof one?.tokens !== 'number') return [];
    const bytes =
      typeof one.bytes_per_token === 'number' ? ` (${formatNumber(one.bytes_per_token)} bytes a token)` : '';
    return [[name, `${formatInteger(one.tokens)}${bytes}`]];
  });
  const { vocabulary_use: use, entropy } = (statistics ?? {}) as { vocabulary_use?: number; entropy?: number };
  return [
    ['vocabulary', `${formatInteger(vocabulary_size)}${typeof use === 'number' ? `, ${formatShare(use)} used` : ''}`],
    ...splits,
    ...(typeof entropy === 'number' ? ([['unigram entropy', `${formatNumber(entropy)} bits a token`]] as Facts) : []),
  ];
}
