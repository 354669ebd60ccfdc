/**
 * Limits a stage program to the params that its stage lists in pipeline.yaml. If the program could read another param,
 * the stage would not run again when that param changes. Under repro, reading an unlisted param is therefore an error.
 *
 *   the stage lists [train.lr], its program reads params.train.dropout
 *   → params.yaml: train@gpt-tiny reads train.dropout but does not list it; add it to the stage's params …
 */

import type { Json } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import type { ParamSource } from '../pipeline/index.ts';

/**
 * The environment variable that holds the listed params: JSON, by file a list of dotted keys, or null for the whole
 * file.
 */
export const LISTED_PARAMS = 'REPRO_PARAMS';

/**
 * The environment variable with the folder that holds copies of these files, as they were when the run began, at their
 * paths.
 */
export const PARAMS_FOLDER = 'REPRO_PARAMS_DIR';

/** The environment variable with a file to which a program adds a line with each path that it has read there. */
export const PARAMS_READ = 'REPRO_PARAMS_READ';

/** The value of REPRO_PARAMS for a stage. */
export function listedParams(sources: readonly ParamSource[]): string {
  return JSON.stringify(Object.fromEntries(sources.map(({ file, keys }) => [file, keys ?? null])));
}

/**
 * Limits a params file to the params that the running stage lists. The whole value is returned if the program was
 * started by hand, or if the stage lists no param of this file.
 *
 * @param value the whole value of the file
 * @param file its path, as pipeline.yaml writes it
 * @returns a read-only view of `value`; reading an unlisted param there throws ReproError
 */
export function onlyListed(value: Json, file: string, environment: NodeJS.ProcessEnv = process.env): Json {
  const keys = listedKeys(file, environment);
  if (keys === undefined) return value;
  return guard(value, [], { file, keys, stage: environment.REPRO_STAGE ?? 'this stage' });
}

/** Whether the running stage lists params of a file. */
export function isListed(file: string, environment: NodeJS.ProcessEnv = process.env): boolean {
  return Object.hasOwn(JSON.parse(environment[LISTED_PARAMS] ?? '{}') as object, file);
}

/** The keys of a file that the running stage lists; undefined if it may read all of it. */
export function listedKeys(file: string, environment: NodeJS.ProcessEnv = process.env): readonly string[] | undefined {
  const listed = environment[LISTED_PARAMS];
  if (listed === undefined) return undefined;
  return (JSON.parse(listed) as { [file: string]: string[] | null })[file] ?? undefined;
}

/** The params of one file that a stage lists. */
interface Listed {
  file: string;
  /** Dotted keys. */
  keys: readonly string[];
  stage: string;
}

/**
 * A view of the value at `path`. A listed value is returned as it is. A mapping that contains listed keys becomes a
 * proxy that shows only the names leading to them.
 *
 * @throws ReproError if the value is not listed and does not contain a listed key
 */
function guard(value: Json, path: readonly string[], listed: Listed): Json {
  const key = path.join('.');
  if (path.length > 0 && listed.keys.includes(key)) return value;
  const leadsToListed = path.length === 0 || listed.keys.some((other) => other.startsWith(`${key}.`));
  if (!leadsToListed || typeof value !== 'object' || value === null || Array.isArray(value)) {
    const { file, stage } = listed;
    throw new ReproError(
      `${file}: ${stage} reads ${key} but does not list it; add it to the stage's params in pipeline.yaml, so that the stage runs again when it changes`,
      1,
    );
  }
  const isReadable = (name: string) => {
    const child = [...path, name].join('.');
    return listed.keys.some((other) => other === child || other.startsWith(`${child}.`));
  };
  return new Proxy(value as { [name: string]: Json }, {
    get: (target, name) =>
      typeof name === 'string' && Object.hasOwn(target, name)
        ? guard(target[name], [...path, name], listed)
        : Reflect.get(target, name),
    ownKeys: (target) => Object.keys(target).filter(isReadable),
    getOwnPropertyDescriptor: (target, name) => {
      const descriptor = Reflect.getOwnPropertyDescriptor(target, name);
      return descriptor && { ...descriptor, value: guard(target[name as string], [...path, name as string], listed) };
    },
  });
}
