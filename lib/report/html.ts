/** HTML as text, with everything put into it escaped unless it is HTML already. */

/** HTML that needs no escaping. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Content = Html | string | number | null | undefined | false | Content[];

/** html`<p>${text}</p>`: strings and numbers are escaped, Html goes in as it is, lists one after another, null and false not at all. */
export function html(strings: TemplateStringsArray, ...contents: Content[]): Html {
  return new Html(strings.map((text, i) => text + (i < contents.length ? write(contents[i]) : '')).join(''));
}

/** JSON for a script element: no text in it can end the element. */
export function scriptJson(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll('<', '\\u003c'));
}

function write(content: Content): string {
  if (content instanceof Html) return content.text;
  if (Array.isArray(content)) return content.map(write).join('');
  if (content === null || content === undefined || content === false) return '';
  return String(content).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
