/** A pipeline as plain data. All paths are relative to its folder. load-pipeline.ts reads it from pipeline.yaml. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Json, KeyPath } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';

/** Name of the pipeline's file; its folder is the root of the project. */
export const PIPELINE = 'pipeline.yaml';
/** Name of the params file that templates and `params` use by default. */
export const PARAMS = 'params.yaml';

/** A file or folder that a command reads. */
export interface Dependency {
  path: string;
  /** true: it may be missing. The lock then records that it was missing. */
  optional: boolean;
  /** true: `path` is a pattern, such as src/*.py. It counts which files match; the files themselves are listed too. */
  isPattern?: true;
  /** The pattern that lists this file. */
  pattern?: string;
}

/** A file or folder that a command writes. */
export interface Output {
  path: string;
  kind: 'out' | 'metric' | 'plot';
  /** false: git keeps it, and the cache does not. */
  cache: boolean;
  /** true: it is not removed before the command runs. */
  persist: boolean;
  /** How a plot is drawn: title, x, y. */
  options?: { readonly [name: string]: Json };
}

/** The params of a stage in one file. */
export interface ParamSource {
  file: string;
  /** Undefined for the whole file. */
  keys: string[] | undefined;
}

/** Resources that a stage occupies while it runs. */
export interface Resources {
  gpus: number;
  /** If 0, only -j limits how many stages run. */
  cpus: number;
  /** Bytes. */
  memory: number;
  /** Share of each of the pipeline's `limits`, by name. */
  limits: { readonly [name: string]: number };
}

/** A command: a script for sh, or a program with its arguments, which no shell reads. */
export type StageCommand = string | { readonly argv: readonly string[] };

/** One stage. All paths are relative to the pipeline's folder. */
export interface Stage {
  name: string;
  /** The name in pipeline.yaml, before any @. */
  group: string;
  /** For a cell of a matrix or foreach: its value on each axis. */
  axes?: { readonly [axis: string]: string };
  desc?: string;
  /** They run in order. */
  cmd: StageCommand[];
  wdir: string;
  deps: Dependency[];
  code: string[];
  params: ParamSource[];
  /** The names of the templates in `cmd` and `env`, such as "train.lr": the commands are given these values. */
  given?: readonly string[];
  env: { readonly [name: string]: string };
  outs: Output[];
  /** Metrics and plots that the lists at the top of pipeline.yaml name: outputs of the stage, or files in them. */
  results?: Output[];
  checkpoint?: string;
  /** The command that estimates how long the stage will take. */
  cost?: StageCommand;
  resources: Resources;
  frozen: boolean;
  alwaysChanged: boolean;
  /** true: the command updates its persistent outputs. It gets a list of the changes among its inputs. */
  incremental?: true;
  retries: number;
  /** Seconds. */
  timeout?: number;
  /** The place of its definition in `file`. */
  source: KeyPath;
  /** The included file that defines it; undefined for pipeline.yaml. Relative to the pipeline's folder. */
  file?: string;
}

/** Everything in pipeline.yaml. */
export interface Pipeline {
  /** The folder of pipeline.yaml, absolute. */
  root: string;
  stages: Stage[];
  /** The names of the definitions, also of those without any cell. */
  groups: string[];
  /** Schema files by params file. */
  schemas: { readonly [file: string]: string };
  limits: { readonly [name: string]: number };
  /** An output, or a file in one: its first lines are shown at the end of a run on a terminal. */
  headline?: string;
  /** The params files of the list `params` at the top. */
  paramsFiles?: string[];
  /** A sentence for the user about keys without effect. */
  note?: string;
  /** The files that all this was read from, relative to root, including files that were looked for and missing. */
  sources: string[];
}

/**
 * The nearest folder with a pipeline.yaml, from `start` upward.
 *
 * @throws ReproError if there is none, or if the path of `start` is not UTF-8: Node would look into folders above it
 */
export function findRoot(start: string): string {
  if (start.includes('\ufffd') && !existsSync(start))
    throw new ReproError(
      `the path of this folder is not UTF-8, so repro cannot work in it: ${start}; rename the folder`,
    );
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if (existsSync(join(folder, PIPELINE))) return folder;
    if (folder === dirname(folder)) {
      const way = existsSync(join(start, 'dvc.yaml'))
        ? '`repro import-dvc` makes one from dvc.yaml'
        : '`repro init` creates one';
      throw new ReproError(`there is no ${PIPELINE} in ${resolve(start)} or any folder above it; ${way}`);
    }
  }
}
