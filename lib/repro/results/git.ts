/** What repro asks of git: files as they were at a revision. It changes nothing there. */
import { posix } from 'node:path';
import { ReproError } from '../messages/index.ts';

export interface Revision {
  name: string;
  /** Undefined when the file was not in it. */
  read(path: string): Promise<string | undefined>;
  /** Of these paths, the texts of those that were in it. */
  readAll(paths: readonly string[]): Promise<Map<string, string>>;
  /** Paths in it, relative to the root, under `prefix`. */
  list(prefix: string): Promise<string[]>;
}

/** Throws ReproError, in one sentence, where there is no git, no repository or no such revision. */
export async function openRevision(root: string, name: string): Promise<Revision> {
  const { execa } = await import('execa');
  const git = (...args: string[]) => execa('git', args, { cwd: root, reject: false, stripFinalNewline: false });
  const found = await git('rev-parse', '--verify', '--quiet', `${name}^{commit}`);
  if (found.code === 'ENOENT')
    throw new ReproError(`git is not installed, so there is no revision "${name}" to compare with`);
  if (found.exitCode !== 0) {
    const inside = await git('rev-parse', '--git-dir');
    if (inside.exitCode !== 0)
      throw new ReproError(`this folder is in no git repository, so there is no revision "${name}" to compare with`);
    const any = await git('rev-parse', '--verify', '--quiet', 'HEAD');
    throw new ReproError(
      any.exitCode === 0
        ? `git knows no revision "${name}"; \`git log --oneline\` and \`git branch\` list what it knows`
        : `this git repository has no commit yet, so there is no revision "${name}" to compare with`,
    );
  }
  const commit = found.stdout.trim();
  const readAll = async (paths: readonly string[]) => {
    const asked = paths.filter((path) => !path.includes('\n'));
    const input = asked.map((path) => `${commit}:./${posix.normalize(path)}\n`).join('');
    const { stdout } = await execa('git', ['cat-file', '--batch'], {
      cwd: root,
      input,
      reject: false,
      encoding: 'buffer',
    });
    return readBatch(asked, Buffer.from(stdout ?? []));
  };
  return {
    name,
    read: async (path) => (await readAll([path])).get(path),
    readAll,
    list: async (prefix) => {
      const listed = await git('ls-tree', '-r', '--name-only', '-z', commit, '--', prefix);
      return listed.exitCode === 0 ? listed.stdout.split('\0').filter((path) => path !== '') : [];
    },
  };
}

/** What `git cat-file --batch` says of each path: a line `hash type size` and the content, or a line that ends in `missing`. */
function readBatch(paths: readonly string[], answer: Buffer): Map<string, string> {
  const texts = new Map<string, string>();
  let at = 0;
  for (const path of paths) {
    const end = answer.indexOf('\n', at);
    if (end < 0) break;
    const [, type, size] = / (\w+) (\d+)$/.exec(answer.toString('utf8', at, end)) ?? [];
    at = end + 1;
    if (size === undefined) continue;
    if (type === 'blob') texts.set(path, answer.toString('utf8', at, at + Number(size)));
    at += Number(size) + 1;
  }
  return texts;
}

export interface History {
  /** A file's text at each commit that touched it and, first, at HEAD; newest first, by abbreviated hash. */
  versions(path: string): AsyncIterable<{ name: string; text: string }>;
}

/** How far back is looked. */
const COMMITS = 200;

/** Undefined where there is no git or no commit. */
export async function openHistory(root: string): Promise<History | undefined> {
  const { execa } = await import('execa');
  const git = (...args: string[]) => execa('git', args, { cwd: root, reject: false, stripFinalNewline: false });
  const head = await git('rev-parse', '--short', 'HEAD');
  if (head.exitCode !== 0) return undefined;
  return {
    async *versions(path) {
      const log = await git('log', '--format=%h', `-n${COMMITS}`, '--', path);
      const touched = log.exitCode === 0 ? log.stdout.split('\n').filter((name) => name !== '') : [];
      for (const name of new Set([head.stdout.trim(), ...touched])) {
        const shown = await git('show', `${name}:./${path}`);
        if (shown.exitCode === 0) yield { name, text: shown.stdout };
      }
    },
  };
}
