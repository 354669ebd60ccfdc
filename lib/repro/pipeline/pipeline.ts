/**
 * What a pipeline is once it has been read: plain data, all paths relative to its folder. load-pipeline.ts reads it.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Json, KeyPath } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';

export const PIPELINE = 'pipeline.yaml';
export const PARAMS = 'params.yaml';

export interface Dependency {
  path: string;
  /** Hashed if it exists, recorded as absent if not. */
  optional: boolean;
}

export interface Output {
  path: string;
  kind: 'out' | 'metric' | 'plot';
  /** false: git keeps it, not the cache. */
  cache: boolean;
  /** Left in place before the command. */
  persist: boolean;
  /** What a plot is to look like: title, x, y. */
  options?: { readonly [name: string]: Json };
}

export interface ParamSource {
  file: string;
  /** Undefined: the whole file. */
  keys: string[] | undefined;
}

export interface Resources {
  gpus: number;
  /** 0: counts against -j alone. */
  cpus: number;
  /** bytes */
  memory: number;
  /** By the names of the pipeline's `limits`. */
  limits: { readonly [name: string]: number };
}

/** One stage to run; all paths are relative to the pipeline's folder. */
export interface Stage {
  name: string;
  /** The name in pipeline.yaml, before any @. */
  group: string;
  /** Of a cell of a matrix or foreach: its value on each axis. */
  axes?: { readonly [axis: string]: string };
  desc?: string;
  cmd: string[];
  wdir: string;
  deps: Dependency[];
  code: string[];
  params: ParamSource[];
  env: { readonly [name: string]: string };
  outs: Output[];
  checkpoint?: string;
  resources: Resources;
  frozen: boolean;
  alwaysChanged: boolean;
  retries: number;
  /** seconds */
  timeout?: number;
  /** Where its definition stands in pipeline.yaml. */
  source: KeyPath;
}

export interface Pipeline {
  /** The folder of pipeline.yaml, absolute. */
  root: string;
  stages: Stage[];
  /** By params file: the schema file it is checked against. */
  schemas: { readonly [file: string]: string };
  limits: { readonly [name: string]: number };
  /** Every file that the stages above came from, relative to root; also those looked for in vain. */
  sources: string[];
}

/** The folder of the nearest pipeline.yaml, from `start` upward. */
export function findRoot(start: string): string {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if (existsSync(join(folder, PIPELINE))) return folder;
    if (folder === dirname(folder))
      throw new ReproError(
        `there is no ${PIPELINE} in ${resolve(start)} or any folder above it; \`repro init\` makes one`,
      );
  }
}
