/** Which music a study learned from, in words, from the metrics of the download stage. */
import type { MusicSource } from '../data.ts';
import { plural } from './numbers.ts';

/** The part of the download stage's metrics that is read. */
interface DownloadMetrics {
  source?: { kind?: string; [key: string]: unknown };
  files?: number;
}

/**
 * Describes the music.
 *
 * @param metrics outputs/metrics/download.json
 * @returns undefined if the metrics name no source
 */
export function musicSource({ source, files }: DownloadMetrics): MusicSource | undefined {
  const count = typeof files === 'number' ? ` (${plural(files, 'file')})` : '';
  switch (source?.kind) {
    case 'synthetic': {
      const pieces = plural(Number(source.pieces), 'piece');
      return {
        sentence: `The music is synthetic: a grammar with seed ${source.seed} composed its ${pieces}. No person wrote it, so the findings are about this grammar, not about music that people make.`,
        phrase: 'synthetic music composed by a grammar',
        licence: 'none is needed, because this software composed it',
      };
    }
    case 'known':
      return {
        sentence: `The music is the data set ${source.title}${count}.`,
        phrase: `the data set ${source.title}`,
        licence: String(source.licence),
      };
    case 'url':
      return named(fileName(String(source.url)), `loaded from ${source.url}`, count);
    case 'folder':
      return named(fileName(String(source.path)), 'a folder of the user', count);
    case 'archive':
      return named(fileName(String(source.path)), 'an archive of the user', count);
    default:
      return undefined;
  }
}

function named(name: string, origin: string, count: string): MusicSource {
  return {
    sentence: `The music is the data set “${name}”${count}, ${origin}.`,
    phrase: `the data set “${name}”`,
    licence: 'not known to this software; see the source',
  };
}

/** The last part of a path or an address. */
function fileName(path: string): string {
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
}
