/**
 * Reads a shell script from its start to its end, as a shell does, and quotes each value for the place where it stands.
 * shell-script.ts says how.
 */
import { RedirectionReader } from './redirections.ts';
import type { ScriptValue } from './script-cursor.ts';
import { inSingleQuotes, isSafe } from './shell-words.ts';

/** Words that are syntax where a command may begin, in POSIX shells and in bash. */
export const RESERVED = new Set(
  'if then else elif fi do done case esac while until for in function select time coproc'.split(' '),
);
/** Of these, the words after which a command may begin. */
const BEFORE_COMMAND = new Set('if then else elif fi do done esac while until time coproc { } !'.split(' '));

const ASSIGNMENT = /^[A-Za-z_]\w*(\[[^\]]*\])?\+?=/;
/** The start of `name[subscript]=value`: bash computes the subscript, and runs commands in it even if it is quoted. */
const SUBSCRIPT = /^[A-Za-z_]\w*\[[^\]]*$/;

/** Reads a script from its start to its end, as a shell does, and writes it with the values quoted. */
export class ScriptReader extends RedirectionReader {
  /**
   * Reads all of it.
   *
   * @returns the script with the values
   * @throws ReproError if a value that is not safe stands where it cannot be quoted
   */
  read(): string {
    this.commands(undefined);
    return this.script.out;
  }

  /** Reads commands up to `closing`, which it does not read, or the end. */
  protected commands(closing: ')' | '`' | undefined): void {
    this.descend();
    const [simple, word, hereDocuments] = [this.simple, this.word, this.hereDocuments];
    [this.simple, this.word, this.hereDocuments] = [{ words: [], isRedirected: false }, undefined, []];
    const openCases: ('subject' | 'in' | 'patterns')[] = [];
    const endWord = () => this.endWord(openCases);
    const endCommand = () => {
      endWord();
      this.simple = { words: [], isRedirected: false };
    };
    for (let unit = this.script.unit; unit !== undefined; unit = this.script.unit) {
      if (typeof unit !== 'string') {
        this.unquotedValue(unit, openCases.length > 0);
        continue;
      }
      if (unit === closing && !(unit === ')' && openCases.at(-1) === 'patterns')) break;
      if (unit === '#' && this.word === undefined) this.comment();
      else if (unit === '\n') {
        endCommand();
        this.script.copy(1);
        if (hereDocuments.length > 0) this.isUnclear = true;
        for (const document of this.hereDocuments.splice(0)) this.hereDocument(document);
      } else if (unit === ' ' || unit === '\t') {
        endWord();
        this.script.copy(1);
      } else if (unit === ';' || unit === '&' || unit === '|') {
        endCommand();
        this.script.copy(1);
      } else if (unit === '<' || unit === '>') {
        endWord();
        this.redirection();
      } else if (unit === '(') {
        endWord();
        if (this.script.next(1) === '(') this.isUnclear = true; // Arithmetic in bash, two subshells elsewhere.
        this.script.copy(1);
        this.refuseSplitOperator();
        this.commands(')');
        this.script.copy(1);
        this.simple = { words: [], isRedirected: false };
      } else if (unit === ')') {
        if (openCases.length === 0) this.isUnclear = true; // Nothing opened it.
        endCommand();
        this.script.copy(1);
      } else if (unit === '\\' && this.script.next(1) === '\n') this.continuedLine();
      else this.wordUnit(unit);
    }
    endCommand();
    [this.simple, this.word, this.hereDocuments] = [simple, word, hereDocuments];
    this.depth--;
  }

  /** Reads a character of a word, or quotes or an expansion in it. */
  protected wordUnit(unit: string): void {
    const word = this.openWord();
    const ordinary = this.script.copyOrdinary();
    if (ordinary !== '') {
      word.text += ordinary;
      return;
    }
    word.isLiteral &&= !/['"\\$`]/.test(unit);
    if (unit === '{') word.hasBrace = true;
    if (unit === "'") this.singleQuotes();
    else if (unit === '"') this.doubleQuotes();
    else if (unit === '\\') this.backslash();
    else if (unit === '$') this.dollar('outside');
    else if (unit === '`') this.backticks();
    else {
      word.text += unit;
      this.script.copy(1);
    }
  }

  protected endWord(openCases: ('subject' | 'in' | 'patterns')[]): void {
    const word = this.word;
    this.word = undefined;
    this.script.isAfterName = false;
    if (word === undefined) return;
    const { words } = this.simple;
    // Old shells end $( at the first ) of a case.
    if (word.isLiteral && word.text === 'case' && this.substitutions > 0) this.isUnclear = true;
    if (words.length === 0 && SUBSCRIPT.test(word.text)) this.isUnclear = true; // It may go on in bash.
    if (this.simple.isRedirected) {
      this.simple.isRedirected = false;
      this.simple.isDescriptor = false;
      return;
    }
    const last = openCases.length - 1;
    if (openCases[last] === 'subject') openCases[last] = 'in';
    else if (openCases[last] === 'in') {
      openCases[last] = 'patterns';
      this.simple = { words: [], isRedirected: false };
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

  protected unquotedValue(value: ScriptValue, isInCase: boolean): void {
    const isCommand = this.simple.words.length === 0 && !this.simple.isRedirected;
    const { text: before = '', isLiteral = true, hasBrace = false } = this.word ?? {};
    const { rest, after } = this.script.restOfWord();
    const isAlone = this.word === undefined && rest === value.value;
    if (isCommand && isAlone && !isInCase && /\s/.test(value.value))
      throw this.refusal(
        value,
        `a command cannot be one value with blanks, because a value is one word; write \${raw:${value.reference}} for several words`,
      );
    const isKeyword = isCommand && isLiteral && RESERVED.has(before + rest);
    const isAssigned = isCommand && !before.includes('=') && value.value.includes('=');
    const isDescriptor = /^\d+$/.test(before + rest) && /[<>]/.test(after);
    const isSplit = hasBrace && /,|\.\./.test(value.value);
    const isName = this.script.isAfterName && /^\w/.test(value.value);
    const isAsIs = isSafe(value.value) && !(isKeyword || isAssigned || isDescriptor || isSplit || isName);
    if (!isAsIs && isCommand && SUBSCRIPT.test(before))
      throw this.refusal(value, this.outside('in a subscript', value));
    if (!isAsIs) this.checkStrict(value);
    const word = this.openWord();
    word.text += value.value;
    word.isLiteral &&= isAsIs;
    this.script.put(isAsIs ? value.value : `'${inSingleQuotes(value.value)}'`);
  }

  protected comment(): void {
    while (!this.script.stopsAt('\n')) {
      const unit = this.script.unit!;
      if (typeof unit === 'string') {
        if (this.substitutions > 0 && /['"`()]/.test(unit)) this.isUnclear = true; // Old shells read quotes in it.
        this.script.copy(1);
      } else {
        if (/[\n\r]/.test(unit.value)) throw this.refusal(unit, 'a value of several lines cannot stand in a comment');
        if (!isSafe(unit.value)) this.checkStrict(unit);
        this.script.put(isSafe(unit.value) ? unit.value : `'${inSingleQuotes(unit.value)}'`);
      }
    }
  }
}
