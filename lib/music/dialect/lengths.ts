/**
 * The texts of note lengths as a tree of characters, so that a length can be read one character at a time: `3`, then
 * `3/`, then `3/4`. Only lengths that the writer writes are in it.
 */
import { lengthTexts, MAX_PLAIN_STEPS } from '../abc/index.ts';
import { isPlainDuration } from '../quantise/index.ts';

/** A beginning of length texts. */
export interface LengthNode {
  /** the duration in steps, if the text may end here */
  steps: number | undefined;
  /** the durations of the texts with this beginning, in steps */
  durations: number[];
  /** the longer beginnings, by their next character */
  next: Map<string, LengthNode>;
}

/** Trees by unit, filled on demand. */
const TREES = new Map<number, LengthNode>();

/**
 * The tree of all length texts. Its root is the empty text, which stands for one unit.
 *
 * @param unit steps of a note without a length
 */
export function lengthTree(unit: number): LengthNode {
  let root = TREES.get(unit);
  if (root === undefined) {
    root = emptyNode();
    const texts = lengthTexts(unit);
    for (let steps = 1; steps <= MAX_PLAIN_STEPS; steps++)
      if (isPlainDuration(steps)) insert(root, texts[steps], steps);
    TREES.set(unit, root);
  }
  return root;
}

function emptyNode(): LengthNode {
  return { steps: undefined, durations: [], next: new Map() };
}

function insert(root: LengthNode, text: string, steps: number): void {
  let node = root;
  node.durations.push(steps);
  for (const c of text) {
    let child = node.next.get(c);
    if (child === undefined) node.next.set(c, (child = emptyNode()));
    node = child;
    node.durations.push(steps);
  }
  node.steps = steps;
}
