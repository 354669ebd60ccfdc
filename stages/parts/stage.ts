/**
 * Code that all stage programs share: command line, params.yaml, progress, the metrics file, and error messages.
 *
 *     tsx stages/NAME.ts INPUT… OUTPUT… [--flags] [--params FILE] [--metrics FILE]
 *
 * A stage program is one call of `stage`. It reads its inputs, calls a function of lib/, and returns its metrics.
 */
import { existsSync, statfsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeError, escapeControls, openProgress, readParams } from '../../lib/repro/index.ts';
import type { Params } from './params.ts';

/** The schema of params.yaml. */
export const PARAMS_SCHEMA = fileURLToPath(new URL('../params.schema.json', import.meta.url));

/** Thrown if an argument, a parameter or an input file is wrong. The message is for users. */
export class StageError extends Error {}

/** The definition of a stage program. */
export interface Stage<Flag extends string> {
  /** name of the program's file, without .ts */
  name: string;
  /** one sentence for --help */
  description: string;
  /** names of the positional arguments; all are required */
  paths: string[];
  /** flags in addition to --params and --metrics, with their meaning; required unless listed in `optional` */
  flags?: Record<Flag, string>;
  optional?: NoInfer<Flag>[];
  /** Does the work and returns the metrics, which are written to --metrics as JSON. */
  run(call: {
    /** the positional arguments, in the order of `paths` above */
    paths: string[];
    /** values of the flags */
    flags: Record<Flag, string>;
    /** params.yaml; a key that pipeline.yaml does not list for the stage throws an error */
    params: Params;
    progress: ReturnType<typeof openProgress>;
  }): Promise<object>;
}

/**
 * Runs a stage program: parses the command line, reads params.yaml, calls `run`, and writes the metrics. An error is
 * printed to stderr in one sentence, with its stack if DEBUG is set, and the exit code is 1.
 *
 * @example
 * await stage({
 *   name: 'fit',
 *   description: 'Fits a scaling law …',
 *   paths: ['RUNS.csv', 'OUT.json'],
 *   async run({ paths: [runs, out], params }) { … return metrics; },
 * });
 */
export async function stage<Flag extends string = never>(definition: Stage<Flag>): Promise<void> {
  try {
    const call = parseCall(definition);
    if (call === 'help') return void console.log(usage(definition));
    const params = (await readParams(call.paramsFile, { schema: PARAMS_SCHEMA })) as Params;
    const progress = openProgress();
    const metrics = await definition.run({ paths: call.paths, flags: call.flags, params, progress });
    progress.close();
    if (call.metricsFile) await writeJson(call.metricsFile, metrics);
  } catch (error) {
    printError(definition.name, error);
  }
}

/** Prints an error to stderr in one sentence, with its stack if DEBUG is set. The exit code becomes 1. */
export function printError(program: string, error: unknown): void {
  process.stderr.write(`${program}: ${escapeControls(describe(error))}\n`);
  process.exitCode = 1;
}

function usage(definition: Stage<string>): string {
  const flags = Object.keys(definition.flags ?? {}).map((flag) => {
    const text = `--${flag} ${flag.toUpperCase()}`;
    return definition.optional?.includes(flag) ? `[${text}]` : text;
  });
  const call = [`tsx stages/${definition.name}.ts`, ...definition.paths, ...flags].join(' ');
  const lines = Object.entries(definition.flags ?? {}).map(([flag, text]) => `  --${flag.padEnd(14)} ${text}`);
  return [
    `${call} [--params params.yaml] [--metrics FILE]`,
    '',
    definition.description,
    '',
    ...lines,
    `  --params FILE    parameters. Default: params.yaml`,
    `  --metrics FILE   where to write the metrics, as JSON`,
  ].join('\n');
}

function parseCall<Flag extends string>(definition: Stage<Flag>) {
  const names = Object.keys(definition.flags ?? {}) as Flag[];
  const strings = ['params', 'metrics', ...names].map((name) => [name, { type: 'string' as const }] as const);
  const options = { ...Object.fromEntries(strings), help: { type: 'boolean' as const, short: 'h' } };
  let parsed: { values: Record<string, string | boolean | undefined>; positionals: string[] };
  try {
    parsed = parseArgs({ options, allowPositionals: true }) as typeof parsed;
  } catch (error) {
    throw new StageError(`${(error as Error).message}\n\n${usage(definition)}`);
  }
  if (parsed.values.help) return 'help';
  if (parsed.positionals.length !== definition.paths.length) {
    const wanted = definition.paths.join(' ');
    const got = parsed.positionals.length === 1 ? '1 path' : `${parsed.positionals.length} paths`;
    throw new StageError(`needs ${wanted}, and got ${got}\n\n${usage(definition)}`);
  }
  checkArguments(parsed.positionals, parsed.values);
  const missing = names.find((name) => parsed.values[name] === undefined && !definition.optional?.includes(name));
  if (missing) throw new StageError(`--${missing} is missing\n\n${usage(definition)}`);
  return {
    paths: parsed.positionals,
    flags: parsed.values as Record<Flag, string>,
    paramsFile: (parsed.values.params as string | undefined) ?? 'params.yaml',
    metricsFile: parsed.values.metrics as string | undefined,
  };
}

