/**
 * Tells the lines of an ABC file apart: which belong to a tune, and which are text around it.
 *
 * A tune ends at an empty line (standard 2.1, §2.2.2), at the next X:, or at an HTML tag of the page that the file was
 * saved from. People also leave empty lines within a tune: it goes on if the next line can only belong to a tune.
 */
import type { Symbols } from './decorations.ts';

/** A field on a line of its own. `A:|` and `C::` in the music are a note and a repeat sign. */
export const FIELD_LINE = /^([A-Za-z]):(.*)$/;
const MUSIC_NOT_FIELD = /^[A-Ga-gxyz]:[|:]/;

/**
 * Reads a line as a field.
 *
 * @param inMusic whether the music has begun, where a letter before a repeat sign is a note
 */
export function fieldOf(line: string, inMusic: boolean): { letter: string; value: string } | undefined {
  const match = FIELD_LINE.exec(line);
  if (match === null || (inMusic && MUSIC_NOT_FIELD.test(line))) return undefined;
  return { letter: match[1], value: match[2] };
}

/** Of `<a`, only with an attribute or a slash: `d<A F>G` is music. */
const HTML =
  /<\/?(?:html|head|body|pre|p|div|span|table|tr|td|hr|h[1-6]|ul|ol|li|script|center|blockquote)(?=[\s>/])[^>]{0,500}>|<a\s+(?:href|name|id|class)\b[^>]{0,500}>|<\/a>/i;
const LINE_BREAK = /<br\s*\/?>/gi;
const ENTITY = /(?:&gt;)+|(?:&lt;)+|&quot;|&amp;/g;
const CHARACTERS: Record<string, string> = { '&gt;': '>', '&lt;': '<', '&quot;': '"', '&amp;': '&' };

/**
 * Replaces the entities of HTML that stand for characters of music: `C&gt;D` is `C>D`. The line keeps its length, so that
 * columns stay: each is filled up with backticks, which music skips.
 */
export function withoutEntities(line: string): string {
  if (!line.includes(';') || !line.includes('&')) return line;
  return line.replace(ENTITY, (run) => {
    const entity = /^&\w+;/.exec(run)![0];
    return CHARACTERS[entity].repeat(run.length / entity.length).padEnd(run.length, '`');
  });
}

/** The line before the first HTML tag, and whether there is one. Line breaks (`<br>`) are removed. */
export function withoutHtml(line: string): { text: string; html: boolean } {
  if (!line.includes('<')) return { text: line, html: false };
  const text = line.replace(LINE_BREAK, '');
  const tag = HTML.exec(text);
  return tag === null ? { text, html: false } : { text: text.slice(0, tag.index), html: true };
}

/**
 * Parts of a line that make no sound: quoted texts, decorations, inline fields, grace notes, comments. The spans
 * have a largest length, so that the time does not grow with the square of the text.
 */
const SILENT_SPANS =
  /"(?:[^"\\]|\\.){0,1000}"|"[^"]*(?:"|$)|![^!|]{0,40}!|\[[A-Za-z]:[^\]]{0,200}\]|\{[^}]{0,200}\}|%.*$/g;
/** A letter that is neither a note nor a decoration, beside another letter: quick to find, and music has none. */
const FOREIGN_LETTER = /[IKNQUVWYh-twÀ-ž][A-Za-zÀ-ž']|[A-Za-zÀ-ž'][IKNQUVWYh-twÀ-ž]/;
/** A word of three letters or more. */
const WORDS = /[A-Za-zÀ-ž']{3,}/g;

/**
 * Whether a line within a tune is words and not music. Words have letters that are neither notes nor decorations.
 *
 * @param symbols the letters that U: of the tune defines
 */
export function isText(line: string, symbols: Symbols): boolean {
  if (!FOREIGN_LETTER.test(line)) return false;
  const bare = line.replace(SILENT_SPANS, ' ');
  let foreign = 0;
  for (const [word] of bare.matchAll(WORDS)) {
    for (const letter of word) {
      if (/[A-GHLMOPSTJRXZa-gxyzuv',]/.test(letter) || symbols.has(letter)) continue;
      foreign++;
      break;
    }
  }
  return foreign >= (bare.includes('|') ? 2 : 1);
}

/** Whether a line after an empty line can only belong to the tune before it: a voice, a part, or bars of music. */
export function continuesTune(line: string, symbols: Symbols): boolean {
  if (/^(?:V:|P:\s*[A-Z]\s*$|\[V:|w:|%%MIDI\b)/.test(line)) return true;
  if (/^[A-Za-z]:(?![|:])/.test(line) || line.startsWith('%')) return false;
  return line.split('|').length > 2 && /[A-Ga-gz]/.test(line) && !isText(line, symbols) && !HTML.test(line);
}

/** Whether a K: field follows before the next tune. */
export function keyFollows(lines: string[], from: number): boolean {
  for (let i = from; i < lines.length; i++) {
    if (i > from && lines[i].startsWith('X:') && lines[from].startsWith('X:')) return false;
    if (lines[i].startsWith('K:')) return true;
  }
  return false;
}

/**
 * The index of the last line of a `%%begin…` block: the matching `%%end…`. Without one, the block ends before the next
 * empty line or tune.
 */
export function endOfBlock(lines: string[], from: number, word: string): number {
  const end = lines.findIndex((line, i) => i > from && line.replace(/\s/g, '').startsWith(`%%end${word}`));
  if (end >= 0) return end;
  const next = lines.findIndex((line, i) => i > from && (line.trim() === '' || line.startsWith('X:')));
  return (next < 0 ? lines.length : next) - 1;
}
