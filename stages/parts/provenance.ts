/**
 * How the results of a study were made: the commit of its code and settings, and the hashes of what its stages made.
 *
 * The page must have the same bytes for the same study, so it holds no clock, host or duration of the run that wrote it.
 * Its date is that of the commit. The commit is the last one that changed the code or the settings: committing results,
 * texts or tests does not change it. The hashes come from dvc-like.lock and are left out if the lock describes other results.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Software } from '../../lib/report/index.ts';

/** What decides the results, besides the data. */
const SOURCES = ['pipeline.yaml', 'params.yaml', 'stages', 'lib', 'native', 'package.json', 'package-lock.json'];
const LOCK = 'dvc-like.lock';

/** The commit of the code and settings. */
export interface Commit {
  /** full hash */
  hash: string;
  /** YYYY-MM-DD, of the committer */
  date: string;
  /** whether the code or the settings have changes that are not committed */
  isDirty: boolean;
}

/** @returns undefined outside of git, or if nothing is committed */
export function commitOfStudy(): Commit | undefined {
  try {
    const sources = SOURCES.filter((path) => existsSync(path));
    const [hash, date] = git('log', '-1', '--format=%H %cs', '--', ...sources)
      .trim()
      .split(' ');
    if (!hash) return undefined;
    return { hash, date, isDirty: git('status', '--porcelain', '--', ...sources).trim() !== '' };
  } catch {
    return undefined;
  }
}

function git(...args: string[]): string {
  return execFileSync('git', ['--no-optional-locks', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** Name, version and licence of this software, from package.json. */
export function softwareOfStudy(commit: Commit | undefined): Software {
  const { name, version, license } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return { name, version, licence: license, commit };
}

/** The hash of an output in the lock. */
export interface OutputHash {
  stage: string;
  path: string;
  sha256: string;
}

/**
 * The hashes of all outputs in the lock, by stage.
 *
 * @param files outputs that are hashed and compared with the lock, to see that it describes the current results
 * @returns an empty list if there is no lock, or if one of `files` differs from it
 */
export function outputHashes(files: readonly string[]): OutputHash[] {
  if (!existsSync(LOCK)) return [];
  let stages: Record<string, { outs?: Record<string, { sha256?: string }> }>;
  try {
    stages = parse(readFileSync(LOCK, 'utf8')).stages ?? {};
  } catch {
    return [];
  }
  const hashes = Object.entries(stages).flatMap(([stage, { outs = {} }]) =>
    Object.entries(outs).flatMap(([path, { sha256 }]) => (sha256 ? [{ stage, path, sha256 }] : [])),
  );
  const known = new Map(hashes.map(({ path, sha256 }) => [path, sha256]));
  const agree = files.every(
    (file) => known.get(file) === createHash('sha256').update(readFileSync(file)).digest('hex'),
  );
  // The hash of the page itself is that of an earlier page.
  return agree ? hashes.filter(({ stage }) => stage !== 'report') : [];
}
