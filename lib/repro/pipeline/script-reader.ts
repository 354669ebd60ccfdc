/**
 * Reads a shell script from its start to its end, as a shell does, and quotes each value for the place where it stands.
 * shell-script.ts says how.
 */
import { show } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import { readerOfNext } from './code-readers.ts';
import { type HereDocument, measure } from './here-document.ts';
import { ScriptCursor, type ScriptPart, type ScriptValue } from './script-cursor.ts';
import { inDoubleQuotes, inHereDocument, inSingleQuotes, isSafe } from './shell-words.ts';

/** Words that are syntax where a command may begin, in POSIX shells and in bash. */
export const RESERVED = new Set(
  'if then else elif fi do done case esac while until for in function select time coproc'.split(' '),
);
/** Of these, the words after which a command may begin. */
const BEFORE_COMMAND = new Set('if then else elif fi do done esac while until time coproc { } !'.split(' '));

const NUMBER = /^[-+]?(\d+|0x[0-9a-f]+)$/i;
const NAME = /^\w+$/;
const ASSIGNMENT = /^[A-Za-z_]\w*(\[[^\]]*\])?\+?=/;
/** The start of `name[subscript]=value`: bash computes the subscript, and runs commands in it even if it is quoted. */
const SUBSCRIPT = /^[A-Za-z_]\w*\[[^\]]*$/;
/** The deepest nesting of quotes and expansions; deeper ones would overflow the stack. */
const DEEPEST = 100;

/** The word that is being read. */
interface Word {
  text: string;
  /** It has no quotes, backslashes or expansions, so it may be a reserved word. */
  isLiteral: boolean;
  /** It has an open brace outside of quotes: bash splits `{a,b}` and `{1..3}`. */
  hasBrace: boolean;
}

/** The command that is being read, between two separators such as `;` and `|`. */
interface Simple {
  /** Its words so far, without assignments, redirections and reserved words. */
  words: string[];
  /** The next word is the file of a redirection. */
  isRedirected: boolean;
  /** The next word is a descriptor or a file, after `>&`: bash expands it twice, even in quotes. */
  isDescriptor?: boolean;
}

/** Reads a script from its start to its end, as a shell does, and writes it with the values quoted. */
export class ScriptReader {
  readonly #script: ScriptCursor;
  #depth = 0;
  /** Numbers of $(…) and `…` around, and of `…` alone. */
  #substitutions = 0;
  #backtickPairs = 0;
  /** Greater than 0 where only safe values are allowed; `#because` says why. */
  #strict = 0;
  #because = '';
  /** From here on only safe values are allowed, because shells may disagree about what is quoted. */
  #isUnclear = false;
  #simple: Simple = { words: [], isRedirected: false };
  #word: Word | undefined;
  #hereDocuments: HereDocument[] = [];

  constructor(parts: readonly ScriptPart[]) {
    this.#script = new ScriptCursor(parts);
  }

  /**
   * Reads all of it.
   *
   * @returns the script with the values
   * @throws ReproError if a value that is not safe stands where it cannot be quoted
   */
  read(): string {
    this.#commands(undefined);
    return this.#script.out;
  }

