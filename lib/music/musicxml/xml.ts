/**
 * Reads XML as a stream of small trees, so that a large score needs no tree of its own: each child of a child of the
 * root is handed over when it ends, for example each measure of a part.
 *
 *     readXml(text, { onRoot: (root) => {}, onElement: (measure, [root, part]) => {} });
 *
 * The parser is saxes. It reads no document type: entities that a file declares, and files that it refers to, are never
 * inserted.
 */
import { SaxesParser } from 'saxes';
import { MusicError } from '../model/index.ts';

/** An element with its content. */
export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
  /** the text directly in it, without the text of its children */
  text: string;
  /** the line of the text on which its tag ends, counted from 1 */
  line: number;
}

/** Callbacks of readXml. */
export interface XmlHandlers {
  /** the root element, without content */
  onRoot(root: XmlElement): void;
  /** an element with its content, and the two elements around it, without content: the root and its child */
  onElement(element: XmlElement, around: readonly XmlElement[]): void;
}

/** Scores have a depth of about ten. */
const MAX_DEPTH = 64;
/** Elements at this depth (the number of elements around them) are passed to the handlers. */
const HANDED_OVER = 2;

/**
 * Reads an XML document.
 *
 * @throws MusicError with line and column if it is not well-formed, or an error that a handler throws
 */
export function readXml(xml: string, { onRoot, onElement }: XmlHandlers): void {
  const parser = new SaxesParser({ position: true, xmlns: false as const });
  /** the open elements from the root on */
  const open: XmlElement[] = [];
  const place = () => `line ${parser.line}, column ${parser.column + 1}`;
  parser.on('error', ({ message }) => {
    const fault = message.replace(/^\d+:\d+: /, '').replace(/\.$/, '');
    // Titles have entities of HTML. The text stays as it is written, and no music depends on it.
    if (fault !== 'undefined entity') throw new MusicError(`${place()}: the XML is not well-formed: ${fault}`);
  });
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes, children: [], text: '', line: parser.line };
    if (open.length === 0) onRoot(element);
    if (open.length >= MAX_DEPTH) throw new MusicError(`${place()}: more than ${MAX_DEPTH} elements within each other`);
    if (open.length > HANDED_OVER) open[open.length - 1].children.push(element);
    open.push(element);
  });
  const addText = (text: string) => {
    if (open.length > HANDED_OVER) open[open.length - 1].text += text;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    const element = open.pop()!;
    if (open.length === HANDED_OVER) onElement(element, open);
  });
  parser.write(xml).close();
}

/** The first child of a name. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name);
}

/** All children of a name. */
export function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** The trimmed text of the first child with this name; undefined if no child has it. */
export function textIn(element: XmlElement, name: string): string | undefined {
  return childOf(element, name)?.text.trim();
}

/**
 * The number in the first child with this name; undefined if no child has it.
 *
 * @throws MusicError if it has another text
 */
export function numberIn(element: XmlElement, name: string): number | undefined {
  const child = childOf(element, name);
  return child === undefined ? undefined : numberOf(child.text, child);
}

/**
 * The number that a text of an element has: of its content or of an attribute.
 *
 * @throws MusicError if it is no number
 */
export function numberOf(text: string, { name, line }: XmlElement): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value))
    throw new MusicError(`line ${line}: <${name}> has "${text.trim()}" in place of a number`);
  return value;
}
