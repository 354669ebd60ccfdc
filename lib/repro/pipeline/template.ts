/**
 * Templates: `${a.b}`, `${a[b]}` and `${a[0]}` are replaced by values of the context, and `\${` by `${`. Expressions
 * are not supported. A text that consists of one reference becomes the value, with its type. Inside a longer text, a
 * value must not be a list or mapping.
 */

import { findNul, isMapping, type Json, lookUp } from '../documents/index.ts';
import { type Problem, ReproError, suggestion } from '../messages/index.ts';
import { PARAMS } from './pipeline.ts';

/** The values that templates can name. */
export type Context = { readonly [name: string]: Json };

/** A template that cannot be filled in. `path` leads from the value that was given to `fillIn` to the template. */
export class TemplateError extends ReproError {
  readonly path: readonly (string | number)[];

  constructor(problems: string | readonly Problem[], path: readonly (string | number)[]) {
    super(problems);
    this.path = path;
  }
}

/**
 * Fills in every text and key of `value`.
 *
 * @throws TemplateError if a template is malformed or names an unknown value, or if two keys become the same
 */
export function fillIn(value: Json, context: Context): Json {
  return fillInAt(value, context, []);
}

function fillInAt(value: Json, context: Context, path: readonly (string | number)[]): Json {
  if (typeof value === 'string') return withPath(path, () => fillInText(value, context));
  if (Array.isArray(value)) return value.map((item, i) => fillInAt(item, context, [...path, i]));
  if (!isMapping(value)) return value;
  const filled = new Map<string, Json>();
  for (const [key, item] of Object.entries(value)) {
    const inner = [...path, key];
    const name = withPath(inner, () => plainText(fillInText(key, context), key));
    if (filled.has(name)) throw new TemplateError(`"${key}" becomes "${name}", which is there already`, inner);
    filled.set(name, fillInAt(item, context, inner));
  }
  return Object.fromEntries(filled);
}

function withPath<T>(path: readonly (string | number)[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof ReproError ? new TemplateError(error.problems, path) : error;
  }
}

/**
 * The first text or key in a value that has a template.
 *
 * @returns the template and the path to it; undefined if there is none
 */
export function findTemplate(
  value: Json,
  path: readonly (string | number)[] = [],
): { template: string; path: readonly (string | number)[] } | undefined {
  if (typeof value === 'string') {
    const template = /(?<!\\)\$\{[^}]*\}?/.exec(value)?.[0];
    return template === undefined ? undefined : { template, path };
  }
  for (const [step, item] of Array.isArray(value) ? value.entries() : isMapping(value) ? Object.entries(value) : []) {
    const inner = [...path, step];
    const found = (typeof step === 'string' && findTemplate(step, inner)) || findTemplate(item as Json, inner);
    if (found) return found;
  }
  return undefined;
}

/** A template as it is written: the text between `${` and `}`, and the number of equal templates before it. */
export type Written = NonNullable<Problem['template']>;

/** A part of a text: text without templates, or a template. */
export type Piece = { text: string } | Written;

function fillInText(text: string, context: Context): Json {
  if (!text.includes('${')) return text;
  const pieces = splitTemplates(text);
  if (pieces.length === 1 && 'reference' in pieces[0]) return resolveReference(pieces[0].reference, context, pieces[0]);
  return pieces
    .map((piece) =>
      'text' in piece
        ? piece.text
        : plainText(resolveReference(piece.reference, context, piece), `\${${piece.reference}}`, piece),
    )
    .join('');
}

/**
 * Splits a text at its templates. `\${` becomes `${` in a text.
 *
 * @throws ReproError if a `${` has no `}`
 */
export function splitTemplates(text: string): Piece[] {
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
    if (end < 0)
      throw new ReproError({
        message: `"\${" without its "}" in "${text}"; write \\\${ for a plain "\${"`,
        template: { reference: '', nth: pieces.filter((piece) => 'reference' in piece).length },
      });
    literal += text.slice(position, start);
    if (literal !== '') pieces.push({ text: literal });
    literal = '';
    const reference = text.slice(start + 2, end).trim();
    const nth = pieces.filter((piece) => 'reference' in piece && piece.reference === reference).length;
    pieces.push({ reference, nth });
    position = end + 1;
  }
  literal += text.slice(position);
  if (literal !== '' || pieces.length === 0) pieces.push({ text: literal });
  return pieces;
}

const NAME = String.raw`[^\s.[\]{}$"'()+*,:;?<>=&|!\\]+`;
/** `a.b`, `a[0]`, and `a[b]`, which is the same as `a.b`. */
const REFERENCE = new RegExp(String.raw`^${NAME}(\.${NAME}|\[${NAME}\])*$`, 'u');

/**
 * The value of the reference between `${` and `}`.
 *
 * @param template as it is written, for the place of an error
 * @throws ReproError if it is not a reference, or names an unknown value
 */
export function resolveReference(reference: string, context: Context, template: Written): Json {
  const fault = (message: string) => new ReproError({ message, template });
  if (!REFERENCE.test(reference)) {
    if (reference.startsWith('raw:'))
      throw fault(`\${${reference}}: only a shell command can hold raw: templates; leave out "raw:"`);
    throw fault(
      `\${${reference}} is not a reference: it may contain only names, dots and [numbers] or [names], not expressions; write \\\${ for a plain "\${"`,
    );
  }
  const found = lookUp(context as Json, reference);
  if (found.found) {
    if (findNul(found.value))
      throw fault(`\${${reference}} has a NUL character, which no command, path or name can hold`);
    return found.value;
  }
  const near = Object.keys(context).length === 0 ? `; ${PARAMS} is missing or empty` : '';
  throw fault(`\${${reference}}: there is no "${found.missing}"${near || suggestion(found.missing, found.known)}`);
}

/**
 * A value as part of a text.
 *
 * @param template it is the value of this template
 * @throws ReproError if it is a list or mapping; `what` is its name in the message
 */
export function plainText(value: Json, what: string, template?: Written): string {
  if (Array.isArray(value) || isMapping(value)) {
    const message = `${what} is ${Array.isArray(value) ? 'a list' : 'a mapping'}, which cannot be part of a text`;
    throw new ReproError({ message, template });
  }
  return String(value);
}
