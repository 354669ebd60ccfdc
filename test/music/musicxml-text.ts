/** Writes MusicXML for tests, shorter than it is. */

/** A note: `C4 2`, `F#5 1`, `Bb3 1/3`, `z 4` for a rest; the duration in divisions. Further elements follow the duration. */
export function note(text: string, more = '', before = ''): string {
  const [name, duration] = text.split(' ');
  const [, step, sign, octave] = /^([A-Gz])([#b]?)(\d?)$/.exec(name)!;
  const alter = sign === '' ? '' : `<alter>${sign === '#' ? 1 : -1}</alter>`;
  const sound = step === 'z' ? '<rest/>' : `<pitch><step>${step}</step>${alter}<octave>${octave}</octave></pitch>`;
  return `<note>${before}${sound}<duration>${duration}</duration>${more}</note>\n`;
}

/** Several notes, one after another. */
export function notes(text: string): string {
  return text
    .split(', ')
    .map((one) => note(one))
    .join('');
}

/** Notes that begin together. */
export function chord(text: string): string {
  return text
    .split(', ')
    .map((one, i) => note(one, '', i === 0 ? '' : '<chord/>'))
    .join('');
}

export const backup = (duration: number) => `<backup><duration>${duration}</duration></backup>\n`;
export const forward = (duration: number) => `<forward><duration>${duration}</duration></forward>\n`;

/** The first attributes: a quarter note has so many divisions; key and metre are left out if they are empty. */
export function attributes(divisions: number, metre = '4/4', key: string | number = 0, more = ''): string {
  const [beats, beatType] = metre.split('/');
  const time = metre === '' ? '' : `<time><beats>${beats}</beats><beat-type>${beatType}</beat-type></time>`;
  const [fifths, mode] = String(key).split(' ');
  const modeText = mode === undefined ? '' : `<mode>${mode}</mode>`;
  const keyText = key === '' ? '' : `<key><fifths>${fifths}</fifths>${modeText}</key>`;
  return `<attributes><divisions>${divisions}</divisions>${keyText}${time}${more}</attributes>\n`;
}

/** A part: the content of its score-part, and that of its measures. */
export interface Part {
  instruments?: string;
  measures: string[];
}

/** A partwise score of parts, or of the measures of one part. */
export function score(content: string[] | Part[]): string {
  const parts: Part[] = typeof content[0] === 'string' ? [{ measures: content as string[] }] : (content as Part[]);
  const list = parts.map(
    ({ instruments = '' }, i) => `<score-part id="P${i + 1}"><part-name>x</part-name>${instruments}</score-part>\n`,
  );
  const bodies = parts.map(({ measures }, i) => {
    const numbered = measures.map((measure, m) => `<measure number="${m + 1}">\n${measure}</measure>\n`);
    return `<part id="P${i + 1}">\n${numbered.join('')}</part>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0">
<part-list>${list.join('')}</part-list>
${bodies.join('')}</score-partwise>
`;
}

/** An instrument of a part; all numbers count from 1. */
export function instrument(id: string, { program = '', channel = '', unpitched = '' } = {}): string {
  const element = (name: string, value: string) => (value === '' ? '' : `<${name}>${value}</${name}>`);
  const content =
    element('midi-channel', channel) + element('midi-program', program) + element('midi-unpitched', unpitched);
  return `<score-instrument id="${id}"><instrument-name>x</instrument-name></score-instrument><midi-instrument id="${id}">${content}</midi-instrument>`;
}

export const tie = (...types: string[]) => types.map((type) => `<tie type="${type}"/>`).join('');
export const barline = (location: string, content: string) => `<barline location="${location}">${content}</barline>`;
export const repeat = (direction: string, more = '') => `<repeat direction="${direction}"${more}/>`;
export const ending = (number: string, type: string) => `<ending number="${number}" type="${type}"/>`;

/** A score with most of what the reader knows, for damaging it. */
export function seedScore(): string {
  return score([
    {
      instruments: instrument('d', { channel: '10', unpitched: '39' }) + instrument('m', { program: '20' }),
      measures: [
        attributes(12, '3/4', '1 major') + notes('G4 12, A4 6, B4 6, z 12') + backup(36) + chord('G3 36, D4 36'),
        barline('left', repeat('forward')) + notes('C5 4, D5 4, E5 4') + note('D5 24', tie('start')),
        barline('left', ending('1', 'start')) +
          note('D5 36', tie('stop')) +
          barline('right', ending('1', 'stop') + repeat('backward')),
        `${barline('left', ending('2', 'start'))}<direction><sound tempo="90"/></direction>${notes('G4 36')}`,
      ],
    },
    { measures: [attributes(4, '3/4', '1 major') + notes('G2 12'), notes('A2 12'), notes('D2 12'), notes('G2 12')] },
  ]);
}
