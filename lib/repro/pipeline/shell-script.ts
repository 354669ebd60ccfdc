/**
 * Puts values into a shell script so that each stays what it is, whatever characters it holds: a part of one word, never
 * code. How a value is quoted depends on where it stands:
 *
 *   outside of quotes           as it is if it is safe (isSafe), else in single quotes     --name=${x}
 *   "…", '…'                    with the characters escaped that are special there         "run ${x}"
 *   a here-document             the same; a value of several lines is refused
 *   $(…), (…)                   as outside of quotes, also inside of "…"
 *   `…`, ${…}, $((…)), # …      as it is, or refused
 *
 * A safe value is written as it is everywhere, apart from the few places where a shell gives it another meaning, such as
 * `if` as the name of a command. Where shells differ in what they read (`$'…'`, `case` inside of `$(…)`), values
 * that are not safe are refused from there on.
 */
import { show } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import { inDoubleQuotes, inHereDocument, inSingleQuotes, isSafe } from './shell-words.ts';

/** A value in a script, with the reference that stands for it, for messages. */
export interface ScriptValue {
  value: string;
  reference: string;
}

/** A part of a script: code, which is kept as it is, or a value. */
export type ScriptPart = string | ScriptValue;

/** Words that are syntax where a command may begin, in POSIX shells and in bash. */
const RESERVED = new Set(
  'if then else elif fi do done case esac while until for in function select time coproc'.split(' '),
);
/** Of these, the words after which a command may begin. */
const BEFORE_COMMAND = new Set('if then else elif fi do done esac while until time coproc { } !'.split(' '));

/** Programs that read an argument after `-c` as code of a shell. */
const SHELL = /(^|\/)((ba|da|z|k|mk|a|c|tc|fi)?sh|su)$/;
/** Commands that read every argument as code. */
const CODE_READERS = new Set(['eval', 'ssh', 'trap', 'alias', 'let']);
const NUMBER = /^[-+]?(\d+|0x[0-9a-f]+)$/i;
const NAME = /^\w+$/;
const ASSIGNMENT = /^[A-Za-z_]\w*(\[[^\]]*\])?\+?=/;
/** The deepest nesting of quotes and expansions; deeper ones would overflow the stack. */
const DEEPEST = 100;

/**
 * Joins the parts of a script.
 *
 * @returns the script for sh
 * @throws ReproError if a value that is not safe stands where it cannot be quoted
 * @example fillInScript(['echo ', { value: 'a b', reference: 'x' }]) // "echo 'a b'"
 */
export function fillInScript(parts: readonly ScriptPart[]): string {
  if (isPlain(parts)) return parts.map((part) => (typeof part === 'string' ? part : part.value)).join('');
  return new ScriptReader(parts).read();
}