  /** Reads commands up to `closing`, which it does not read, or the end. */
  #commands(closing: ')' | '`' | undefined): void {
    this.#descend();
    const [simple, word, hereDocuments] = [this.#simple, this.#word, this.#hereDocuments];
    [this.#simple, this.#word, this.#hereDocuments] = [{ words: [], isRedirected: false }, undefined, []];
    const openCases: ('subject' | 'in' | 'patterns')[] = [];
    const endWord = () => this.#endWord(openCases);
    const endCommand = () => {
      endWord();
      this.#simple = { words: [], isRedirected: false };
    };
    for (let unit = this.#script.unit; unit !== undefined; unit = this.#script.unit) {
      if (typeof unit !== 'string') {
        this.#unquotedValue(unit, openCases.length > 0);
        continue;
      }
      if (unit === closing && !(unit === ')' && openCases.at(-1) === 'patterns')) break;
      if (unit === '#' && this.#word === undefined) this.#comment();
      else if (unit === '\n') {
        endCommand();
        this.#script.copy(1);
        if (hereDocuments.length > 0) this.#isUnclear = true;
        for (const document of this.#hereDocuments.splice(0)) this.#hereDocument(document);
      } else if (unit === ' ' || unit === '\t') {
        endWord();
        this.#script.copy(1);
      } else if (unit === ';' || unit === '&' || unit === '|') {
        endCommand();
        this.#script.copy(1);
      } else if (unit === '<' || unit === '>') {
        endWord();
        this.#redirection();
      } else if (unit === '(') {
        endWord();
        if (this.#script.next(1) === '(') this.#isUnclear = true; // Arithmetic in bash, two subshells elsewhere.
        this.#script.copy(1);
        this.#refuseSplitOperator();
        this.#commands(')');
        this.#script.copy(1);
        this.#simple = { words: [], isRedirected: false };
      } else if (unit === ')') {
        if (openCases.length === 0) this.#isUnclear = true; // Nothing opened it.
        endCommand();
        this.#script.copy(1);
      } else if (unit === '\\' && this.#script.next(1) === '\n') this.#continuedLine();
      else this.#wordUnit(unit);
    }
    endCommand();
    [this.#simple, this.#word, this.#hereDocuments] = [simple, word, hereDocuments];
    this.#depth--;
  }

  /** Reads a character of a word, or quotes or an expansion in it. */
  #wordUnit(unit: string): void {
    const word = this.#openWord();
    const ordinary = this.#script.copyOrdinary();
    if (ordinary !== '') {
      word.text += ordinary;
      return;
    }
    word.isLiteral &&= !/['"\\$`]/.test(unit);
    if (unit === '{') word.hasBrace = true;
    if (unit === "'") this.#singleQuotes();
    else if (unit === '"') this.#doubleQuotes();
    else if (unit === '\\') this.#backslash();
    else if (unit === '$') this.#dollar('outside');
    else if (unit === '`') this.#backticks();
    else {
      word.text += unit;
      this.#script.copy(1);
    }
  }

  #openWord(): Word {
    this.#word ??= { text: '', isLiteral: true, hasBrace: false };
    return this.#word;
  }

  #endWord(openCases: ('subject' | 'in' | 'patterns')[]): void {
    const word = this.#word;
    this.#word = undefined;
    this.#script.isAfterName = false;
    if (word === undefined) return;
    const { words } = this.#simple;
    // Old shells end $( at the first ) of a case.
    if (word.isLiteral && word.text === 'case' && this.#substitutions > 0) this.#isUnclear = true;
    if (words.length === 0 && SUBSCRIPT.test(word.text)) this.#isUnclear = true; // It may go on in bash.
    if (this.#simple.isRedirected) {
      this.#simple.isRedirected = false;
      this.#simple.isDescriptor = false;
      return;
    }
    const last = openCases.length - 1;
    if (openCases[last] === 'subject') openCases[last] = 'in';
    else if (openCases[last] === 'in') {
      openCases[last] = 'patterns';
      this.#simple = { words: [], isRedirected: false };
      return;
    }
    if (words.length === 0 && word.isLiteral) {
      if (word.text === 'case') openCases.push('subject');
      if (word.text === 'esac') openCases.pop();
      if (BEFORE_COMMAND.has(word.text)) return;
    }
    if (words.length === 0 && ASSIGNMENT.test(word.text)) return;
    words.push(word.text);
  }

  #unquotedValue(value: ScriptValue, isInCase: boolean): void {
    const isCommand = this.#simple.words.length === 0 && !this.#simple.isRedirected;
    const { text: before = '', isLiteral = true, hasBrace = false } = this.#word ?? {};
    const { rest, after } = this.#script.restOfWord();
    const isAlone = this.#word === undefined && rest === value.value;
    if (isCommand && isAlone && !isInCase && /\s/.test(value.value))
      throw this.#refusal(
        value,
        `a command cannot be one value with blanks, because a value is one word; write \${raw:${value.reference}} for several words`,
      );
    const isKeyword = isCommand && isLiteral && RESERVED.has(before + rest);
    const isAssigned = isCommand && !before.includes('=') && value.value.includes('=');
    const isDescriptor = /^\d+$/.test(before + rest) && /[<>]/.test(after);
    const isSplit = hasBrace && /,|\.\./.test(value.value);
    const isName = this.#script.isAfterName && /^\w/.test(value.value);
    const isAsIs = isSafe(value.value) && !(isKeyword || isAssigned || isDescriptor || isSplit || isName);
    if (!isAsIs && isCommand && SUBSCRIPT.test(before))
      throw this.#refusal(value, this.#outside('in a subscript', value));
    if (!isAsIs) this.#checkStrict(value);
    const word = this.#openWord();
    word.text += value.value;
    word.isLiteral &&= isAsIs;
    this.#script.put(isAsIs ? value.value : `'${inSingleQuotes(value.value)}'`);
  }

  #singleQuotes(): void {
    this.#script.copy(1);
    while (!this.#script.stopsAt("'")) {
      const unit = this.#script.unit!;
      this.#addToWord(unit);
      if (typeof unit === 'string') this.#copyInQuotes(unit);
      else {
        if (!isSafe(unit.value)) this.#checkStrict(unit);
        this.#script.put(inSingleQuotes(unit.value));
      }
    }
    this.#script.copy(1);
  }

  #doubleQuotes(): void {
    this.#script.copy(1);
    while (!this.#script.stopsAt('"')) {
      const unit = this.#script.unit!;
      this.#addToWord(unit);
      if (typeof unit !== 'string') {
        const isName = this.#script.isAfterName && /^\w/.test(unit.value);
        if (!isSafe(unit.value) || isName) this.#checkStrict(unit);
        this.#script.put((isName ? '""' : '') + inDoubleQuotes(unit.value));
      } else if (unit === '\\') this.#backslash();
      else if (unit === '$') this.#dollar('quoted');
      else if (unit === '`') this.#backticks();
      else this.#copyInQuotes(unit);
    }
    this.#script.copy(1);
    this.#script.isAfterName = false;
  }

  #copyInQuotes(unit: string): void {
    if (unit === '`' && this.#backtickPairs > 0) this.#isUnclear = true; // The pair may end here.
    if (unit === '\n' && this.#hereDocuments.length > 0) this.#isUnclear = true;
    this.#script.copy(1);
  }

  #addToWord(unit: ScriptPart): void {
    if (this.#word !== undefined) this.#word.text += typeof unit === 'string' ? unit : unit.value;
  }

  /** A backslash and the character that it quotes. */
  #backslash(): void {
    if (this.#script.next(1) === '\n') {
      this.#continuedLine();
      return;
    }
    this.#script.copy(1);
    const value = this.#script.nextValue(0);
    if (value === undefined) this.#script.copy(1);
    else this.#safeOnly(value, 'after a backslash');
  }

  /** A backslash at the end of a line: the shell reads the text as if neither it nor the line's end were there. */
  #continuedLine(): void {
    const afterName = this.#script.isAfterName;
    this.#script.copy(2);
    this.#script.isAfterName = afterName;
  }

