/**
 * How the results of a study were made: the commit of its code and settings, and the hashes of what its stages made.
 *
 * The page must have the same bytes for the same study, so it holds no clock, host or duration of the run that wrote
 * it. Its date is that of the commit. The commit is the last one that changed the settings or the code that computes
 * results: committing results, texts, tests or the runner does not change it. A shallow clone may lack that commit, and
 * the page then says that it is not known. The hashes come from dvc-like.lock and are left out if the lock describes
 * other results.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Software } from '../../lib/report/index.ts';

/** Paths that decide the results, besides the data. Git reads these as pathspecs. */
const SOURCES = ['pipeline.yaml', 'params.yaml', 'stages', 'lib', 'native', 'package-lock.json'];
/** Parts of them that do not: the runner, the addon that starts commands, and texts. */
const NOT_SOURCES = ['lib/repro', 'native/spawn', '*.md'];
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

/** @returns undefined outside of git, if nothing is committed, or if a shallow clone lacks the commit */
export function commitOfStudy(): Commit | undefined {
  try {
    const sources = SOURCES.filter((path) => existsSync(path));
    sources.push(...NOT_SOURCES.map((path) => `:(exclude)${path}`));
    const [hash, date] = git('log', '-1', '--format=%H %cs', '--', ...sources)
      .trim()
      .split(' ');
    if (!hash || isBoundary(hash)) return undefined;
    return { hash, date, isDirty: git('status', '--porcelain', '--', ...sources).trim() !== '' };
  } catch {
    return undefined;
  }
}

/** Whether a shallow clone ends at this commit, so that an earlier one may be the last that changed something. */
function isBoundary(hash: string): boolean {
  const file = git('rev-parse', '--git-path', 'shallow').trim();
  return existsSync(file) && readFileSync(file, 'utf8').split('\n').includes(hash);
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
