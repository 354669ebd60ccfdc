/**
 * Changes the value of a YAML or JSON text and keeps everything else: comments, padding, quotes, order.
 *
 *   sizes: # of all runs            sizes: # of all runs
 *     - tiny   # 13 thousand    →     - tiny   # 13 thousand
 *     - small  # 90 thousand          - base  # 90 thousand
 *                                     - large
 *
 * The text and the wanted value are compared from the top down. Equal parts stay, and a scalar is replaced in its
 * place. In a list or mapping, the entries that stay are matched first; the others are replaced, added or removed. New
 * entries follow the layout: their own line in block style, between commas in flow style. Comments on removed lines are
 * lost.
 */
import type { Alias, Document, Node, Pair, ParsedNode, YAMLMap, YAMLSeq } from 'yaml';
import { equalAsWritten, isMapping, type Json } from './json.ts';
import { parseJson, writeJson } from './json-text.ts';
import type { YamlLibrary } from './load-yaml.ts';

/** How to write the text. */
export interface RewriteOptions {
  /** The text must stay JSON. */
  json: boolean;
}

/** Changes the text so that its value is `wanted`; undefined if the layout does not allow it. */
export function rewrite(yaml: YamlLibrary, text: string, wanted: Json, options: RewriteOptions): string | undefined {
  // First keep aliases and merged keys, which follow their anchor. If that fails, write out their values.
  for (const writeOut of [false, true]) {
    const rewritten = new Rewriter(yaml, text, { ...options, writeOut }).rewrite(wanted);
    if (rewritten !== undefined && hasValue(yaml, rewritten, wanted, options)) return rewritten;
  }
  return undefined;
}

function hasValue(yaml: YamlLibrary, text: string, wanted: Json, { json }: RewriteOptions): boolean {
  try {
    if (json) return equalAsWritten(parseJson(text.replace(/^\ufeff/, '')), wanted);
    const document = yaml.parseDocument(text, { merge: true });
    return document.errors.length === 0 && equalAsWritten(document.toJS() as Json, wanted);
  } catch {
    return false;
  }
}

