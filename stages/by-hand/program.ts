/**
 * The command line of programs that people run by hand: `npm run NAME -- …`. They are not stages of the pipeline. Their
 * settings are those of params.yaml, unless an option says otherwise.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readParams } from '../../lib/repro/index.ts';
import type { Params } from '../parts/params.ts';
import { checkArguments, PARAMS_SCHEMA, printError, StageError } from '../parts/stage.ts';

/** Where the study puts its models. */
const MODELS = 'outputs/models';

/** The definition of a program. */
interface Program<Option extends string> {
  /** name of the npm script */
  name: string;
  /** the arguments in the usage line, for example "MODEL FILE…" */
  usage: string;
  /** what it does, in one or two sentences */
  description: string;
  /** least and greatest number of arguments */
  arguments: [least: number, most: number];
  /** options with a value, and their meaning */
  options?: Record<Option, string>;
  run(call: { args: string[]; options: Partial<Record<Option, string>> }): Promise<void>;
}

/** Runs a program. An error is printed to stderr in one sentence, and the exit code is 1. */
export async function program<Option extends string = never>(definition: Program<Option>): Promise<void> {
  const names = Object.keys(definition.options ?? {}) as Option[];
  const options = Object.fromEntries(
    names.map((name) => [name, { type: 'string' as const, ...(name === 'out' && { short: 'o' }) }]),
  );
  try {
    const { values, positionals } = parse({ ...options, help: { type: 'boolean', short: 'h' } }, definition);
    if (values.help) return void console.log(usageOf(definition));
    const [least, most] = definition.arguments;
    if (positionals.length < least || positionals.length > most)
      throw new StageError(
        `needs ${definition.usage || 'no arguments'}, and got ${positionals.length || 'nothing'}\n\n${usageOf(definition)}`,
      );
    checkArguments(positionals, values);
    await definition.run({ args: positionals, options: values as Partial<Record<Option, string>> });
  } catch (error) {
    printError(definition.name, error);
  }
}

function parse(options: Record<string, { type: 'string' | 'boolean'; short?: string }>, definition: Program<string>) {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new StageError(`${(error as Error).message}\n\n${usageOf(definition)}`);
  }
}

function usageOf({ name, usage, description, options = {} }: Program<string>): string {
  const entries = Object.entries<string>(options).map(([option, text]) => `  --${option.padEnd(12)} ${text}`);
  return [
    `npm run ${name} -- ${usage}${entries.length > 0 ? ' [options]' : ''}`.replace(/ -- $/, ''),
    '',
    description,
    ...(entries.length > 0 ? ['', ...entries] : []),
  ].join('\n');
}

/** The params of the project. */
export function projectParams(): Promise<Params> {
  return readParams('params.yaml', { schema: PARAMS_SCHEMA });
}

/**
 * The folder of a model.
 *
 * @param name a folder, or the name of a run of the study, such as char-gpt-tiny-1
 * @throws StageError naming the models that there are
 */
export function modelFolder(name: string): string {
  const folder = [name, join(MODELS, name)].find((path) => existsSync(join(path, 'config.json')));
  if (folder !== undefined) return folder;
  const models = existsSync(MODELS) ? readdirSync(MODELS).sort() : [];
  throw new StageError(
    `${name} is not a model: neither ${name} nor ${join(MODELS, name)} has a config.json. ` +
      (models.length > 0 ? `The study has ${models.join(', ')}` : 'npx repro trains the models of the study'),
  );
}

/** An option as a whole number. */
export function wholeNumber(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value)) throw new StageError(`--${option} is ${value}; it must be a whole number`);
  return Number(value);
}

/** An option as a number. */
export function numberOption(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (value.trim() === '' || !Number.isFinite(Number(value)))
    throw new StageError(`--${option} is ${value}; it must be a number`);
  return Number(value);
}
