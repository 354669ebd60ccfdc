/**
 * What every stage program shares: its arguments, its section of params.yaml, progress, its metrics file, and errors for people.
 *
 *     tsx stages/NAME.ts INPUT… OUTPUT… [--flags] [--params FILE] [--metrics FILE]
 *
 * A stage program is a call of `stage`; what it computes lives in lib/.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeError, openProgress, readParams } from '../lib/repro/index.ts';
import type { Params } from './params.ts';

const paramsSchema = fileURLToPath(new URL('./params.schema.json', import.meta.url));

/** The arguments or a file are not what the stage needs; the message says what would be right. */
export class StageError extends Error {}

export interface Stage<Flag extends string> {
  name: string;
  /** One line: what it makes of what. */
  does: string;
  /** The positional arguments by name, all required. */
  paths: string[];
  /** Flags beside --params and --metrics, with what they mean; required but for those in `optional`. */
  flags?: Record<Flag, string>;
  optional?: NoInfer<Flag>[];
  /** Returns the metrics: what was kept, what was dropped and why. */
  run(call: {
    paths: string[];
    flags: Record<Flag, string>;
    params: Params;
    progress: ReturnType<typeof openProgress>;
  }): Promise<object>;
}

export async function stage<Flag extends string = never>(definition: Stage<Flag>): Promise<void> {
  try {
    const call = parseCall(definition);
    if (call === 'help') return void console.log(usage(definition));
    const params = (await readParams(call.paramsFile, { schema: paramsSchema })) as Params;
    const progress = openProgress();
    const metrics = await definition.run({ paths: call.paths, flags: call.flags, params, progress });
    progress.close();
    if (call.metricsFile) await writeJson(call.metricsFile, metrics);
  } catch (error) {
    process.stderr.write(`${definition.name}: ${explain(error)}\n`);
    process.exitCode = 1;
  }
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
    definition.does,
    '',
    ...lines,
    `  --params FILE    settings, instead of params.yaml`,
    `  --metrics FILE   where to write what was kept, dropped and why`,
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
  const missing = names.find((name) => parsed.values[name] === undefined && !definition.optional?.includes(name));
  if (missing) throw new StageError(`--${missing} is missing\n\n${usage(definition)}`);
  return {
    paths: parsed.positionals,
    flags: parsed.values as Record<Flag, string>,
    paramsFile: (parsed.values.params as string | undefined) ?? 'params.yaml',
    metricsFile: parsed.values.metrics as string | undefined,
  };
}

/** One sentence for a person; the stack too, with DEBUG set. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (process.env.DEBUG) return error.stack ?? error.message;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (code && syscall) return path ? `${path}: ${describeError(error)}` : describeError(error);
  const fault = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return fault ? `a fault in the program: ${error.message} (DEBUG=1 shows where)` : error.message;
}

/** Another stage's file; its shape is the caller's to know. Throws a StageError that names it where it is no JSON. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export async function readJson(file: string): Promise<any> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StageError(`${file}: no JSON (${(error as Error).message}); run the stage that makes it again`);
  }
}

/** By temp file and rename, so that a reader never sees half of it. */
export async function writeJson(file: string, value: object): Promise<void> {
  await writeText(file, `${JSON.stringify(value, null, 2)}\n`);
}

export async function writeText(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.part`, text);
  await rename(`${file}.part`, file);
}
