/** The studies of studies.yaml as complete params, for programs that look at several of them. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { describeError } from '../../lib/repro/index.ts';
import type { Params } from './params.ts';
import { StageError } from './stage.ts';

type Values = { [key: string]: unknown };

/**
 * Reads params.yaml with the values of each study in it: those that `repro -S study=NAME` would set.
 *
 * @returns by name of the study, in the order of studies.yaml
 * @throws StageError naming the file that cannot be read, or whose entry is not a mapping
 */
export function readStudies(paramsFile = 'params.yaml', studiesFile = 'studies.yaml'): Map<string, Params> {
  const params = readMapping(paramsFile);
  const studies = readMapping(studiesFile) as { [name: string]: Values };
  for (const [name, values] of Object.entries({ default: undefined, ...studies }))
    if (!isMapping(values)) throw new StageError(`${studiesFile}: ${name} must be a mapping of keys of params.yaml`);
  const base = merged(params, studies.default);
  const named = (name: string) => ({ ...merged(base, studies[name]), study: name }) as unknown as Params;
  return new Map(Object.keys(studies).map((name) => [name, named(name)]));
}

/** Reads a YAML file that is a mapping. */
function readMapping(file: string): Values {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'), { prettyErrors: false });
  } catch (error) {
    throw new StageError(`${file}: ${describeError(error)}`);
  }
  if (!isMapping(value)) throw new StageError(`${file}: must be a mapping`);
  return value;
}

/** `over` merged into `base`: mappings key by key; any other value replaces the one of the base. */
function merged(base: Values, over: Values): Values {
  const entries = Object.entries(over).map(([key, value]) => {
    const below = base[key];
    return [key, isMapping(value) && isMapping(below) ? merged(below, value) : value];
  });
  return { ...base, ...Object.fromEntries(entries) };
}

function isMapping(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
