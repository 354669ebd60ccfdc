/**
 * A stage program that reads a param which its stage does not list would not run again when that param changes. Under repro, a
 * program's params are therefore those that its stage lists, and reading another one is an error that says what to list.
 *
 *   stage lists [train.lr], program reads params.train.dropout
 *   → params.yaml: train@gpt-tiny reads train.dropout and does not list it: put it under params in pipeline.yaml, …
 */

import type { Json } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import type { ParamSource } from '../pipeline/index.ts';

/** The environment variable that names them: JSON, by file; null for a whole file. */
export const LISTED_PARAMS = 'REPRO_PARAMS';

export function listedParams(sources: readonly ParamSource[]): string {
  return JSON.stringify(Object.fromEntries(sources.map(({ file, keys }) => [file, keys ?? null])));
}

/** The value of a params file as the stage under way may read it; by hand, and for a file of which it lists nothing, all of it. */
export function onlyListed(value: Json, file: string, environment: NodeJS.ProcessEnv = process.env): Json {
  const listed = environment[LISTED_PARAMS];
  if (listed === undefined) return value;
  const keys = (JSON.parse(listed) as { [file: string]: string[] | null })[file];
  if (keys === undefined || keys === null) return value;
  return guard(value, [], { file, keys, stage: environment.REPRO_STAGE ?? 'this stage' });
}

interface Listed {
  file: string;
  keys: readonly string[];
  stage: string;
}

/** Mappings above a listed key show the names in them that are listed, or lead to one that is. */
function guard(value: Json, path: readonly string[], listed: Listed): Json {
  const key = path.join('.');
  if (path.length > 0 && listed.keys.includes(key)) return value;
  const leads = path.length === 0 || listed.keys.some((other) => other.startsWith(`${key}.`));
  if (!leads || typeof value !== 'object' || value === null || Array.isArray(value)) {
    const { file, stage } = listed;
    throw new ReproError(
      `${file}: ${stage} reads ${key} and does not list it: put it under params in pipeline.yaml, or the stage will not run again when it changes`,
      1,
    );
  }
  const readable = (name: string) => {
    const below = [...path, name].join('.');
    return listed.keys.some((other) => other === below || other.startsWith(`${below}.`));
  };
  return new Proxy(value as { [name: string]: Json }, {
    get: (target, name) =>
      typeof name === 'string' && Object.hasOwn(target, name)
        ? guard(target[name], [...path, name], listed)
        : Reflect.get(target, name),
    ownKeys: (target) => Object.keys(target).filter(readable),
    getOwnPropertyDescriptor: (target, name) => {
      const descriptor = Reflect.getOwnPropertyDescriptor(target, name);
      return descriptor && { ...descriptor, value: guard(target[name as string], [...path, name as string], listed) };
    },
  });
}
