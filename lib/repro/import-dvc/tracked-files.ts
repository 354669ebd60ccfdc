/**
 * .dvc files. Each says which file or folder DVC keeps, with its MD5. repro hashes inputs itself, by SHA-256, so the MD5
 * only serves to get the data from a remote of DVC.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isMapping, type Json, numberOf, parseSource } from '../documents/index.ts';
import { describeBytes, ReproError } from '../messages/index.ts';
import { contains, normalise, type Stage } from '../pipeline/index.ts';
import type { Report } from './report.ts';

/**
 * Reports what a .dvc file tracks.
 *
 * @param file path relative to `root`
 * @param stages the stages of the new pipeline, to find out which of them read it; empty if it cannot be read
 */
export async function reportTracked(
  { root, file, text }: { root: string; file: string; text: string },
  stages: readonly Stage[],
  report: Report,
): Promise<void> {
  let value: Json;
  try {
    value = (await parseSource(text, file)).value as Json;
  } catch (error) {
    if (!(error instanceof ReproError)) throw error;
    report.leave(error.message);
    return;
  }
  if (!isMapping(value)) return;
  if (value.cmd !== undefined) {
    report.leave('a stage of DVC before 1.0; write it into pipeline.yaml', { file, line: 1 });
    return;
  }
  const folder = file.includes('/') ? file.slice(0, file.lastIndexOf('/')) : '.';
  const wdir = normalise(root, folder, typeof value.wdir === 'string' ? value.wdir : '.');
  const origin = describeOrigin(value.deps);
  for (const out of Array.isArray(value.outs) ? value.outs : []) {
    if (!isMapping(out) || typeof out.path !== 'string') continue;
    const path = normalise(root, wdir, out.path);
    const size = numberOf(out.size);
    const facts = [
      hashOf(out),
      size === undefined ? undefined : describeBytes(Number(size)),
      origin,
      describeReaders(path, stages),
    ];
    const isThere = existsSync(join(root, path));
    const rest = isThere ? '' : '; it is missing here: dvc pull';
    report.leave(`${path}: ${facts.filter((fact) => fact !== undefined).join(', ')}${rest}`, { file, line: 1 });
  }
}

function hashOf(out: { readonly [key: string]: Json }): string | undefined {
  for (const kind of ['md5', 'etag', 'checksum'])
    if (out[kind] !== undefined && out[kind] !== null) return `${kind} ${String(out[kind])}`;
  return Array.isArray(out.files) ? `${out.files.length} files` : undefined;
}

/** Where `dvc import` or `dvc import-url` took the data from. */
function describeOrigin(deps: Json | undefined): string | undefined {
  const [dep] = Array.isArray(deps) ? deps : [];
  if (!isMapping(dep)) return undefined;
  const { repo, path } = dep;
  if (!isMapping(repo)) return `from ${String(path)}`;
  const revision = repo.rev_lock ?? repo.rev;
  return `from ${String(path)} of ${String(repo.url)}${revision === undefined ? '' : ` at ${String(revision).slice(0, 12)}`}`;
}

function describeReaders(path: string, stages: readonly Stage[]): string {
  const readers = stages.filter(({ deps }) => deps.some((dep) => contains(dep.path, path) || contains(path, dep.path)));
  const groups = [...new Set(readers.map(({ group }) => group))];
  return groups.length === 0
    ? 'read by no stage'
    : `read by ${groups.slice(0, 3).join(', ')}${groups.length > 3 ? ', …' : ''}`;
}
