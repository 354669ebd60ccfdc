/**
 * A copy of the study in a temporary folder, small enough to run in seconds, with the real pipeline, stages, libs and
 * addons.
 */
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { project, type TestProject } from '../repro/project.ts';

/** The folder of the project. */
export const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');

/** Parameters that make the study small: dotted keys of params.yaml and their values. */
const SMALL: Record<string, unknown> = {
  'download.pieces': 30,
  'train.sizes': ['gpt-tiny', 'lstm-tiny'],
  'train.seeds': [1],
  'train.tokens': 20000,
  'train.schedule': 'wsd',
  'train.budgets': [0.25, 0.5],
  'train.evaluations': 3,
  'train.evaluation_tokens': 2000,
  'evaluate.max_bytes': 3000,
  'generate.count': 1,
  'generate.free': 1,
  'generate.max_tokens': 200,
};

/** Copies the study into a temporary folder, with small parameters. */
export function smallStudy(): TestProject {
  const params = parseDocument(readFileSync(join(ROOT, 'params.yaml'), 'utf8'));
  for (const [key, value] of Object.entries(SMALL)) params.setIn(key.split('.'), value);
  const study = project({
    'params.yaml': params.toString(),
    'pipeline.yaml': readFileSync(join(ROOT, 'pipeline.yaml'), 'utf8'),
    'studies.yaml': readFileSync(join(ROOT, 'studies.yaml'), 'utf8'),
    'package.json': readFileSync(join(ROOT, 'package.json'), 'utf8'),
    'tsconfig.json': readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'),
  });
  for (const folder of ['lib', 'stages']) cpSync(join(ROOT, folder), study.path(folder), { recursive: true });
  for (const folder of ['node_modules', 'native', 'dist']) symlinkSync(join(ROOT, folder), study.path(folder));
  return study;
}
