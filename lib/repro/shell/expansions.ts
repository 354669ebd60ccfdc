/** Reads quotes and expansions: `'…'`, `"…"`, `$x`, `${x}`, `$(…)`, `$((…))` and backticks. */
import { ScriptState } from './script-state.ts';
import { inDoubleQuotes, inSingleQuotes, isSafe } from './shell-words.ts';

const NUMBER = /^[-+]?(\d+|0x[0-9a-f]+)$/i;
const NAME = /^\w+$/;

/** Reads the parts of a word that are quoted or expanded. */
export abstract class ExpansionReader extends ScriptState {
  /** Reads commands up to `closing`, which it does not read, or the end. */
  protected abstract commands(closing: ')' | '`' | undefined): void;

  protected singleQuotes(): void {
    this.script.copy(1);
    while (!this.script.stopsAt("'")) {
      const unit = this.script.unit!;
      this.addToWord(unit);
      if (typeof unit === 'string') this.copyInQuotes(unit);
      else {
        if (!isSafe(unit.value)) this.checkStrict(unit);
        this.script.put(inSingleQuotes(unit.value));
      }
    }
    this.script.copy(1);
  }

  protected doubleQuotes(): void {
    this.script.copy(1);
    while (!this.script.stopsAt('"')) {
      const unit = this.script.unit!;
      this.addToWord(unit);
      if (typeof unit !== 'string') {
        const isName = this.script.isAfterName && /^\w/.test(unit.value);
        if (!isSafe(unit.value) || isName) this.checkStrict(unit);
        this.script.put((isName ? '""' : '') + inDoubleQuotes(unit.value));
      } else if (unit === '\\') this.backslash();
      else if (unit === '$') this.dollar('quoted');
      else if (unit === '`') this.backticks();
      else this.copyInQuotes(unit);
    }
    this.script.copy(1);
    this.script.isAfterName = false;
  }

  /** A backslash and the character that it quotes. */
  protected backslash(): void {
    if (this.script.next(1) === '\n') {
      this.continuedLine();
      return;
    }
    this.script.copy(1);
    const value = this.script.nextValue(0);
    if (value === undefined) this.script.copy(1);
    else this.safeOnly(value, 'after a backslash');
  }

  /** A `$` with what it expands. */
  protected dollar(where: 'outside' | 'quoted' | 'here-document'): void {
    const next = this.script.next(1);
    const after = this.script.nextValue(1);
    if (after !== undefined) {
      this.script.copy(1);
      if (!NAME.test(after.value)) throw this.refusal(after, this.outside('after a $', after));
      this.addToWord(after);
      this.script.put(after.value);
    } else if (next === '(') {
      if (this.script.next(2) === '(') this.arithmetic();
      else {
        this.script.copy(2);
        this.refuseSplitOperator();
        this.substitutions++;
        this.commands(')');
        this.substitutions--;
        this.script.copy(1);
      }
    } else if (next === '{') this.parameter();
    else if (next !== undefined && /[A-Za-z_]/.test(next)) {
      let length = 2;
      while (NAME.test(this.script.next(length) ?? '')) length++;
      this.script.copy(length);
      this.script.isAfterName = true;
    } else if (next !== undefined && /[\d@*#?$!-]/.test(next)) this.script.copy(2);
    else {
      if (next === '[') this.isUnclear = true; // Arithmetic in bash.
      this.script.copy(1);
      this.refuseSplitOperator();
      if (next === "'" && where === 'outside') this.dollarQuotes();
    }
  }

  /** `$'…'`, in which bash reads backslashes, and other shells do not. */
  protected dollarQuotes(): void {
    if (this.script.upTo("'").endsWith('\\')) this.isUnclear = true;
    this.strictly("inside of $'…'", () => this.singleQuotes());
  }

  /** `${…}` of the shell, which pipeline.yaml writes as `\${…}`. */
  protected parameter(): void {
    this.descend();
    this.script.copy(2);
    let isName = true;
    while (!this.script.stopsAt('}')) {
      const unit = this.script.unit!;
      if (typeof unit !== 'string') {
        if (isName && !NAME.test(unit.value))
          throw this.refusal(unit, this.outside('in the name of a ${…} of the shell', unit));
        this.safeOnly(unit, 'inside of a ${…} of the shell');
        continue;
      }
      isName &&= /[\w#!]/.test(unit);
      if (unit === "'" || unit === '"') this.isUnclear = true;
      if (unit === '\\') this.backslash();
      else if (unit === '$') this.strictly('inside of a ${…} of the shell', () => this.dollar('quoted'));
      else if (unit === '`') this.backticks();
      else this.script.copy(1);
    }
    this.script.copy(1);
    this.script.isAfterName = false;
    this.depth--;
  }

  /** `$((…))`. */
  protected arithmetic(): void {
    this.descend();
    this.script.copy(3);
    let open = 2;
    for (let unit = this.script.unit; unit !== undefined && open > 0; unit = this.script.unit) {
      if (typeof unit !== 'string') {
        if (!NUMBER.test(unit.value))
          throw this.refusal(unit, `inside of $((…)) it must be a whole number, or a shell would compute it`);
        this.script.put(unit.value);
        continue;
      }
      // Not arithmetic: a subshell inside of $( ).
      if (/['"\\\n]/.test(unit) || (unit === ')' && open === 2 && this.script.next(1) !== ')')) this.isUnclear = true;
      if (unit === '(') open++;
      if (unit === ')') open--;
      if (unit === '$') this.strictly('inside of $((…))', () => this.dollar('quoted'));
      else if (unit === '`') this.backticks();
      else this.script.copy(1);
    }
    this.script.isAfterName = false;
    this.depth--;
  }

  /** `…` with backticks: quotes and backslashes in it follow other rules, so only safe values are allowed. */
  protected backticks(): void {
    if (this.backtickPairs > 0) this.isUnclear = true; // The outer pair may end here.
    this.strictly('inside of `…`', () => {
      this.substitutions++;
      this.backtickPairs++;
      this.script.copy(1);
      const start = this.script.out.length;
      this.commands('`');
      if (this.script.out.includes('\\', start)) this.isUnclear = true;
      this.script.copy(1);
      this.substitutions--;
      this.backtickPairs--;
    });
  }
}
