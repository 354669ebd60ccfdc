/**
 * The formats of music files, by name: those that are read, and those that other programs convert.
 */

/** A format that this project reads. */
export type MusicFormat = 'midi' | 'abc' | 'musicxml';

const FORMATS: Record<MusicFormat, RegExp> = {
  midi: /\.(mid|midi|kar|rmi)$/i,
  abc: /\.abc$/i,
  musicxml: /\.(musicxml|mxl|xml)$/i,
};

/** The endings of the formats that are read, for messages. */
export const READ_ENDINGS = '.mid, .midi, .kar, .rmi, .abc, .musicxml, .mxl or .xml';

/**
 * The format of a file by its name. "._x.mid" has none, because macOS writes metadata files with such names on foreign
 * disks and in archives. Nor have the files in META-INF, which describe an archive.
 */
export function formatOf(path: string): MusicFormat | undefined {
  if (path.slice(path.lastIndexOf('/') + 1).startsWith('._')) return undefined;
  if (/(?:^|\/)META-INF\//.test(path)) return undefined;
  return (Object.keys(FORMATS) as MusicFormat[]).find((format) => FORMATS[format].test(path));
}

/** Whether a path has the name of a format that is read. */
export function isMusicName(path: string): boolean {
  return formatOf(path) !== undefined;
}

/** Whether a path has a MIDI name. */
export function isMidiName(path: string): boolean {
  return formatOf(path) === 'midi';
}

/** Formats that are not read: their endings, and what converts them to a format that is. */
const OTHER_FORMATS: readonly { endings: string[]; advice: string }[] = [
  {
    endings: ['.krn', '.hum', '.kern'],
    advice: 'Humdrum: convert it to MIDI with hum2mid (Humdrum Extras) or verovio',
  },
  { endings: ['.mscz', '.mscx'], advice: 'MuseScore: convert it to MusicXML with `mscore -o tune.mxl tune.mscz`' },
  { endings: ['.mei'], advice: 'MEI: convert it to MIDI with `verovio -t midi`' },
  { endings: ['.ly'], advice: 'LilyPond: a score with a \\midi block gives MIDI by `lilypond tune.ly`' },
  {
    endings: ['.gp', '.gp3', '.gp4', '.gp5', '.gpx', '.ptb'],
    advice: 'Guitar Pro: export MusicXML from MuseScore, or MIDI from TuxGuitar',
  },
  {
    endings: ['.sib', '.mus', '.musx', '.cap', '.capx', '.nwc', '.enc', '.ove', '.dorico'],
    advice: 'the file of a notation program: export MusicXML from that program',
  },
  { endings: ['.mod', '.xm', '.it', '.s3m'], advice: 'a tracker module: export MIDI with OpenMPT' },
  { endings: ['.esac', '.sm'], advice: 'EsAC: convert it to ABC with esac2abc' },
  {
    endings: ['.wav', '.mp3', '.flac', '.ogg', '.m4a', '.aiff'],
    advice: 'sound: a transcription program, such as basic-pitch, makes MIDI of it',
  },
  { endings: ['.zip', '.gz', '.tgz', '.tar', '.7z', '.rar', '.xz', '.bz2'], advice: 'an archive: unpack it first' },
];

/** The number of files that were passed over, by the ending of their names, such as `{".txt": 3}`. */
export type PassedOver = Record<string, number>;

/** Counts a file that is passed over, under the ending of its name. */
export function countPassedOver(passedOver: PassedOver, path: string): void {
  const ending = /[^/.](\.[A-Za-z0-9]{1,10})$/.exec(path)?.[1].toLowerCase() ?? 'no ending';
  passedOver[ending] = (passedOver[ending] ?? 0) + 1;
}

/** The number of files that were passed over. */
export function totalPassedOver(passedOver: PassedOver): number {
  return Object.values(passedOver).reduce((sum, count) => sum + count, 0);
}

/**
 * Advises how to convert passed-over files that are music: one sentence for each ending, the most frequent first.
 *
 * @example adviceFor({ '.krn': 3 }) // ['3 .krn files were passed over (Humdrum: convert it to MIDI with …)']
 */
export function adviceFor(passedOver: PassedOver): string[] {
  return Object.entries(passedOver)
    .sort(([, a], [, b]) => b - a)
    .flatMap(([ending, count]) => {
      const format = OTHER_FORMATS.find(({ endings }) => endings.includes(ending));
      return format === undefined
        ? []
        : [`${count} ${ending} ${count === 1 ? 'file was' : 'files were'} passed over (${format.advice})`];
    });
}
