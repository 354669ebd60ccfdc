/**
 * A dvc.yaml as a YAML document that is changed in place. The text of all parts that are not changed stays: comments,
 * the order of keys, and the layout of long commands. Nodes may be aliases of an anchor elsewhere in the file; a change
 * then holds for all of them.
 */
import type { Node, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import {
  type Json,
  type KeyPath,
  loadYaml,
  parseSource,
  rewrite,
  type SourceDocument,
  type YamlDocument,
  type YamlLibrary,
} from '../documents/index.ts';
import type { Place } from '../messages/index.ts';

/** The widest line of the text, where it has to be written anew. */
const LINE_WIDTH = 120;

/** A part of the text, and the text that replaces it. */
export interface TextEdit {
  start: number;
  end: number;
  text: string;
}

/** A YAML document with the places of its keys in the original file. */
export class DvcDocument {
  readonly #yaml: YamlLibrary;
  readonly #source: SourceDocument;
  #text: string;
  #document: YamlDocument;

  private constructor(yaml: YamlLibrary, source: SourceDocument, text: string) {
    this.#yaml = yaml;
    this.#source = source;
    this.#text = text;
    this.#document = yaml.parseDocument(text, { merge: true }) as YamlDocument;
  }

  /**
   * Parses a text.
   *
   * @param file its name in messages
   * @throws ReproError if it is not valid YAML
   */
  static async parse(text: string, file: string): Promise<DvcDocument> {
    const source = await parseSource(text, file);
    return new DvcDocument(await loadYaml(), source, text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n'));
  }

  /** The value that the file had before any change. */
  get value(): Json {
    return (this.#source.value ?? null) as Json;
  }

  /** The mapping at the top; undefined if the file is empty or has something else. */
  get top(): YAMLMap | undefined {
    return this.map(this.#document.contents);
  }

  /** The place of a key in the original file. */
  place(path: KeyPath): Place {
    return this.#source.at(path);
  }

  /** The node as a mapping; undefined if it is none. */
  map(node: unknown): YAMLMap | undefined {
    const found = this.#resolve(node);
    return this.#yaml.isMap(found) ? found : undefined;
  }

  /** The node as a list; undefined if it is none. */
  list(node: unknown): YAMLSeq | undefined {
    const found = this.#resolve(node);
    return this.#yaml.isSeq(found) ? found : undefined;
  }

  /** The node as a scalar; undefined if it is none. */
  scalar(node: unknown): Scalar | undefined {
    const found = this.#resolve(node);
    return this.#yaml.isScalar(found) ? found : undefined;
  }

  /** The value of a node, with aliases resolved. */
  valueOf(node: unknown): Json {
    const found = this.#resolve(node) as Node | undefined;
    return (found?.toJS(this.#document) ?? null) as Json;
  }

  /** The entries of a mapping: keys as texts, with the nodes of their values. */
  entries(map: YAMLMap | undefined): [key: string, value: unknown][] {
    return (map?.items ?? []).map(({ key, value }) => [String(this.scalar(key)?.value ?? key), value]);
  }

  /** A new node. */
  node(value: unknown): Node {
    return this.#document.createNode(value);
  }

  /** Removes keys of a mapping whose value is empty, and returns their names. */
  removeEmpty(map: YAMLMap, keys: readonly string[]): string[] {
    const empty = keys.filter((key) => map.has(key) && this.valueOf(map.get(key, true)) === null);
    for (const key of empty) map.delete(key);
    return empty;
  }

  /** Where a scalar stands in the text, and how it is written there; undefined if it is not in the text. */
  written(node: Scalar): { start: number; end: number; text: string; isBlock: boolean } | undefined {
    if (!node.range) return undefined;
    const [start, end] = node.range;
    return { start, end, text: this.#text.slice(start, end), isBlock: node.type === 'BLOCK_LITERAL' };
  }

  /** A text as a YAML scalar on one line. */
  inline(text: string): string {
    return this.#yaml.stringify(text, { lineWidth: 0, blockQuote: false }).trimEnd();
  }

  /** The blanks at the start of the line of an offset. */
  indentAt(offset: number): string {
    return /^ */.exec(this.#text.slice(this.#text.lastIndexOf('\n', offset - 1) + 1))![0];
  }

  /** Changes parts of the text, which must not overlap. Nodes from before are not of the document any more. */
  edit(edits: readonly TextEdit[]): void {
    let text = this.#text;
    for (const { start, end, text: instead } of [...edits].sort((a, b) => b.start - a.start))
      text = text.slice(0, start) + instead + text.slice(end);
    this.#text = text;
    this.#document = this.#yaml.parseDocument(text, { merge: true }) as YamlDocument;
  }

  /** The text of the changed document. */
  toString(): string {
    const value = (this.#document.toJS() ?? {}) as Json;
    const kept = rewrite(this.#yaml, this.#text, value, { json: false });
    return kept ?? this.#document.toString({ lineWidth: LINE_WIDTH, flowCollectionPadding: false });
  }

  #resolve(node: unknown): unknown {
    return this.#yaml.isAlias(node) ? node.resolve(this.#document) : node;
  }
}