/** Whether a quick look shows that all values may be written as they are, so that the code need not be read. */
function isPlain(parts: readonly ScriptPart[]): boolean {
  return parts.every((part, i) => {
    if (typeof part === 'string') return !/[`$\\{]|<</.test(part);
    const next = parts[i + 1];
    if (!isSafe(part.value) || part.value.includes('=')) return false;
    if (/^[a-z]+$/.test(part.value)) return ![...RESERVED].some((word) => word.includes(part.value));
    return !(/^\d+$/.test(part.value) && (typeof next === 'object' || /^\d*[<>]/.test(next ?? '')));
  });
}

/** A here-document that begins at the next line. */
interface HereDocument {
  delimiter: string;
  /** Its delimiter has quotes, so its text is not expanded. */
  isQuoted: boolean;
  /** `<<-`: tabs at the start of lines are removed. */
  stripsTabs: boolean;
}

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
class ScriptReader {
  /** Characters of the code, and the values between them. */
  readonly #units: readonly ScriptPart[];
  #end: number;
  #at = 0;
  #out = '';
  #depth = 0;
  /** Greater than 0 where only safe values are allowed; `#because` says why. */
  #strict = 0;
  #because = '';
  /** From here on only safe values are allowed, because shells may disagree about what is quoted. */
  #isUnclear = false;
  /** A parameter such as `$name` ends here, and further letters would become part of the name. */
  #afterName = false;
  #simple: Simple = { words: [], isRedirected: false };
  #word: Word | undefined;
  #hereDocuments: HereDocument[] = [];

  constructor(parts: readonly ScriptPart[]) {
    this.#units = parts.flatMap((part): readonly ScriptPart[] => (typeof part === 'string' ? part.split('') : [part]));
    this.#end = this.#units.length;
  }

  read(): string {
    this.#commands(undefined);
    return this.#out;
  }

  /** Reads commands up to `closing`, which it does not read, or the end. */
  #commands(closing: ')' | '`' | undefined): void {
    this.#descend();
    const [simple, word, hereDocuments] = [this.#simple, this.#word, this.#hereDocuments];
    [this.#simple, this.#word, this.#hereDocuments] = [{ words: [], isRedirected: false }, undefined, []];
    const openCases: ('subject' | 'in' | 'patterns')[] = [];
    const endWord = () => this.#endWord(openCases, closing !== undefined);
    const endCommand = () => {
      endWord();
      this.#simple = { words: [], isRedirected: false };
    };
    while (this.#at < this.#end) {
      const unit = this.#units[this.#at];
      if (typeof unit !== 'string') {
        this.#unquotedValue(unit, openCases.length > 0);
        continue;
      }
      if (unit === closing && !(unit === ')' && openCases.at(-1) === 'patterns')) break;
      if (unit === '#' && this.#word === undefined) this.#comment(closing !== undefined);
      else if (unit === '\n') {
        endCommand();
        this.#copy(1);
        if (hereDocuments.length > 0) this.#isUnclear = true;
        for (const document of this.#hereDocuments.splice(0)) this.#hereDocument(document, closing !== undefined);
      } else if (unit === ' ' || unit === '\t') {
        endWord();
        this.#copy(1);
      } else if (unit === ';' || unit === '&' || unit === '|') {
        endCommand();
        this.#copy(1);
      } else if (unit === '<' || unit === '>') {
        endWord();
        this.#redirection();
      } else if (unit === '(') {
        endWord();
        if (this.#next(1) === '(') this.#isUnclear = true; // Arithmetic in bash, two subshells elsewhere.
        this.#copy(1);
        this.#refuseSplitOperator();
        this.#commands(')');
        this.#copy(1);
        this.#simple = { words: [], isRedirected: false };
      } else if (unit === ')') {
        if (openCases.length === 0) this.#isUnclear = true; // Nothing opened it.
        endCommand();
        this.#copy(1);
      } else if (unit === '\\' && this.#next(1) === '\n') this.#continuedLine();
      else this.#wordUnit(unit);
    }
    endCommand();
    [this.#simple, this.#word, this.#hereDocuments] = [simple, word, hereDocuments];
    this.#depth--;
  }

  /** Reads a character of a word, or quotes or an expansion in it. */
  #wordUnit(unit: string): void {
    const word = this.#openWord();
    word.isLiteral &&= !/['"\\$`]/.test(unit);
    if (unit === '{') word.hasBrace = true;
    if (unit === "'") this.#singleQuotes();
    else if (unit === '"') this.#doubleQuotes();
    else if (unit === '\\') this.#backslash();
    else if (unit === '$') this.#dollar('outside');
    else if (unit === '`') this.#backticks();
    else {
      word.text += unit;
      this.#copy(1);
    }
  }

  #openWord(): Word {
    this.#word ??= { text: '', isLiteral: true, hasBrace: false };
    return this.#word;
  }

  #endWord(openCases: ('subject' | 'in' | 'patterns')[], isNested: boolean): void {
    const word = this.#word;
    this.#word = undefined;
    this.#afterName = false;
    if (word === undefined) return;
    const { words } = this.#simple;
    if (word.isLiteral && word.text === 'case' && isNested) this.#isUnclear = true; // Old shells end $( at its first ).
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
    const { rest, after } = this.#wordRest();
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
    const isName = this.#afterName && /^\w/.test(value.value);
    const isAsIs = isSafe(value.value) && !(isKeyword || isAssigned || isDescriptor || isSplit || isName);
    if (!isAsIs) this.#checkStrict(value);
    const word = this.#openWord();
    word.text += value.value;
    word.isLiteral &&= isAsIs;
    this.#put(isAsIs ? value.value : `'${inSingleQuotes(value.value)}'`);
  }

  /** The text from here to the end of the word, and the character after it. Quotes in it count as text. */
  #wordRest(): { rest: string; after: string } {
    let rest = '';
    for (let i = this.#at; i < this.#end; i++) {
      const unit = this.#units[i];
      if (unit === '\\' && this.#units[i + 1] === '\n') {
        i++;
        continue;
      }
      if (typeof unit === 'string' && /[\s;&|<>()]/.test(unit)) return { rest, after: unit };
      rest += typeof unit === 'string' ? unit : unit.value;
    }
    return { rest, after: '' };
  }

  #singleQuotes(): void {
    this.#copy(1);
    while (this.#at < this.#end && this.#units[this.#at] !== "'") {
      const unit = this.#units[this.#at];
      this.#addToWord(unit);
      if (typeof unit === 'string') this.#copyInQuotes(unit);
      else {
        if (!isSafe(unit.value)) this.#checkStrict(unit);
        this.#put(inSingleQuotes(unit.value));
      }
    }
    this.#copy(1);
  }

  #doubleQuotes(): void {
    this.#copy(1);
    while (this.#at < this.#end && this.#units[this.#at] !== '"') {
      const unit = this.#units[this.#at];
      this.#addToWord(unit);
      if (typeof unit !== 'string') {
        const isName = this.#afterName && /^\w/.test(unit.value);
        if (!isSafe(unit.value) || isName) this.#checkStrict(unit);
        this.#put((isName ? '""' : '') + inDoubleQuotes(unit.value));
      } else if (unit === '\\') this.#backslash();
      else if (unit === '$') this.#dollar('quoted');
      else if (unit === '`') this.#backticks();
      else this.#copyInQuotes(unit);
    }
    this.#copy(1);
    this.#afterName = false;
  }

  #copyInQuotes(unit: string): void {
    if (unit === '\n' && this.#hereDocuments.length > 0) this.#isUnclear = true;
    this.#copy(1);
  }

  #addToWord(unit: ScriptPart): void {
    if (this.#word !== undefined) this.#word.text += typeof unit === 'string' ? unit : unit.value;
  }

  /** A backslash and the character that it quotes. */
  #backslash(): void {
    if (this.#next(1) === '\n') {
      this.#continuedLine();
      return;
    }
    this.#copy(1);
    const unit = this.#units[this.#at];
    if (typeof unit === 'string') this.#copy(1);
    else if (unit !== undefined && this.#at < this.#end) this.#safeOnly(unit, 'after a backslash');
  }

  /** A backslash at the end of a line: the shell reads the text as if neither it nor the line's end were there. */
  #continuedLine(): void {
    const afterName = this.#afterName;
    this.#copy(2);
    this.#afterName = afterName;
  }

  /** An operator or expansion may go on after a continued line. That is too rare to be followed. */
  #refuseSplitOperator(): void {
    if (this.#next(0) === '\\' && this.#next(1) === '\n') this.#isUnclear = true;
  }

  /** A `$` with what it expands. */
  #dollar(where: 'outside' | 'quoted' | 'here-document'): void {
    const next = this.#next(1);
    const after = this.#at + 1 < this.#end ? this.#units[this.#at + 1] : undefined;
    if (typeof after === 'object') {
      this.#copy(1);
      if (!NAME.test(after.value)) throw this.#refusal(after, this.#outside('after a $', after));
      this.#addToWord(after);
      this.#put(after.value);
    } else if (next === '(') {
      if (this.#next(2) === '(') this.#arithmetic();
      else {
        this.#copy(2);
        this.#refuseSplitOperator();
        this.#commands(')');
        this.#copy(1);
      }
    } else if (next === '{') this.#parameter();
    else if (next !== undefined && /[A-Za-z_]/.test(next)) {
      let length = 2;
      while (NAME.test(this.#next(length) ?? '')) length++;
      this.#copy(length);
      this.#afterName = true;
    } else if (next !== undefined && /[\d@*#?$!-]/.test(next)) this.#copy(2);
    else {
      if (next === '[') this.#isUnclear = true; // Arithmetic in bash.
      this.#copy(1);
      this.#refuseSplitOperator();
      if (next === "'" && where === 'outside') this.#dollarQuotes();
    }
  }

  /** `$'…'`, in which bash reads backslashes, and other shells do not. */
  #dollarQuotes(): void {
    const end = this.#units.indexOf("'", this.#at + 1);
    if (this.#units[end - 1] === '\\') this.#isUnclear = true;
    this.#strictly("inside of $'…'", () => this.#singleQuotes());
  }

  /** `${…}` of the shell, which pipeline.yaml writes as `\${…}`. */
  #parameter(): void {
    this.#descend();
    this.#copy(2);
    let isName = true;
    while (this.#at < this.#end && this.#units[this.#at] !== '}') {
      const unit = this.#units[this.#at];
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
      else this.#copy(1);
    }
    this.#copy(1);
    this.#afterName = false;
    this.#depth--;
  }

  /** `$((…))`. */
  #arithmetic(): void {
    this.#descend();
    this.#copy(3);
    let open = 2;
    while (this.#at < this.#end && open > 0) {
      const unit = this.#units[this.#at];
      if (typeof unit !== 'string') {
        if (!NUMBER.test(unit.value))
          throw this.#refusal(unit, `inside of $((…)) it must be a whole number, or a shell would compute it`);
        this.#put(unit.value);
        continue;
      }
      // Not arithmetic: a subshell inside of $( ).
      if (/['"\\\n]/.test(unit) || (unit === ')' && open === 2 && this.#next(1) !== ')')) this.#isUnclear = true;
      if (unit === '(') open++;
      if (unit === ')') open--;
      if (unit === '$') this.#strictly('inside of $((…))', () => this.#dollar('quoted'));
      else if (unit === '`') this.#backticks();
      else this.#copy(1);
    }
    this.#afterName = false;
    this.#depth--;
  }

  /** `…` with backticks: quotes and backslashes in it follow other rules, so only safe values are allowed. */
  #backticks(): void {
    this.#strictly('inside of `…`', () => {
      this.#copy(1);
      const start = this.#at;
      this.#commands('`');
      if (this.#units.slice(start, this.#at).includes('\\')) this.#isUnclear = true;
      this.#copy(1);
    });
  }

  #comment(isNested: boolean): void {
    while (this.#at < this.#end && this.#units[this.#at] !== '\n') {
      const unit = this.#units[this.#at];
      if (typeof unit === 'string') {
        if (isNested && /['"`()]/.test(unit)) this.#isUnclear = true; // Old shells read quotes in it.
        this.#copy(1);
      } else {
        if (/[\n\r]/.test(unit.value)) throw this.#refusal(unit, 'a value of several lines cannot stand in a comment');
        if (!isSafe(unit.value)) this.#checkStrict(unit);
        this.#put(isSafe(unit.value) ? unit.value : `'${inSingleQuotes(unit.value)}'`);
      }
    }
  }

  /** `<`, `>` and the longer operators. The file is the next word; the delimiter of a here-document is read at once. */
  #redirection(): void {
    this.#simple.isRedirected = true;
    const rest = [0, 1, 2].map((i) => this.#next(i) ?? '').join('');
    if (rest === '<<<' || !rest.startsWith('<<')) {
      if (/^[<>]&/.test(rest)) this.#simple.isDescriptor = true;
      this.#copy(rest === '<<<' ? 3 : /^(>>|>\||>&|<&|<>)/.test(rest) ? 2 : 1);
      this.#refuseSplitOperator();
      return;
    }
    const stripsTabs = rest === '<<-';
    this.#copy(stripsTabs ? 3 : 2);
    this.#refuseSplitOperator();
    while (/[ \t]/.test(this.#next(0) ?? '')) this.#copy(1);
    this.#simple.isRedirected = false;
    this.#hereDocuments.push({ ...this.#delimiter(), stripsTabs });
  }

  #delimiter(): { delimiter: string; isQuoted: boolean } {
    let delimiter = '';
    let isQuoted = false;
    let quote: string | undefined;
    for (; this.#at < this.#end; ) {
      const unit = this.#units[this.#at];
      if (typeof unit !== 'string') {
        delimiter += unit.value;
        this.#safeOnly(unit, 'in the delimiter of a here-document');
        continue;
      }
      if (quote === undefined && /[\s;&|<>()]/.test(unit)) break;
      if (/[$`\n]/.test(unit) || (quote !== undefined && unit === '\\')) this.#isUnclear = true;
      if (unit === quote) quote = undefined;
      else if (quote === undefined && (unit === "'" || unit === '"')) {
        isQuoted = true;
        quote = unit;
      } else if (quote === undefined && unit === '\\') {
        isQuoted = true;
        this.#copy(1);
        delimiter += this.#next(0) ?? '';
      } else delimiter += unit;
      this.#copy(1);
    }
    return { delimiter, isQuoted };
  }

  /** The lines of a here-document, with the line that ends it. */
  #hereDocument(document: HereDocument, isNested: boolean): void {
    const end = this.#end;
    const bodyEnd = this.#hereDocumentEnd(document);
    this.#end = bodyEnd;
    const read = () => {
      while (this.#at < this.#end) this.#hereDocumentUnit(document);
    };
    if (isNested) this.#strictly('in a here-document inside of $(…)', read);
    else read();
    this.#end = end;
    while (this.#at < this.#end && this.#units[this.#at] !== '\n') this.#copy(1);
    this.#copy(1);
  }

  #hereDocumentUnit({ isQuoted, stripsTabs }: HereDocument): void {
    const unit = this.#units[this.#at];
    const strictly = (read: () => void) => this.#strictly('in an expansion of a here-document', read);
    if (typeof unit !== 'string') {
      if (/[\n\r]/.test(unit.value))
        throw this.#refusal(unit, 'a value of several lines cannot stand in a here-document');
      if (this.#afterName && /^\w/.test(unit.value))
        throw this.#refusal(unit, 'it would become part of the name before it; write that as \\${name}');
      if (stripsTabs && unit.value.startsWith('\t') && /(^|\n)\t*$/.test(this.#out))
        throw this.#refusal(unit, '<<- would remove the tab at its start');
      if (!isSafe(unit.value)) this.#checkStrict(unit);
      this.#put(isQuoted ? unit.value : inHereDocument(unit.value));
    } else if (isQuoted) this.#copy(1);
    else if (unit === '\\') this.#backslash();
    else if (unit === '$') strictly(() => this.#dollar('here-document'));
    else if (unit === '`') strictly(() => this.#backticks());
    else this.#copy(1);
  }

  /**
   * Where the line with the delimiter begins; the end of the script if there is none.
   *
   * @throws ReproError if a line with a value would be the delimiter
   */
  #hereDocumentEnd({ delimiter, isQuoted, stripsTabs }: HereDocument): number {
    let joined = '';
    for (let start = this.#at; start < this.#end; ) {
      let end = start;
      while (end < this.#end && this.#units[end] !== '\n') end++;
      const units = this.#units.slice(start, end);
      const text = units.map((unit) => (typeof unit === 'string' ? unit : unit.value)).join('');
      const line = stripsTabs ? text.replace(/^\t+/, '') : text;
      const value = units.find((unit) => typeof unit === 'object');
      if (line === delimiter || joined + line === delimiter) {
        if (value !== undefined)
          throw this.#refusal(value, `it makes this line "${delimiter}", which ends the here-document`);
        if (joined === '') return start;
        this.#isUnclear = true;
      }
      joined = !isQuoted && units.at(-1) === '\\' ? joined + line.slice(0, -1) : '';
      start = end + 1;
    }
    return this.#end;
  }

  /** Writes a value as it is, or refuses it if it is not safe. */
  #safeOnly(value: ScriptValue, where: string): void {
    if (!isSafe(value.value)) throw this.#refusal(value, this.#outside(where, value));
    this.#addToWord(value);
    this.#put(value.value);
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
    const { words } = this.#simple;
    const isCode = words.some((word) => SHELL.test(word)) && /^-[A-Za-z]*c$/.test(words.at(-1) ?? '');
    if (isCode)
      throw this.#refusal(
        value,
        `it would become code of another shell; write it as an argument, such as sh -c 'echo "$1"' sh \${${value.reference}}, or \${raw:${value.reference}}`,
      );
    if (CODE_READERS.has(words[0]))
      throw this.#refusal(value, `${words[0]} would read it as code; \${raw:${value.reference}} inserts it unquoted`);
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

  /** The character at a distance; undefined for a value and at the end. */
  #next(distance: number): string | undefined {
    const unit = this.#at + distance < this.#end ? this.#units[this.#at + distance] : undefined;
    return typeof unit === 'string' ? unit : undefined;
  }

  #copy(length: number): void {
    for (const end = Math.min(this.#at + length, this.#end); this.#at < end; this.#at++)
      this.#out += this.#units[this.#at];
    this.#afterName = false;
  }

  #put(text: string): void {
    this.#out += text;
    this.#at++;
    this.#afterName = false;
  }
}
