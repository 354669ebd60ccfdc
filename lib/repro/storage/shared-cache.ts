/**
 * A cache that several projects share, such as the worktrees of a repository: `cache: {dir: /data/cache}` in
 * .repro/config.yaml. Objects are named by their content, so projects can only ever add the same object.
 *
 *   sha256/          the objects
 *   projects/ID      a project that uses the cache: its folder and its host
 *   sessions/ID      a repro that may write to the cache now
 *   gc               a gc that is deleting objects
 *
 * Deleting is what could harm another project. gc keeps each object that a lock or a run cache of any project needs. It
 * deletes nothing while another repro may write here, or if it cannot see what a project needs: its folder is missing,
 * or it is of another host. A repro that begins while a gc deletes is refused.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryPath, thisHost, writeAtomically } from '../files/index.ts';
import { readUtf8, readUtf8OrUndefined } from '../freshness/index.ts';
import { sha256 } from '../hashing/index.ts';
import { describeError, ReproError } from '../messages/index.ts';
import { startTimeOf } from '../processes/index.ts';

/** A process, as the files of the cache name it. */
interface Process {
  /** The name of its host, for messages. */
  name: string;
  /** The same after a reboot. */
  machine: string;
  boot?: string;
  /** The namespace of `pid`. */
  host: string;
  pid: number;
  started: string;
  root: string;
}

/** This repro's part in a shared cache. */
export class SharedCache {
  /** Absolute. */
  readonly folder: string;
  readonly #root: string;
  #session: string | undefined;

  /** @param folder an absolute path */
  constructor(folder: string, root: string) {
    this.folder = folder;
    this.#root = root;
  }

  /**
   * Says that this project uses the cache, and that this process may write to it until `close`.
   *
   * @throws ReproError if the cache cannot be written, or a gc is deleting objects
   */
  begin(): void {
    const { machine, name, root } = this.#self();
    try {
      for (const part of ['projects', 'sessions']) mkdirSync(join(this.folder, part), { recursive: true });
      const project = join(this.folder, 'projects', sha256(`${machine} ${root}`).slice(0, 16));
      if (!existsSync(project))
        writeAtomically(project, `${JSON.stringify({ root, machine, name })}\n`, { fsync: true });
      this.#session = temporaryPath(join(this.folder, 'sessions/repro'));
      writeFileSync(this.#session, JSON.stringify(this.#self()), { flag: 'wx' });
    } catch (error) {
      throw new ReproError(`the cache ${this.folder} of .repro/config.yaml cannot be written: ${describeError(error)}`);
    }
    // A gc looks for sessions after it has written its file, so one of the two sees the other.
    const gc = readProcess(join(this.folder, 'gc'));
    if (gc === undefined || !mayRun(gc)) return;
    this.close();
    throw new ReproError(
      `repro gc is deleting objects in ${this.folder} (process ${gc.pid}); try again when it has ended`,
      1,
    );
  }

  /** Ends what `begin` began. */
  close(): void {
    if (this.#session !== undefined) rmSync(this.#session, { force: true });
    this.#session = undefined;
  }

  /**
   * Calls `work`, during which no other repro begins to write to the cache.
   *
   * @throws ReproError if another repro may be writing to it now
   */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const file = join(this.folder, 'gc');
    const other = readProcess(file);
    if (other !== undefined && mayRun(other)) throw busy(this.folder, other, file);
    rmSync(file, { force: true });
    writeFileSync(file, JSON.stringify(this.#self()), { flag: 'wx' });
    try {
      for (const name of readdirSync(join(this.folder, 'sessions'))) {
        const path = join(this.folder, 'sessions', name);
        const session = readProcess(path);
        if (path === this.#session || session === undefined) continue;
        if (mayRun(session)) throw busy(this.folder, session, path);
        rmSync(path, { force: true });
      }
      return await work();
    } finally {
      rmSync(file, { force: true });
    }
  }

  /**
   * The folders of the other projects that use the cache.
   *
   * @throws ReproError if one of them cannot be seen from here
   */
  otherRoots(): string[] {
    const own = this.#self();
    return readdirSync(join(this.folder, 'projects')).flatMap((name) => {
      const file = join(this.folder, 'projects', name);
      let project: { root?: string; machine?: string; name?: string };
      try {
        project = JSON.parse(readUtf8(file));
      } catch {
        return []; // Its project will write it again.
      }
      const { root = '', machine } = project;
      const isHere = machine === own.machine;
      if (isHere && root === own.root) return [];
      const why = !isHere
        ? `is of the host ${project.name}`
        : existsSync(root)
          ? undefined
          : 'is not there, or not mounted now';
      if (why !== undefined)
        throw new ReproError(
          `the project ${root}, which uses the cache ${this.folder} too, ${why}, so what it needs is not known; nothing was deleted. If it is gone, remove ${file}`,
          1,
        );
      return [root];
    });
  }

  #self(): Process {
    const { id, name, boot, machine = name } = thisHost();
    const started = startTimeOf(process.pid) ?? '';
    return {
      name,
      machine,
      ...(boot === undefined ? {} : { boot }),
      host: id,
      pid: process.pid,
      started,
      root: this.#root,
    };
  }
}

function busy(folder: string, { name, pid, root }: Process, file: string): ReproError {
  return new ReproError(
    `a repro in ${root} (process ${pid} on ${name}) uses the cache ${folder}; try again when it has ended, or remove ${file} if it is gone`,
    1,
  );
}

function readProcess(file: string): Process | undefined {
  try {
    return JSON.parse(readUtf8OrUndefined(file) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process may still run. Those of another machine or container are not known here. */
function mayRun({ machine, boot, host, pid, started }: Process): boolean {
  const own = thisHost();
  if (machine !== (own.machine ?? own.name)) return true;
  if (boot !== own.boot) return false;
  return host !== own.id || startTimeOf(pid) === started;
}
