/**
 * Checks a document against a JSON Schema by ajv, and writes readable messages with file, line and column. A message
 * about an unknown key suggests the nearest known one.
 */

import type { ErrorObject, ValidateFunction } from 'ajv';
import { readUtf8 } from '../freshness/index.ts';
import { describeError, nearestName, type Problem, plural, ReproError, suggestion } from '../messages/index.ts';
import { OPTIONS } from './ajv-options.ts';
import { isMapping, type Json } from './json.ts';
import { rounded } from './numbers.ts';
import { dotted, type KeyPath, type SourceDocument } from './source-document.ts';

/**
 * Reads a schema file.
 *
 * @param name the file's name in messages
 * @throws ReproError if the file is missing or is not JSON
 */
export function readSchema(path: string, name = path): object {
  try {
    return JSON.parse(readUtf8(path));
  } catch (error) {
    throw new ReproError({
      message: `cannot be used as a JSON Schema: ${describeError(error)}`,
      place: { file: name },
    });
  }
}

/**
 * Checks a document. A schema that names draft-07 is read as draft-07; any other as draft 2020-12.
 *
 * @throws ReproError with every problem found, or if the schema cannot be used
 */
export async function checkAgainstSchema(document: SourceDocument, schema: object, schemaName: string): Promise<void> {
  const dialect = String((schema as { $schema?: string }).$schema ?? '');
  const { Ajv: Ajv07, Ajv2020 } = await import('./ajv.ts');
  const Ajv = dialect.includes('draft-07') ? Ajv07 : Ajv2020;
  let validate: ValidateFunction;
  try {
    validate = new Ajv(OPTIONS).compile(schema);
  } catch (error) {
    throw new ReproError({
      message: `is not a usable JSON Schema: ${describeError(error)}`,
      place: { file: schemaName },
    });
  }
  checkWith(document, validate);
}

/**
 * Checks a document with a compiled schema.
 *
 * @throws ReproError with every problem found
 */
export function checkWith(document: SourceDocument, validate: ValidateFunction): void {
  if (!validate(rounded(document.value as Json)))
    throw new ReproError(describeProblems(document, validate.errors ?? []));
}

function describeProblems(document: SourceDocument, errors: readonly ErrorObject[]): Problem[] {
  const problems = mostSpecific(errors).map((error) => describeProblem(document, error));
  const byText = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  return [...byText.values()].sort(
    (a, b) => (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0),
  );
}

/**
 * Keeps the errors that help. For a failed anyOf or oneOf, ajv reports the errors of every branch and then one for the
 * choice. The useful errors are those of the branch that matched deepest. If none matched beyond the value itself, the
 * error of the choice is kept, and its message lists the types and constants that the branches allow.
 */
