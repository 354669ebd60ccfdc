/**
 * The state of the shell parser: the command and the word that it is in, the quotes and expansions around them, and
 * whether a template may insert a value here. The subclasses read the script: expansions.ts, redirections.ts,
 * script-reader.ts.
 */
import { show } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import { readerOfNext } from './code-readers.ts';
import type { HereDocument } from './here-document.ts';
import { ScriptCursor, type ScriptPart, type ScriptValue } from './script-cursor.ts';
import { isSafe } from './shell-words.ts';

/** The deepest nesting of quotes and expansions; deeper ones would overflow the stack. */
const DEEPEST = 100;

/** The word that is being read. */
export interface Word {
  text: string;
  /** It has no quotes, backslashes or expansions, so it may be a reserved word. */
  isLiteral: boolean;
  /** It has an open brace outside of quotes: bash splits `{a,b}` and `{1..3}`. */
  hasBrace: boolean;
}

/** The command that is being read, between two separators such as `;` and `|`. */
export interface Simple {
  /** Its words so far, without assignments, redirections and reserved words. */
  words: string[];
  /** The next word is the file of a redirection. */
  isRedirected: boolean;
  /** The next word is a descriptor or a file, after `>&`: bash expands it twice, even in quotes. */
  isDescriptor?: boolean;
}

/** A script, and what is known at the place up to which it was read. */
export class ScriptState {
  protected readonly script: ScriptCursor;
  protected depth = 0;
  /** Number of command substitutions around this place, $(…) and `…`. */
  protected substitutions = 0;
  /** How many of them are backticks. */
  protected backtickPairs = 0;
  /** Greater than 0 where only safe values are allowed; `because` says why. */
  protected strict = 0;
  protected because = '';
  /** From here on only safe values are allowed, because shells may disagree about what is quoted. */
  protected isUnclear = false;
  protected simple: Simple = { words: [], isRedirected: false };
  protected word: Word | undefined;
  protected hereDocuments: HereDocument[] = [];

  constructor(parts: readonly ScriptPart[]) {
    this.script = new ScriptCursor(parts);
  }

  protected openWord(): Word {
    this.word ??= { text: '', isLiteral: true, hasBrace: false };
    return this.word;
  }

  protected addToWord(unit: ScriptPart): void {
    if (this.word !== undefined) this.word.text += typeof unit === 'string' ? unit : unit.value;
  }

  protected copyInQuotes(unit: string): void {
    if (unit === '`' && this.backtickPairs > 0) this.isUnclear = true; // The pair may end here.
    if (unit === '\n' && this.hereDocuments.length > 0) this.isUnclear = true;
    this.script.copy(1);
  }

  /** A backslash at the end of a line: the shell reads the text as if neither it nor the line's end were there. */
  protected continuedLine(): void {
    const afterName = this.script.isAfterName;
    this.script.copy(2);
    this.script.isAfterName = afterName;
  }

  /** An operator or expansion may go on after a continued line. That is too rare to be followed. */
  protected refuseSplitOperator(): void {
    if (this.script.next(0) === '\\' && this.script.next(1) === '\n') this.isUnclear = true;
  }

  /** Writes a value as it is, or refuses it if it is not safe. */
  protected safeOnly(value: ScriptValue, where: string): void {
    if (!isSafe(value.value)) throw this.refusal(value, this.outside(where, value));
    this.addToWord(value);
    this.script.put(value.value);
  }

  protected outside(where: string, { reference }: ScriptValue): string {
    return `${where} it may have only letters, digits and _@%+=:,./-, because it cannot be quoted there; \${raw:${reference}} inserts it unquoted`;
  }

  /** Refuses a value that needs quotes where it cannot have them. */
  protected checkStrict(value: ScriptValue): void {
    if (this.isUnclear) throw this.refusal(value, this.outside('after code that shells read in different ways', value));
    if (this.simple.isDescriptor) throw this.refusal(value, this.outside('after >&', value));
    if (this.strict > 0) throw this.refusal(value, this.outside(this.because, value));
    const reader = readerOfNext(this.simple.words, this.word?.text ?? '');
    if (reader !== undefined)
      throw this.refusal(
        value,
        `${reader} would read it as code; write it as an argument, such as sh -c 'echo "$1"' sh \${${value.reference}}, or \${raw:${value.reference}}`,
      );
  }

  protected refusal(value: ScriptValue, why: string): ReproError {
    const { reference, nth = 0 } = value;
    return new ReproError({
      message: `\${${reference}} is ${show(value.value)}, and ${why}`,
      template: { reference, nth },
    });
  }

  protected strictly(because: string, read: () => void): void {
    const outer = this.because;
    this.because = because;
    this.strict++;
    read();
    this.strict--;
    this.because = outer;
  }

  protected descend(): void {
    this.depth++;
    if (this.depth > DEEPEST) throw new ReproError('the command nests its quotes and expansions too deeply');
  }
}
