/** Runs a stage program outside the pipeline, with other values of params.yaml. For scripts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Params } from '../stages/parts/params.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Runs a stage program. Calls side by side need different folders.
 *
 * @param folder for params.yaml, which is overwritten; the folder is made if missing
 * @param stage for example "train", the name of a program in stages/
 * @param args its paths and flags, without --params
 * @throws ExecaError with the message of the stage if it fails
 */
export async function runStage(folder: string, params: Params, stage: string, ...args: string[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'params.yaml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(params));
  await execa('node', [join(ROOT, 'stages/start.mjs'), join(ROOT, `stages/${stage}.ts`), ...args, '--params', file]);
}
