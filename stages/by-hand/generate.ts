/**
 * Samples tunes from a trained model: `npm run generate -- MODEL`. It runs the stage program generate.ts with the
 * settings of params.yaml and those of the options, so the samples are those that the stage would draw.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MusicError, opening, rewriteAbc, TuneState } from '../../lib/music/index.ts';
import { problemsOf } from '../parts/check-params.ts';
import { tokenizerOf } from '../parts/model-files.ts';
import type { Params } from '../parts/params.ts';
import { readJson, readText, StageError } from '../parts/stage.ts';
import { modelFolder, numberOption, program, projectParams, wholeNumber } from './program.ts';

const STAGES = resolve(fileURLToPath(new URL('..', import.meta.url)));

await program({
  name: 'generate',
  usage: 'MODEL',
  description:
    'Samples tunes from MODEL, a folder or the name of a run, and writes them as ABC and MIDI. What an option does not say comes from the section generate of params.yaml.',
  arguments: [1, 1],
  options: {
    prompt: 'a file of ABC text that samples begin with, or header, bars or none. Default: generate.prompt',
    count: 'samples that follow the rules of the dialect, so that each is a whole tune. Default: 10',
    free: 'samples without rules. Default: 0',
    out: 'an empty or new folder. Default: outputs/generated/ and the name of the model',
    tokens: 'a folder of tokens, whose test split gives headers. Default: that of the tokenizer in data/tokens',
    'max-tokens': 'tokens per sample',
    temperature: 'divides the logits; 0: always the most likely token',
    'top-k': 'sample from this many most likely tokens; 0: no limit',
    'top-p': 'sample from the most likely tokens that together have this probability',
    seed: 'another seed gives other samples',
  },
  async run({ args: [name], options }) {
    const model = modelFolder(name);
    const tokenizer = tokenizerOf(model);
    const params = await projectParams();
    const count = wholeNumber('count', options.count) ?? (options.free === undefined ? 10 : 0);
    const given = {
      prompt: await promptOf(options.prompt, params.convert),
      count,
      free: wholeNumber('free', options.free) ?? 0,
      max_tokens: wholeNumber('max-tokens', options['max-tokens']),
      temperature: numberOption('temperature', options.temperature),
      top_k: wholeNumber('top-k', options['top-k']),
      top_p: numberOption('top-p', options['top-p']),
      seed: wholeNumber('seed', options.seed),
    };
    const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const generate: Params['generate'] = { ...params.generate, ...chosen };
    if (generate.count + generate.free === 0) throw new StageError('no sample is asked for; give --count or --free');
    let tokens = options.tokens ?? join('data/tokens', tokenizer.kind);
    const needsTunes = generate.prompt === 'header' || generate.prompt === 'bars';
    if (!needsTunes) tokens = model;
    else if (!existsSync(join(tokens, 'tokenizer.json'))) {
      if (options.tokens !== undefined)
        throw new StageError(`--tokens is ${tokens}, which is not a folder of tokens: it has no tokenizer.json`);
      console.error(`There is no ${tokens} to take headers from, so the model writes them too (--prompt none).`);
      generate.prompt = 'none';
      tokens = model;
    }
    const out = options.out ?? freeFolder(join('outputs/generated', basename(resolve(model))));
    if (existsSync(out) && readdirSync(out).length > 0)
      throw new StageError(`${out} is not empty; name another folder with --out`);
    await checkOptions({ ...params, generate });
    const drawn = await draw([model, tokens, out], { ...params, generate });
    if (drawn === undefined) return;
    console.log(`${out}: ${describe(drawn.samples + drawn.free.samples, drawn.valid + drawn.free.valid)}`);
  },
});

/** The prompt: a keyword of generate.prompt, or the text of a file. */
async function promptOf(prompt: string | undefined, convert: Params['convert']): Promise<string | undefined> {
  if (prompt === undefined || (['header', 'bars', 'none'].includes(prompt) && !existsSync(prompt))) return prompt;
  if (!existsSync(prompt))
    throw new StageError(`--prompt is ${prompt}, and there is no such file; it may also be header, bars or none`);
  return inDialect((await readText(prompt)).replaceAll('\r\n', '\n'), convert) || 'none';
}

/**
 * The text as the models know ABC: rewritten in the dialect, if it is a header or the beginning of a tune in other ABC.
 * A text that cannot be read stays as it is; samples without rules can begin with it.
 */
function inDialect(text: string, { grid, tuplets }: Params['convert']): string {
  if (new TuneState({ grid, tuplets }).acceptAll(text) === text.length) return text;
  const isHeader = !/^K:.*\n+(?!V:|%)./m.test(text);
  try {
    const { abc } = rewriteAbc(isHeader ? `${text.trimEnd()}\n${twoBars(text)}` : text, { grid, tuplets });
    console.error('The prompt was rewritten in the dialect of docs/music.md.');
    return isHeader ? opening(abc, 0).text : abc.trimEnd();
  } catch (error) {
    if (error instanceof MusicError) return text;
    throw error;
  }
}

/** Music for a header: a bar of rest and a note in each of its voices. */
function twoBars(header: string): string {
  const voices = [...header.matchAll(/^V:\s*(\S+)/gm)].map(([, voice]) => `[V:${voice}]`);
  const bar = (music: string) =>
    `${(voices.length > 0 ? voices : ['']).map((voice) => `${voice}${music}|`).join('')}\n`;
  return bar('Z') + bar('C');
}

/** The folder, or if it is there, the first of FOLDER-2, FOLDER-3 … that is not. */
function freeFolder(folder: string): string {
  let free = folder;
  for (let i = 2; existsSync(free); i++) free = `${folder}-${i}`;
  return free;
}

/** Runs the stage. Returns its metrics, or undefined if it failed; it has then said why. */
async function draw(paths: string[], params: Params) {
  const folder = mkdtempSync(join(tmpdir(), 'generate-'));
  try {
    const [file, metrics] = [join(folder, 'params.yaml'), join(folder, 'metrics.json')];
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(params));
    const program = [join(STAGES, 'start.mjs'), join(STAGES, 'generate.ts')];
    const args = [...program, ...paths, '--params', file, '--metrics', metrics];
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    if (status === 0) return await readJson(metrics);
    process.exitCode = status ?? 1;
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Checks the settings as the stage will check them.
 *
 * @throws StageError naming the options that are wrong
 */
async function checkOptions(params: Params): Promise<void> {
  const wrong = (await problemsOf(params)).map(({ key, message }) => {
    const option = key?.replace(/^generate\./, '').replaceAll('_', '-');
    return option === undefined ? message : `--${option} ${message}`;
  });
  if (wrong.length > 0) throw new StageError(wrong.join('\n'));
}

function describe(samples: number, valid: number): string {
  return `${samples} ${samples === 1 ? 'sample' : 'samples'}, ${valid} of them valid tunes`;
}
