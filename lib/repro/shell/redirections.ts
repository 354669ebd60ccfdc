/** Reads redirections, such as `> file`, and here-documents. */
import { ExpansionReader } from './expansions.ts';
import { type HereDocument, measure } from './here-document.ts';
import { inHereDocument, isSafe } from './shell-words.ts';

/** Reads the targets after `<` and `>`, and the lines of here-documents. */
export abstract class RedirectionReader extends ExpansionReader {
  /** `<`, `>` and the longer operators. The file is the next word; the delimiter of a here-document is read at once. */
  protected redirection(): void {
    this.simple.isRedirected = true;
    const rest = [0, 1, 2].map((i) => this.script.next(i) ?? '').join('');
    if (rest === '<<<' || !rest.startsWith('<<')) {
      if (/^[<>]&/.test(rest)) this.simple.isDescriptor = true;
      this.script.copy(rest === '<<<' ? 3 : /^(>>|>\||>&|<&|<>)/.test(rest) ? 2 : 1);
      this.refuseSplitOperator();
      return;
    }
    const stripsTabs = rest === '<<-';
    this.script.copy(stripsTabs ? 3 : 2);
    this.refuseSplitOperator();
    while (/[ \t]/.test(this.script.next(0) ?? '')) this.script.copy(1);
    this.simple.isRedirected = false;
    this.hereDocuments.push({ ...this.delimiter(), stripsTabs });
  }

  protected delimiter(): { delimiter: string; isQuoted: boolean } {
    let delimiter = '';
    let isQuoted = false;
    let quote: string | undefined;
    for (let unit = this.script.unit; unit !== undefined; unit = this.script.unit) {
      if (typeof unit !== 'string') {
        delimiter += unit.value;
        this.safeOnly(unit, 'in the delimiter of a here-document');
        continue;
      }
      if (quote === undefined && /[ \t\n;&|<>()]/.test(unit)) break;
      if (/[$`\n]/.test(unit) || (quote !== undefined && unit === '\\')) this.isUnclear = true;
      if (unit === quote) quote = undefined;
      else if (quote === undefined && (unit === "'" || unit === '"')) {
        isQuoted = true;
        quote = unit;
      } else if (quote === undefined && unit === '\\') {
        isQuoted = true;
        this.script.copy(1);
        delimiter += this.script.next(0) ?? '';
      } else delimiter += unit;
      if (this.script.nextValue(0) === undefined) this.script.copy(1);
    }
    return { delimiter, isQuoted };
  }

  /** The lines of a here-document, with the line that ends it. */
  protected hereDocument(document: HereDocument): void {
    const { length, isUnclear, endedBy } = measure(document, this.script);
    if (endedBy !== undefined)
      throw this.refusal(endedBy, `it makes this line "${document.delimiter}", which ends the here-document`);
    if (isUnclear) this.isUnclear = true;
    this.script.within(length, () => {
      const read = () => {
        while (this.script.unit !== undefined) this.hereDocumentUnit(document);
      };
      if (this.substitutions > 0) this.strictly('in a here-document inside of $(…)', read);
      else read();
    });
    this.script.copyLine();
  }

  protected hereDocumentUnit({ isQuoted, stripsTabs }: HereDocument): void {
    const unit = this.script.unit!;
    const strictly = (read: () => void) => this.strictly('in an expansion of a here-document', read);
    if (typeof unit !== 'string') {
      if (/[\n\r]/.test(unit.value))
        throw this.refusal(unit, 'a value of several lines cannot stand in a here-document');
      if (this.script.isAfterName && /^\w/.test(unit.value))
        throw this.refusal(unit, 'it would become part of the name before it; write that as \\${name}');
      if (stripsTabs && unit.value.startsWith('\t') && /(^|\n)\t*$/.test(this.script.out))
        throw this.refusal(unit, '<<- would remove the tab at its start');
      if (!isSafe(unit.value)) this.checkStrict(unit);
      this.script.put(isQuoted ? unit.value : inHereDocument(unit.value));
    } else if (isQuoted) this.copyInQuotes(unit);
    else if (unit === '\\') this.backslash();
    else if (unit === '$') strictly(() => this.dollar('here-document'));
    else if (unit === '`') strictly(() => this.backticks());
    else this.script.copy(1);
  }
}
