/** The studies of studies.yaml as complete params, for programs that look at several of them. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Params } from './params.ts';

type Values = { [key: string]: unknown };

/**
 * Reads params.yaml with the values of each study in it: those that `repro -S study=NAME` would set.
 *
 * @returns by name of the study, in the order of studies.yaml
 */
export function readStudies(paramsFile = 'params.yaml', studiesFile = 'studies.yaml'): Map<string, Params> {
  const params = parse(readFileSync(paramsFile, 'utf8')) as Values;
  const studies = parse(readFileSync(studiesFile, 'utf8')) as { [name: string]: Values };
  const base = merged(params, studies.default);
  const named = (name: string) => ({ ...merged(base, studies[name]), study: name }) as unknown as Params;
  return new Map(Object.keys(studies).map((name) => [name, named(name)]));
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
