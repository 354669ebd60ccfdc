/** Checks params that a program has put together itself, and that are in no file of the user. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Problem, ReproError, readParams } from '../../lib/repro/index.ts';
import type { Params } from './params.ts';
import { PARAMS_SCHEMA } from './stage.ts';

/**
 * Checks params against the schema of params.yaml, as a stage would.
 *
 * @returns what is wrong, with the keys; empty if nothing is. The places are in a temporary file, so do not show them
 */
export async function problemsOf(params: Params): Promise<readonly Problem[]> {
  const folder = mkdtempSync(join(tmpdir(), 'params-'));
  try {
    const file = join(folder, 'params.yaml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(params));
    await readParams(file, { schema: PARAMS_SCHEMA });
    return [];
  } catch (error) {
    if (error instanceof ReproError) return error.problems;
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