  /** An operator or expansion may go on after a continued line. That is too rare to be followed. */
  #refuseSplitOperator(): void {
    if (this.#script.next(0) === '\\' && this.#script.next(1) === '\n') this.#isUnclear = true;
  }

  /** A `$` with what it expands. */
  #dollar(where: 'outside' | 'quoted' | 'here-document'): void {
    const next = this.#script.next(1);
    const after = this.#script.nextValue(1);
    if (after !== undefined) {
      this.#script.copy(1);
      if (!NAME.test(after.value)) throw this.#refusal(after, this.#outside('after a $', after));
      this.#addToWord(after);
      this.#script.put(after.value);
    } else if (next === '(') {
      if (this.#script.next(2) === '(') this.#arithmetic();
      else {
        this.#script.copy(2);
        this.#refuseSplitOperator();
        this.#substitutions++;
        this.#commands(')');
        this.#substitutions--;
        this.#script.copy(1);
      }
    } else if (next === '{') this.#parameter();
    else if (next !== undefined && /[A-Za-z_]/.test(next)) {
      let length = 2;
      while (NAME.test(this.#script.next(length) ?? '')) length++;
      this.#script.copy(length);
      this.#script.isAfterName = true;
    } else if (next !== undefined && /[\d@*#?$!-]/.test(next)) this.#script.copy(2);
    else {
      if (next === '[') this.#isUnclear = true; // Arithmetic in bash.
      this.#script.copy(1);
      this.#refuseSplitOperator();
      if (next === "'" && where === 'outside') this.#dollarQuotes();
    }
  }

  /** `$'…'`, in which bash reads backslashes, and other shells do not. */
  #dollarQuotes(): void {
    if (this.#script.upTo("'").endsWith('\\')) this.#isUnclear = true;
    this.#strictly("inside of $'…'", () => this.#singleQuotes());
  }

  /** `${…}` of the shell, which pipeline.yaml writes as `\${…}`. */
  #parameter(): void {
    this.#descend();
    this.#script.copy(2);
    let isName = true;
    while (!this.#script.stopsAt('}')) {
      const unit = this.#script.unit!;
      if (typeof unit !== 'string') {
        if (isName && !NAME.test(unit.value))
          throw this.#refusal(unit, this.#outside('in the name of a ${…} of the shell', unit));
        this.#safeOnly(unit, 'inside of a ${…} of the shell');
        continue;
      }
      isName &&= /[\w#!]/.test(unit);
      if (unit === "'" || unit === '"') this.#isUnclear = true;
      if (unit === '\\') this.#backslash();
      else if (unit === '$') this.#strictly('inside of a ${…} of the shell', () => this.#dollar('quoted'));
      else if (unit === '`') this.#backticks();
      else this.#script.copy(1);
    }
    this.#script.copy(1);
    this.#script.isAfterName = false;
    this.#depth--;
  }

  /** `$((…))`. */
  #arithmetic(): void {
    this.#descend();
    this.#script.copy(3);
    let open = 2;
    for (let unit = this.#script.unit; unit !== undefined && open > 0; unit = this.#script.unit) {
      if (typeof unit !== 'string') {
        if (!NUMBER.test(unit.value))
          throw this.#refusal(unit, `inside of $((…)) it must be a whole number, or a shell would compute it`);
        this.#script.put(unit.value);
        continue;
      }
      // Not arithmetic: a subshell inside of $( ).
      if (/['"\\\n]/.test(unit) || (unit === ')' && open === 2 && this.#script.next(1) !== ')')) this.#isUnclear = true;
      if (unit === '(') open++;
      if (unit === ')') open--;
      if (unit === '$') this.#strictly('inside of $((…))', () => this.#dollar('quoted'));
      else if (unit === '`') this.#backticks();
      else this.#script.copy(1);
    }
    this.#script.isAfterName = false;
    this.#depth--;
  }

  /** `…` with backticks: quotes and backslashes in it follow other rules, so only safe values are allowed. */
  #backticks(): void {
    if (this.#backtickPairs > 0) this.#isUnclear = true; // The outer pair may end here.
    this.#strictly('inside of `…`', () => {
      this.#substitutions++;
      this.#backtickPairs++;
      this.#script.copy(1);
      const start = this.#script.out.length;
      this.#commands('`');
      if (this.#script.out.includes('\\', start)) this.#isUnclear = true;
      this.#script.copy(1);
      this.#substitutions--;
      this.#backtickPairs--;
    });
  }

  #comment(): void {
    while (!this.#script.stopsAt('\n')) {
      const unit = this.#script.unit!;
      if (typeof unit === 'string') {
        if (this.#substitutions > 0 && /['"`()]/.test(unit)) this.#isUnclear = true; // Old shells read quotes in it.
        this.#script.copy(1);
      } else {
        if (/[\n\r]/.test(unit.value)) throw this.#refusal(unit, 'a value of several lines cannot stand in a comment');
        if (!isSafe(unit.value)) this.#checkStrict(unit);
        this.#script.put(isSafe(unit.value) ? unit.value : `'${inSingleQuotes(unit.value)}'`);
      }
    }
  }

  /** `<`, `>` and the longer operators. The file is the next word; the delimiter of a here-document is read at once. */
  #redirection(): void {
    this.#simple.isRedirected = true;
    const rest = [0, 1, 2].map((i) => this.#script.next(i) ?? '').join('');
    if (rest === '<<<' || !rest.startsWith('<<')) {
      if (/^[<>]&/.test(rest)) this.#simple.isDescriptor = true;
      this.#script.copy(rest === '<<<' ? 3 : /^(>>|>\||>&|<&|<>)/.test(rest) ? 2 : 1);
      this.#refuseSplitOperator();
      return;
    }
    const stripsTabs = rest === '<<-';
    this.#script.copy(stripsTabs ? 3 : 2);
    this.#refuseSplitOperator();
    while (/[ \t]/.test(this.#script.next(0) ?? '')) this.#script.copy(1);
    this.#simple.isRedirected = false;
    this.#hereDocuments.push({ ...this.#delimiter(), stripsTabs });
  }

  #delimiter(): { delimiter: string; isQuoted: boolean } {
    let delimiter = '';
    let isQuoted = false;
    let quote: string | undefined;
    for (let unit = this.#script.unit; unit !== undefined; unit = this.#script.unit) {
      if (typeof unit !== 'string') {
        delimiter += unit.value;
        this.#safeOnly(unit, 'in the delimiter of a here-document');
        continue;
      }
      if (quote === undefined && /[ \t\n;&|<>()]/.test(unit)) break;
      if (/[$`\n]/.test(unit) || (quote !== undefined && unit === '\\')) this.#isUnclear = true;
      if (unit === quote) quote = undefined;
      else if (quote === undefined && (unit === "'" || unit === '"')) {
        isQuoted = true;
        quote = unit;
      } else if (quote === undefined && unit === '\\') {
        isQuoted = true;
        this.#script.copy(1);
        delimiter += this.#script.next(0) ?? '';
      } else delimiter += unit;
      if (this.#script.nextValue(0) === undefined) this.#script.copy(1);
    }
    return { delimiter, isQuoted };
  }

  /** The lines of a here-document, with the line that ends it. */
  #hereDocument(document: HereDocument): void {
    const { length, isUnclear, endedBy } = measure(document, this.#script);
    if (endedBy !== undefined)
      throw this.#refusal(endedBy, `it makes this line "${document.delimiter}", which ends the here-document`);
    if (isUnclear) this.#isUnclear = true;
    this.#script.within(length, () => {
      const read = () => {
        while (this.#script.unit !== undefined) this.#hereDocumentUnit(document);
      };
      if (this.#substitutions > 0) this.#strictly('in a here-document inside of $(…)', read);
      else read();
    });
    this.#script.copyLine();
  }

  #hereDocumentUnit({ isQuoted, stripsTabs }: HereDocument): void {
    const unit = this.#script.unit!;
    const strictly = (read: () => void) => this.#strictly('in an expansion of a here-document', read);
    if (typeof unit !== 'string') {
      if (/[\n\r]/.test(unit.value))
        throw this.#refusal(unit, 'a value of several lines cannot stand in a here-document');
      if (this.#script.isAfterName && /^\w/.test(unit.value))
        throw this.#refusal(unit, 'it would become part of the name before it; write that as \\${name}');
      if (stripsTabs && unit.value.startsWith('\t') && /(^|\n)\t*$/.test(this.#script.out))
        throw this.#refusal(unit, '<<- would remove the tab at its start');
      if (!isSafe(unit.value)) this.#checkStrict(unit);
      this.#script.put(isQuoted ? unit.value : inHereDocument(unit.value));
    } else if (isQuoted) this.#copyInQuotes(unit);
    else if (unit === '\\') this.#backslash();
    else if (unit === '$') strictly(() => this.#dollar('here-document'));
    else if (unit === '`') strictly(() => this.#backticks());
    else this.#script.copy(1);
  }

  /** Writes a value as it is, or refuses it if it is not safe. */
  #safeOnly(value: ScriptValue, where: string): void {
    if (!isSafe(value.value)) throw this.#refusal(value, this.#outside(where, value));
    this.#addToWord(value);
    this.#script.put(value.value);
  }

  #outside(where: string, { reference }: ScriptValue): string {
    return `${where} it may have only letters, digits and _@%+=:,./-, because it cannot be quoted there; \${raw:${reference}} inserts it unquoted`;
  }

  /** Refuses a value that needs quotes where it cannot have them. */
  #checkStrict(value: ScriptValue): void {
    if (this.#isUnclear)
      throw this.#refusal(value, this.#outside('after code that shells read in different ways', value));
    if (this.#simple.isDescriptor) throw this.#refusal(value, this.#outside('after >&', value));
    if (this.#strict > 0) throw this.#refusal(value, this.#outside(this.#because, value));
    const reader = readerOfNext(this.#simple.words, this.#word?.text ?? '');
    if (reader !== undefined)
      throw this.#refusal(
        value,
        `${reader} would read it as code; write it as an argument, such as sh -c 'echo "$1"' sh \${${value.reference}}, or \${raw:${value.reference}}`,
      );
  }

  #refusal(value: ScriptValue, why: string): ReproError {
    return new ReproError(`\${${value.reference}} is ${show(value.value)}, and ${why}`);
  }

  #strictly(because: string, read: () => void): void {
    const outer = this.#because;
    this.#because = because;
    this.#strict++;
    read();
    this.#strict--;
    this.#because = outer;
  }

  #descend(): void {
    this.#depth++;
    if (this.#depth > DEEPEST) throw new ReproError('the command nests its quotes and expansions too deeply');
  }
}