function mostSpecific(errors: readonly ErrorObject[]): ErrorObject[] {
  const choices = errors.filter((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf');
  let kept = errors.filter(
    // For an invalid property name, ajv reports the cause and then `propertyNames`. Only the latter is kept.
    (error) => error.keyword !== 'if' && error.propertyName === undefined && !isMistyped(error, errors),
  );
  for (const choice of choices) {
    const branches = kept.filter(
      (error) => error !== choice && error.schemaPath.startsWith(`${choice.schemaPath}/`) && isUnder(error, choice),
    );
    const depth = (error: ErrorObject) => error.instancePath.split('/').length + (isAboutMember(error) ? 1 : 0);
    const deepest = Math.max(...branches.map(depth), 0);
    const own = choice.instancePath.split('/').length;
    const helpful = deepest > own ? branches.filter((error) => depth(error) === deepest) : [];
    const dropped = new Set(branches.filter((error) => !helpful.includes(error)));
    if (helpful.length > 0) dropped.add(choice);
    kept = kept.filter((error) => !dropped.has(error));
  }
  return kept;
}

/** Whether a missing key exists under a misspelt name. Then only the misspelt name is reported. */
function isMistyped(missing: ErrorObject, errors: readonly ErrorObject[]): boolean {
  const { missingProperty } = missing.params;
  return (
    missing.keyword === 'required' &&
    errors.some(
      (error) =>
        isAboutMember(error) &&
        error.instancePath === missing.instancePath &&
        nearestName(memberName(error), knownMembers(error)) === missingProperty,
    )
  );
}

function isUnder(error: ErrorObject, choice: ErrorObject): boolean {
  return error.instancePath === choice.instancePath || error.instancePath.startsWith(`${choice.instancePath}/`);
}

function isAboutMember(error: ErrorObject): boolean {
  return error.keyword === 'additionalProperties' || error.keyword === 'unevaluatedProperties';
}

function memberName(error: ErrorObject): string {
  return String(error.params.additionalProperty ?? error.params.unevaluatedProperty);
}

function knownMembers(error: ErrorObject): string[] {
  return Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {});
}

function describeProblem(document: SourceDocument, error: ErrorObject): Problem {
  const path = pathOf(error.instancePath, document.value);
  const value = document.at(path, 'value');
  const key = path.length > 0 ? dotted(path) : undefined;
  const parent = (error.parentSchema ?? {}) as { description?: string };
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = memberName(error);
      const near = suggestion(name, knownMembers(error));
      const within = key === undefined ? '' : ` in ${key}`;
      return { message: `unknown key "${name}"${within}${near}`, place: document.at([...path, name]), key: name };
    }
    case 'required': {
      const name = String(error.params.missingProperty);
      return {
        message: `the key "${name}" is missing${key ? ` from ${key}` : ''}`,
        place: document.at(path),
        key: name,
      };
    }
    case 'propertyNames': {
      const name = String(error.params.propertyName);
      const { description } = error.schema as { description?: string };
      return {
        message: `"${name}" is not an allowed name${key ? ` in ${key}` : ''}${description ? `: ${description}` : ''}`,
        place: document.at([...path, name]),
        key: name,
      };
    }
    case 'minItems':
    case 'maxItems': {
      const bound = error.keyword === 'minItems' ? 'at least' : 'at most';
      const has = (error.data as unknown[]).length;
      return { message: `must have ${bound} ${plural(error.params.limit, 'item')}, but has ${has}`, place: value, key };
    }
    case 'minLength':
      if (error.data !== '') break;
      return { message: 'must not be empty', place: value, key };
    case 'uniqueItems': {
      const twice = (error.data as unknown[])[error.params.i];
      return { message: `holds ${show(twice)} twice`, place: document.at([...path, error.params.i], 'value'), key };
    }
    case 'type':
      return { message: `must be ${words(error.params.type)}, but is ${show(error.data)}`, place: value, key };
    case 'enum':
    case 'const': {
      const allowed = (
        error.keyword === 'enum' ? error.params.allowedValues : [error.params.allowedValue]
      ) as unknown[];
      // A number in quotes is near itself: it must say that a number is wanted.
      const isText = typeof error.data === 'string' && !allowed.map(String).includes(error.data);
      const near = isText ? suggestion(error.data as string, allowed.map(String)) : '';
      const list = near.includes('known here') || near === '' ? `must be ${orList(allowed.map(show))}, but is` : 'is';
      const hint = near.includes('did you mean') ? near : '';
      return { message: `${list} ${show(error.data)}${hint}`, place: value, key };
    }
    case 'anyOf':
    case 'oneOf': {
      const types = (error.schema as { type?: string | string[]; const?: unknown; enum?: unknown[] }[]).flatMap(
        (branch) =>
          branch.enum
            ? branch.enum.map(show)
            : branch.const !== undefined
              ? show(branch.const)
              : words(branch.type ?? 'value'),
      );
      return { message: `must be ${orList([...new Set(types)])}, but is ${show(error.data)}`, place: value, key };
    }
    case 'pattern':
      return {
        message: `${show(error.data)} is not of the right form${parent.description ? `: ${parent.description}` : ` (${error.params.pattern})`}`,
        place: value,
        key,
      };
  }
  return { message: `${error.message ?? 'is not right'}, but is ${show(error.data)}`, place: value, key };
}

/** Turns a JSON pointer into a path; a step into a list becomes a number. */
function pathOf(pointer: string, root: unknown): KeyPath {
  let value = root;
  return pointer
    .split('/')
    .slice(1)
    .map((escaped) => {
      const step = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
      const inList = Array.isArray(value);
      value = (value as Record<string, unknown> | undefined)?.[step];
      return inList ? Number(step) : step;
    });
}

const TYPE_WORDS: Record<string, string> = {
  object: 'a mapping',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  null: 'empty',
};

function words(type: string | string[]): string {
  return orList([type].flat().map((name) => TYPE_WORDS[name] ?? name));
}

function orList(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} or ${items.at(-1)}`;
}

/** A value as messages show it: lists and mappings by kind, long texts cut to 40 characters. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (isMapping(value)) return 'a mapping';
  return typeof value === 'string' ? `"${value.length > 40 ? `${value.slice(0, 40)}…` : value}"` : String(value);
}
