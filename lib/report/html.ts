/** Templates for HTML text. Everything inserted is escaped, unless it is an Html object. */

/** A piece of HTML, which is inserted without escaping. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Content = Html | string | number | null | undefined | false | Content[];

/**
 * Tag for HTML templates. Strings and numbers are escaped, Html is not. The items of a list are joined. null, undefined
 * and false become an empty text, so that `condition && html…` works.
 *
 * @example html`<p>${text}</p>`
 */
export function html(strings: TemplateStringsArray, ...contents: Content[]): Html {
  return new Html(strings.map((text, i) => text + (i < contents.length ? write(contents[i]) : '')).join(''));
}

/** JSON for a script element. "<" is escaped, so that no text in it can end the element. */
export function scriptJson(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll('<', '\\u003c'));
}

function write(content: Content): string {
  if (content instanceof Html) return content.text;
  if (Array.isArray(content)) return content.map(write).join('');
  if (content === null || content === undefined || content === false) return '';
  return String(content).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
