/**
 * Templates: `${a.b}` and `${a[0]}` are replaced by values of the context, and `\${` by `${`. Expressions are not
 * supported. A text that consists of one reference becomes the value, with its type. Inside a longer text, a value must
 * not be a list or mapping.
 */

import { isMapping, type Json, lookUp } from '../documents/index.ts';
import { ReproError, suggestion } from '../messages/index.ts';
import { PARAMS } from './pipeline.ts';

/** The values that templates can name. */
export type Context = { readonly [name: string]: Json };

/**
 * Fills in every text and key of `value`.
 *
 * @throws ReproError if a template is malformed or names an unknown value; without a place, which the caller adds
 */
export function fillIn(value: Json, context: Context): Json {
  if (typeof value === 'string') return fillInText(value, context);
  if (Array.isArray(value)) return value.map((item) => fillIn(item, context));
  if (isMapping(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [plainText(fillInText(key, context), key), fillIn(item, context)]),
    );
  }
  return value;
}

type Piece = { text: string } | { reference: string };

function fillInText(text: string, context: Context): Json {
  if (!text.includes('${')) return text;
  const pieces = split(text);
  if (pieces.length === 1 && 'reference' in pieces[0]) return resolveReference(pieces[0].reference, context);
  return pieces
    .map((piece) =>
      'text' in piece ? piece.text : plainText(resolveReference(piece.reference, context), `\${${piece.reference}}`),
    )
    .join('');
}

function split(text: string): Piece[] {
  const pieces: Piece[] = [];
  let literal = '';
  let position = 0;
  while (position < text.length) {
    const start = text.indexOf('${', position);
    if (start < 0) break;
    if (text[start - 1] === '\\' && start > position - 1) {
      literal += `${text.slice(position, start - 1)}\${`;
      position = start + 2;
      continue;
    }
    const end = text.indexOf('}', start);
    if (end < 0) throw new ReproError(`"\${" without its "}" in "${text}"; write \\\${ for a plain "\${"`);
    literal += text.slice(position, start);
    if (literal !== '') pieces.push({ text: literal });
    literal = '';
    pieces.push({ reference: text.slice(start + 2, end).trim() });
    position = end + 1;
  }
  literal += text.slice(position);
  if (literal !== '' || pieces.length === 0) pieces.push({ text: literal });
  return pieces;
}

const REFERENCE = /^[^\s.[\]{}$"'()+*,:;?<>=&|!\\]+(\.[^\s.[\]{}$"'()+*,:;?<>=&|!\\]+|\[\d+\])*$/u;

function resolveReference(reference: string, context: Context): Json {
  if (!REFERENCE.test(reference)) {
    throw new ReproError(
      `\${${reference}} is not a reference: it may contain only names, dots and [numbers], not expressions; write \\\${ for a plain "\${"`,
    );
  }
  const found = lookUp(context as Json, reference);
  if (found.found) return found.value;
  const near = Object.keys(context).length === 0 ? `; ${PARAMS} is missing or empty` : '';
  throw new ReproError(
    `\${${reference}}: there is no "${found.missing}"${near || suggestion(found.missing, found.known)}`,
  );
}

function plainText(value: Json, what: string): string {
  if (Array.isArray(value) || isMapping(value)) {
    throw new ReproError(`${what} is ${Array.isArray(value) ? 'a list' : 'a mapping'}, which cannot be part of a text`);
  }
  return String(value);
}