/**
 * Checks the arguments and options of a program as paths, before it does any work. A number or a name passes too.
 *
 * @throws StageError naming the one that is empty, or that cannot be written
 */
export function checkArguments(positionals: readonly string[], options: Record<string, unknown>): void {
  const named: [name: string, value: unknown][] = [
    ...positionals.map((value, i): [string, unknown] => [`argument ${i + 1}`, value]),
    ...Object.entries(options).map(([name, value]): [string, unknown] => [`--${name}`, value]),
  ];
  for (const [name, value] of named) {
    if (value === '') throw new StageError(`${name} is empty`);
    if (typeof value === 'string') checkFolder(value);
  }
}

/** The type of /proc in `statfs`, PROC_SUPER_MAGIC of Linux. */
const PROC_FILESYSTEM = 0x9fa0;

/**
 * Refuses a path below /proc that does not exist. Node would try for ever to make its folder.
 *
 * @throws StageError naming the path
 */
function checkFolder(path: string): void {
  let folder = resolve(path);
  if (existsSync(folder)) return;
  while (!existsSync(folder)) folder = dirname(folder);
  if (statfsSync(folder).type === PROC_FILESYSTEM) throw new StageError(`${path}: ${folder} cannot hold new files`);
}

/** Describes the error in one sentence for users. If DEBUG is set, returns the stack instead. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (process.env.DEBUG) return error.stack ?? error.message;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (code && syscall) return path ? `${path}: ${describeError(error)}` : describeError(error);
  const fault = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return fault ? `a fault in the program: ${error.message} (DEBUG=1 shows where)` : error.message;
}

/**
 * Reads a text file without its byte order mark.
 *
 * @throws StageError naming the file if it is not UTF-8
 * @throws Error of node:fs with the path, which Node leaves out for a folder
 */
export async function readText(file: string): Promise<string> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    error.path ??= file;
    throw error;
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new StageError(`${file}: not a text in UTF-8; save it as UTF-8`);
  }
}

/**
 * Reads a JSON file of another stage. Its type is not checked.
 *
 * @throws StageError naming the file if it is not JSON
 */
// biome-ignore lint/suspicious/noExplicitAny: the caller knows the type
export async function readJson(file: string): Promise<any> {
  const text = await readText(file);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StageError(`${file}: not JSON (${(error as Error).message}); if a stage made it, run that stage again`);
  }
}

/** Writes a value as JSON with `writeText`. */
export async function writeJson(file: string, value: object): Promise<void> {
  await writeText(file, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Writes a text file, and creates its folder. The text is written to a temporary file, which is then renamed, so a
 * reader never sees a part of it.
 */
export async function writeText(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(`${file}.part`, text);
    await rename(`${file}.part`, file);
  } catch (error) {
    await rm(`${file}.part`, { force: true });
    throw Object.assign(error as NodeJS.ErrnoException, { path: file });
  }
}

/**
 * Checks that a table which a person asked for by name may be written: a file is replaced only if it is such a table too,
 * one with the same header. Programs call it before they compute the table.
 *
 * @param header the first line of the table
 * @throws StageError if the file holds anything else
 * @example await checkTable('losses.csv', 'tune,bits')
 */
export async function checkTable(file: string, header: string): Promise<void> {
  if (existsSync(file) && !(await readFile(file, 'utf8').catch(() => '')).startsWith(`${header}\n`))
    throw new StageError(`${file} is there already, and is not a table with these columns; name another file`);
}

/**
 * Writes a table that a person asked for by name. The file is checked once more, because it may be new since the check.
 *
 * @param csv the table without the newline at its end
 * @throws StageError as `checkTable`
 */
export async function writeTable(file: string, csv: string): Promise<void> {
  await checkTable(file, csv.split('\n')[0]);
  await writeText(file, `${csv}\n`);
}