/** The value on one line, in a form that is valid anywhere. */
function writeInline(yaml: YamlLibrary, value: Json, { json }: RewriteOptions): string {
  const write = (value: Json): string => {
    if (Array.isArray(value)) return `[${value.map(write).join(', ')}]`;
    if (isMapping(value)) {
      const members = Object.entries(value).map(([key, item]) => `${write(key)}: ${write(item)}`);
      return `{${members.join(', ')}}`;
    }
    if (json) return writeJson(value);
    // Quotes are needed if the text has another meaning inside [] or {}.
    if (typeof value === 'string' && /[,[\]{}#:&*!|>'"%@`\n]/.test(value)) return JSON.stringify(value);
    return yaml.stringify(value).trim();
  };
  return write(value);
}

interface Edit {
  start: number;
  end: number;
  text: string;
}

/** One item of a list or one pair of a mapping, by its offsets in the text. */
interface Entry {
  /** Offset of the dash in a block list, otherwise of the key or the item. */
  start: number;
  end: number;
  value: ParsedNode | null;
  /** Offset just after the colon or dash; a missing value is inserted there. */
  afterIndicator: number;
  /** In flow style: offset of the comma after it. */
  comma?: number;
}

/** One step in changing a list or mapping: keep or change an old entry, remove an old entry, or add a new one. */
type Step = { old: number; value: Json } | { old: number } | { key?: string; value: Json };

class Rewriter {
  readonly #yaml: YamlLibrary;
  readonly #text: string;
  readonly #options: RewriteOptions & { writeOut: boolean };
  readonly #document: Document.Parsed;
  readonly #newline: string;
  readonly #edits: Edit[] = [];
  /** The newline that was added to a last line without one; '' if every line ended with a newline. */
  readonly #addedNewline: string;

  constructor(yaml: YamlLibrary, text: string, options: RewriteOptions & { writeOut: boolean }) {
    this.#yaml = yaml;
    this.#newline = text.includes('\r\n') ? '\r\n' : '\n';
    this.#addedNewline = text === '' || text.endsWith('\n') ? '' : this.#newline;
    this.#text = text + this.#addedNewline;
    this.#options = options;
    this.#document = yaml.parseDocument(this.#text, { keepSourceTokens: true, merge: true });
  }

  rewrite(wanted: Json): string | undefined {
    const { contents } = this.#document;
    if (contents === null) {
      if (!isMapping(wanted)) return undefined;
      const lines = Object.entries(wanted).map(([key, value]) => `${this.#write(key)}: ${this.#write(value)}`);
      return this.#text + lines.map((line) => line + this.#newline).join('');
    }
    if (!this.#change(contents, wanted, undefined)) return undefined;
    let text = this.#text;
    // From the end, so that the offsets stay valid. Of two edits at one offset, the first one made comes first.
    const ordered = this.#edits.map((edit, i) => ({ ...edit, i }));
    for (const edit of ordered.sort((a, b) => b.start - a.start || b.end - a.end || b.i - a.i))
      text = text.slice(0, edit.start) + edit.text + text.slice(edit.end);
    return this.#addedNewline !== '' && text.endsWith(this.#addedNewline)
      ? text.slice(0, -this.#addedNewline.length)
      : text;
  }

  /**
   * @param entry the entry that contains the node; undefined for the whole document
   * @returns false if the layout does not allow the change
   */
  #change(node: ParsedNode | null, value: Json, entry: Entry | undefined): boolean {
    if (equalAsWritten(this.#plain(node), value)) return true;
    if (this.#yaml.isAlias(node) && !this.#options.writeOut) return true;
    const before = this.#edits.length;
    if (this.#yaml.isMap(node) && isMapping(value) && Object.keys(value).length > 0 && node.items.length > 0) {
      if (this.#changeEntries(node, this.#mapSteps(node, value))) return true;
    } else if (this.#yaml.isSeq(node) && Array.isArray(value) && value.length > 0 && node.items.length > 0) {
      if (this.#changeEntries(node, this.#listSteps(node, value))) return true;
    }
    this.#edits.length = before;
    return entry !== undefined && this.#replace(node, value, entry);
  }

  /** Replaces the characters of the old value by the new value. */
  #replace(node: ParsedNode | null, value: Json, entry: Entry): boolean {
    const written = this.#write(value, node);
    if (node === null || node.range[0] === node.range[1])
      return this.#edit(entry.afterIndicator, entry.afterIndicator, ` ${written}`);
    const [start] = node.range;
    const end = this.#contentEnd(node, entry.afterIndicator);
    const hangsBelow = isBlock(this.#yaml, node) && this.#text.slice(entry.afterIndicator, start).includes('\n');
    if (!hangsBelow) return this.#edit(start, end, written);
    // The old value is on the lines below. The new one goes on the key's line, before any comment there.
    this.#edit(entry.afterIndicator, entry.afterIndicator, ` ${written}`);
    return this.#edit(this.#lineStart(start), this.#nextLine(end), '');
  }

  #mapSteps(map: YAMLMap, value: { readonly [key: string]: Json }): Step[] {
    const own = new Set<string>();
    const steps = map.items.map((pair, old): Step => {
      const key = keyOf(pair as Pair);
      own.add(key);
      if (key === '<<') return { old, value: this.#plain((pair as Pair).value as ParsedNode) };
      return Object.hasOwn(value, key) ? { old, value: value[key] } : { old };
    });
    const merged = this.#plain(map as ParsedNode) as { readonly [key: string]: Json };
    for (const [key, item] of Object.entries(value)) {
      if (own.has(key)) continue;
      const comesByMerge = Object.hasOwn(merged, key) && (!this.#options.writeOut || equalAsWritten(merged[key], item));
      if (!comesByMerge) steps.push({ key, value: item });
    }
    return steps;
  }

  /** Equal items stay. Items between them are replaced one by one, and surplus items are added or removed. */
  #listSteps(list: YAMLSeq, value: readonly Json[]): Step[] {
    const old = list.items.map((item) => this.#plain(item as ParsedNode));
    const steps: Step[] = [];
    let [i, j] = [0, 0];
    for (const [oldAt, newAt] of [...commonItems(old, value), [old.length, value.length]]) {
      for (; i < oldAt || j < newAt; ) {
        if (i < oldAt && j < newAt) steps.push({ old: i++, value: value[j++] });
        else if (i < oldAt) steps.push({ old: i++ });
        else steps.push({ value: value[j++] });
      }
      if (oldAt < old.length) steps.push({ old: i++, value: value[j++] });
    }
    return steps;
  }

  #changeEntries(node: YAMLMap | YAMLSeq, steps: readonly Step[]): boolean {
    const entries = this.#entries(node);
    // New entries copy the layout of an entry that stays.
    if (entries === undefined || !steps.some((step) => isKept(step))) return false;
    for (const step of steps)
      if (isKept(step) && !this.#change(entries[step.old].value, step.value, entries[step.old])) return false;
    const ownLines = entries.every((entry) => this.#standsAlone(entry));
    if (node.flow) return ownLines ? this.#flowLines(entries, steps) : this.#flowInline(entries, steps);
    return this.#blockLines(node, entries, steps);
  }

  #blockLines(node: YAMLMap | YAMLSeq, entries: readonly Entry[], steps: readonly Step[]): boolean {
    const [first] = entries;
    const indent = ' '.repeat(first.start - this.#lineStart(first.start));
    const isFirstAlone = this.#text.slice(this.#lineStart(first.start), first.start).trim() === '';
    const padding = this.#yaml.isSeq(node) ? (/^-( +)/.exec(this.#text.slice(first.start))?.[1] ?? ' ') : '';
    const entryText = (step: { key?: string; value: Json }) =>
      step.key === undefined ? `-${padding}${this.#write(step.value)}` : this.#writePair(step.key, step.value);
    let last: Entry | undefined;
    for (const [i, step] of steps.entries()) {
      if ('old' in step) {
        last = entries[step.old];
        if ('value' in step) continue;
        if (step.old > 0 || isFirstAlone) this.#edit(this.#lineStart(last.start), this.#nextLine(last.end), '');
        else {
          // The first entry shares its line with a dash: move the next entry up.
          const after = steps[i + 1];
          if (after === undefined || !isKept(after)) return false;
          this.#edit(last.start, entries[after.old].start, '');
        }
      } else if (last !== undefined) {
        const at = this.#nextLine(last.end);
        this.#edit(at, at, `${indent}${entryText(step)}${this.#newline}`);
      } else {
        const at = isFirstAlone ? this.#lineStart(first.start) : first.start;
        const text = entryText(step);
        this.#edit(at, at, isFirstAlone ? `${indent}${text}${this.#newline}` : `${text}${this.#newline}${indent}`);
      }
    }
    return true;
  }

  /** Flow style with each entry on its own line. */
  #flowLines(entries: readonly Entry[], steps: readonly Step[]): boolean {
    const remaining = steps.filter((step) => 'value' in step);
    const hadLastComma = entries.at(-1)!.comma !== undefined;
    const needsComma = (step: Step) => hadLastComma || step !== remaining.at(-1);
    const [first] = entries;
    const indent = this.#text.slice(this.#lineStart(first.start), first.start);
    let last: Entry | undefined;
    for (const step of steps) {
      if ('old' in step) {
        last = entries[step.old];
        if (!('value' in step)) this.#edit(this.#lineStart(last.start), this.#nextLine(last.comma ?? last.end), '');
        else if (needsComma(step) && last.comma === undefined) this.#edit(last.end, last.end, ',');
        else if (!needsComma(step) && last.comma !== undefined) this.#edit(last.comma, last.comma + 1, '');
      } else {
        const at = last === undefined ? this.#lineStart(first.start) : this.#nextLine(last.comma ?? last.end);
        this.#edit(at, at, `${indent}${this.#writeFlow(step)}${needsComma(step) ? ',' : ''}${this.#newline}`);
      }
    }
    return true;
  }

  #flowInline(entries: readonly Entry[], steps: readonly Step[]): boolean {
    let last: Entry | undefined;
    let isAnyBefore = false;
    for (const step of steps) {
      if ('old' in step) {
        const entry = entries[step.old];
        if (!('value' in step)) {
          // Also remove the comma before it, or after it if it is the first. Comments between them stay.
          if (isAnyBefore) {
            const comma = entries[step.old - 1].comma!;
            const gap = this.#text.slice(comma + 1, entry.start);
            if (gap.trim() !== '') this.#edit(comma, comma + 1, '');
            this.#edit(gap.trim() === '' ? comma : entry.start, entry.end, '');
          } else {
            const comma = entry.comma! + 1;
            const next = entries[step.old + 1];
            const gap = this.#text.slice(comma, next.start);
            this.#edit(entry.start, gap.trim() === '' ? next.start : comma, '');
          }
        }
        isAnyBefore ||= 'value' in step;
        last = entry;
      } else if (last === undefined) {
        this.#edit(entries[0].start, entries[0].start, `${this.#writeFlow(step)}, `);
      } else this.#edit(last.end, last.end, `, ${this.#writeFlow(step)}`);
    }
    return true;
  }

  /** Undefined for layouts that are not supported, such as keys after a question mark. */
  #entries(node: YAMLMap | YAMLSeq): Entry[] | undefined {
    const tokens = (node.srcToken as { items?: SourceItem[] } | undefined)?.items;
    if (tokens === undefined) return undefined;
    const entries: Entry[] = [];
    for (const [i, item] of node.items.entries()) {
      const { start = [], sep = [] } = tokens[i] ?? {};
      if (start.some(({ type }) => type === 'explicit-key-ind')) return undefined;
      const isPair = this.#yaml.isPair(item);
      const value = (isPair ? item.value : item) as ParsedNode | null;
      const key = isPair ? (item.key as ParsedNode | null) : null;
      const dash = start.find(({ type }) => type === 'seq-item-ind')?.offset;
      const colon = sep.find(({ type }) => type === 'map-value-ind')?.offset;
      const begins = key?.range[0] ?? dash ?? value?.range[0];
      if (begins === undefined || (isPair && colon === undefined)) return undefined;
      const afterIndicator = colon === undefined ? (dash === undefined ? begins : dash + 1) : colon + 1;
      const isEmpty = value === null || value.range[0] === value.range[1];
      const end = isEmpty ? afterIndicator : this.#contentEnd(value, afterIndicator);
      const comma = tokens[i + 1]?.start?.find(({ type }) => type === 'comma')?.offset;
      entries.push({
        start: begins,
        end,
        value,
        afterIndicator,
        ...(node.flow && comma !== undefined ? { comma } : {}),
      });
    }
    return entries;
  }

  /** The offset after the last character of the value. */
  #contentEnd(node: ParsedNode, afterIndicator: number): number {
    if (isBlock(this.#yaml, node)) return this.#entries(node as YAMLMap | YAMLSeq)?.at(-1)?.end ?? afterIndicator;
    const [start, end] = node.range;
    return start + this.#text.slice(start, end).trimEnd().length;
  }

  /** Whether its lines contain only the entry, a comma and a comment. */
  #standsAlone({ start, end, comma }: Entry): boolean {
    const before = this.#text.slice(this.#lineStart(start), start);
    const after = this.#text.slice(end, this.#nextLine(end));
    const isOwnComma = comma === undefined || !this.#text.slice(end, comma).includes('\n');
    return before.trim() === '' && /^\s*,?\s*(#.*)?$/.test(after.trimEnd()) && isOwnComma;
  }

  #lineStart(offset: number): number {
    return this.#text.lastIndexOf('\n', offset - 1) + 1;
  }

  #nextLine(offset: number): number {
    const newline = this.#text.indexOf('\n', offset);
    return newline < 0 ? this.#text.length : newline + 1;
  }

  #edit(start: number, end: number, text: string): true {
    this.#edits.push({ start, end, text });
    return true;
  }

  #plain(node: ParsedNode | null): Json {
    return node === null ? null : ((node as Node | Alias).toJS(this.#document) as Json);
  }

  /** Writes a value, with the same quotes as the value that it replaces. */
  #write(value: Json, instead?: ParsedNode | null): string {
    if (typeof value === 'string' && instead && this.#yaml.isScalar(instead)) {
      if (instead.type === 'QUOTE_DOUBLE') return JSON.stringify(value);
      if (instead.type === 'QUOTE_SINGLE' && !/\s{2}|\n/.test(value)) return `'${value.replaceAll("'", "''")}'`;
    }
    return writeInline(this.#yaml, value, this.#options);
  }

  #writePair(key: string, value: Json): string {
    return `${this.#write(key)}: ${this.#write(value)}`;
  }

  #writeFlow(step: { key?: string; value: Json }): string {
    return step.key === undefined ? this.#write(step.value) : this.#writePair(step.key, step.value);
  }
}

/** The part of the YAML library's tokens that is used here. */
interface SourceItem {
  start?: { type: string; offset: number }[];
  sep?: { type: string; offset: number }[];
}

function isKept(step: Step): step is { old: number; value: Json } {
  return 'old' in step && 'value' in step;
}

function isBlock(yaml: YamlLibrary, node: ParsedNode): boolean {
  return yaml.isCollection(node) && !node.flow;
}

function keyOf(pair: Pair): string {
  const key = (pair.key as { value?: unknown } | null)?.value ?? pair.key;
  // The key of a merge (`<<`) is a symbol.
  return typeof key === 'symbol' ? (key.description ?? '') : String(key);
}

/** The positions of a longest common subsequence, in order. */
function commonItems(a: readonly Json[], b: readonly Json[]): [inA: number, inB: number][] {
  const longest = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i][j] = equalAsWritten(a[i], b[j])
        ? longest[i + 1][j + 1] + 1
        : Math.max(longest[i + 1][j], longest[i][j + 1]);
  const common: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (equalAsWritten(a[i], b[j])) common.push([i++, j++]);
    else if (longest[i + 1][j] >= longest[i][j + 1]) i++;
    else j++;
  }
  return common;
}
