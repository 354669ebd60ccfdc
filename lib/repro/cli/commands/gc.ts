/**
 * `repro gc`: lists, or with `--yes` deletes, recorded runs and cached objects that are no longer needed.
 *
 * The results in the lock are always kept. Older runs are deleted, either all of them or by age or total size, together
 * with the objects that only they need. Outputs of stages that were removed from the pipeline are deleted too, if they
 * are still as they were recorded, nothing in the pipeline uses them, and git does not track them. So are old logs, the
 * record of old attempts, and what was moved aside because it was damaged.
 */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { AttemptLog, oldLogs } from '../../attempts/index.ts';
import { killedFiles, Leases } from '../../execution/index.ts';
import { readUtf8, readUtf8OrUndefined } from '../../freshness/index.ts';
import { parseManifest } from '../../hashing/index.ts';
import { describeBytes, listNames, parseBytes, parseSeconds, plural, ReproError } from '../../messages/index.ts';
import { contains, isOutside, normalise } from '../../pipeline/index.ts';
import { isRemovedCell, openProject, type Project, pathsInUse, whyDifferent } from '../../planning/index.ts';
import { readOpenAttempts } from '../../slurm/index.ts';
import { LOCK, type LockedStage, readLock } from '../../storage/index.ts';
import {
  emptyMoves,
  emptyTrash,
  leadsOutside,
  listTrash,
  openGitFiles,
  removeUserPath,
} from '../../workspace/index.ts';
import { printJson } from '../json-output.ts';
import { printLine } from '../output.ts';
import { describeRemoved, type RemovedOutput } from './gc-report.ts';

/** A file of the run cache. */
interface RecordedRun {
  path: string;
  /** When it was last used, in milliseconds since 1970. */
  used: number;
  /** The hashes of the objects that it needs. */
  objects: string[];
}

/**
 * Lists or deletes what is not needed.
 *
 * @param options `yes`: delete. `age`: keep runs used within this time, such as "30d". `size`: keep the newest runs up
 *   to this total size, such as "10GiB"
 * @returns the exit code, 0
 * @throws ReproError if an option is not a time or a size, or if another repro is running stages of this project
 */
export async function gc(options: {
  yes?: boolean;
  age?: string;
  size?: string;
  project?: readonly string[];
  json?: boolean;
}): Promise<number> {
  if (options.project !== undefined) throw new ReproError('--project goes with --remote');
  const age = options.age === undefined ? undefined : parseSeconds(options.age);
  const limit = options.size === undefined ? undefined : parseBytes(options.size);
  if (options.age !== undefined && age === undefined)
    throw new ReproError(`--age ${options.age}: must be a time such as 12h or 30d`);
  if (options.size !== undefined && limit === undefined)
    throw new ReproError(`--size ${options.size}: must be a size such as 500MB or 10GiB`);

  const project = await openProject(process.cwd(), { write: true });
  try {
    const objects = listObjects(project);
    const removedStages = project.lock.names.filter((name) => !project.graph.stages.has(name));
    const live = [...project.graph.stages.keys()].flatMap((name) => [
      ...objectsOf(project, project.lock.get(name)),
      ...inputLists(project.lock.get(name)),
    ]);
    const { outputs, kept: keptOutputs } = await sortOutputs(project, removedStages);

    const runs = listRuns(project).sort((a, b) => b.used - a.used);
    const kept = keptRuns(runs, live, objects, age, limit);
    const others = await neededByOthers(project);
    const needed = new Set([...live, ...others.objects, ...kept.flatMap((run) => run.objects)]);
    const unneeded = others.problem === undefined ? [...objects].filter(([sha]) => !needed.has(sha)) : [];
    const dropped = runs.filter((run) => !kept.includes(run) && !run.objects.every((sha) => needed.has(sha)));
    const leftovers = [...project.cache.leftovers(), ...killedFiles(project.root, project.stateFolder)];
    const deletable = [...unneeded.map(([, object]) => object), ...leftovers];
    const size = sizeOf(deletable);

    const trash = listTrash(project.root).filter(
      ({ time }) => age === undefined || Date.now() - Date.parse(time) > age * 1000,
    );

    const logs = oldLogs(project.root, project.graph.stages.keys(), age);
    const attempts = new AttemptLog(project.root).old(project.graph.stages.keys(), age);
    const damaged = damagedStores(project);

    if (options.yes) {
      await checkNoStageRuns(project);
      const { shared } = project.cache;
      const remove = async () => {
        // Another project may have run a stage since.
        const now = await neededByOthers(project);
        if (now.problem !== undefined) return;
        const sinceNeeded = new Set(now.objects);
        for (const [sha, { path }] of unneeded) if (!sinceNeeded.has(sha)) rmSync(path, { force: true });
      };
      if (shared === undefined) await remove();
      else if (unneeded.length > 0) await shared.alone(remove);
      for (const { path } of logs) rmSync(path, { force: true });
      attempts.forget();
      for (const path of damaged) rmSync(path, { recursive: true, force: true });
      for (const { path } of dropped) rmSync(path, { force: true });
      for (const { path } of leftovers) rmSync(path, { recursive: true, force: true });
      for (const { path } of outputs) removeUserPath(project.root, path);
      emptyTrash(project.root, [...trash.map(({ folder }) => folder), ...emptyMoves(project.root)]);
      for (const name of removedStages) project.lock.remove(name);
      project.lock.flush();
    }
    if (options.json) {
      const freed = {
        objects: unneeded.length,
        bytes: size,
        runs: dropped.length,
        stages: removedStages,
        outputs: outputs.map(({ path }) => path),
        kept: keptOutputs.map(({ path, reason }) => ({ path, reason })),
        trash: trash.map(({ location }) => location),
        logs: logs.length,
        logBytes: sizeOf(logs),
        attempts: attempts.count,
        damaged: damaged.map((path) => relative(project.root, path)),
      };
      printJson({ ...freed, freed: options.yes === true }, 2);
      return 0;
    }
    if (others.problem !== undefined) printLine(others.problem);
    const verb = options.yes ? 'freed' : 'would free';
    const { lines, isShort } = describeRemoved(removedStages, [...outputs, ...keptOutputs], verb);
    for (const line of lines) printLine(line);
    if (trash.length > 0) printLine(`${verb} ${listNames(trash.map(({ path }) => path))} in the trash`);
    if (logs.length > 0) printLine(`${verb} ${describeBytes(sizeOf(logs))} in ${plural(logs.length, 'old log')}`);
    if (attempts.count > 0) printLine(`${verb} the record of ${plural(attempts.count, 'old attempt')}`);
    for (const path of damaged) printLine(`${verb} ${relative(project.root, path)}`);
    const leftoverNote = leftovers.length > 0 ? ` and ${plural(leftovers.length, 'file')} left by a killed repro` : '';
    printLine(
      `${verb} ${describeBytes(size)} in ${plural(unneeded.length, 'object')} of ${plural(dropped.length, 'old run')}${leftoverNote}`,
    );
    const other = outputs.length + trash.length + logs.length + attempts.count + damaged.length;
    const all = isShort ? '; `repro gc --json` names each output' : '';
    if (!options.yes && deletable.length + other > 0) printLine(`run \`repro gc --yes\` to free it${all}`);
    return 0;
  } finally {
    await project.close();
  }
}

function sizeOf(files: readonly { size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** Absolute paths of the damaged stores that were moved aside (files/open-store.ts). */
function damagedStores({ stateFolder: own }: Project): string[] {
  const folders = [own, join(own, 'state'), ...foldersIn(join(own, 'section')), ...foldersIn(join(own, 'leases'))];
  return folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => /^(data\.mdb|lock\.mdb|state|section|leases)\.damaged(-\d+)?$/.test(name))
      .map((name) => join(folder, name)),
  );
}

function foldersIn(folder: string): string[] {
  return namesIn(folder).map((name) => join(folder, name));
}

/** The names in a folder; none if it is missing or not a folder. */
function namesIn(folder: string): string[] {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [];
}

/** Sorts the existing outputs of stages that were removed from the pipeline: those to delete, and those to keep. */
async function sortOutputs(
  project: Project,
  removedStages: readonly string[],
): Promise<{ outputs: RemovedOutput[]; kept: RemovedOutput[] }> {
  const { root } = project;
  const recorded = removedStages.flatMap((name) =>
    Object.entries(project.lock.get(name)?.outs ?? {}).map(([path, content]) => ({
      path: normalise(root, '.', path),
      content,
      stage: name,
    })),
  );
  const existing = recorded.filter(({ path }) => existsSync(join(root, path)));
  if (existing.length === 0) return { outputs: [], kept: [] };
  const uses = await pathsInUse(project, { insideDeps: true });
  const usesOfCells = await pathsInUse(project, { insideDeps: false });
  const inside = existing
    .map(({ path }) => path)
    .filter((path) => path !== '.' && !isOutside(path) && !leadsOutside(root, path));
  const tracked = (await (await openGitFiles(root))?.tracked(inside)) ?? [];
  const outputs = new Map<string, RemovedOutput>();
  const kept = new Map<string, RemovedOutput>();
  for (const { path, content, stage } of existing) {
    const reason =
      path === '.' || isOutside(path) || leadsOutside(root, path)
        ? 'it does not lie inside the folder of the pipeline'
        : ((isRemovedCell(project, stage) ? usesOfCells : uses).why(path) ??
          (tracked.some((file) => contains(path, file)) ? 'git tracks it' : undefined) ??
          (await whyDifferent(project, path, content, stage)));
    if (reason === undefined) outputs.set(path, { path, stage });
    else kept.set(path, { path, stage, reason });
  }
  // After a definition got another name, blocks of both names record the same outputs. One that matches is enough.
  const left = [...kept.values()].filter(({ path }) => !outputs.has(path));
  return {
    // An output in which another one is kept was found to differ, but links may lead there too: keep it as well.
    outputs: [...outputs.values()].filter(({ path }) => !left.some((other) => contains(path, other.path))),
    kept: left,
  };
}

/**
 * Refuses to go on while a stage runs: its objects are not part of a recorded run yet, so gc would delete them.
 *
 * @throws ReproError if another repro is running a stage of this project
 */
async function checkNoStageRuns(project: Project): Promise<void> {
  const jobs = readOpenAttempts(project.root).flatMap(({ cells }) => cells.map(({ stage }) => stage));
  if (jobs.length > 0)
    throw new ReproError(
      `jobs of Slurm may be making ${listNames(jobs)}; run repro first, which takes their results`,
      1,
    );
  const leases = await Leases.ofStages(project.root, project.stateFolder);
  const running = [...project.graph.stages.keys()].filter((name) => leases.isTaken(name));
  await leases.close();
  if (running.length > 0)
    throw new ReproError(`another repro is running ${listNames(running)}; try again when it has ended`, 1);
}

/**
 * The runs to keep, newest first. Without an age or a size, no run is kept for its own sake.
 *
 * @param live the hashes of the objects that the lock needs; they count toward the size
 * @param age in seconds
 * @param limit the total size in bytes
 */
function keptRuns(
  runs: readonly RecordedRun[],
  live: readonly string[],
  objects: ReadonlyMap<string, { size: number }>,
  age: number | undefined,
  limit: number | undefined,
): RecordedRun[] {
  if (age === undefined && limit === undefined) return [];
  const kept: RecordedRun[] = [];
  const keptObjects = new Set(live);
  let total = live.reduce((sum, sha) => sum + (objects.get(sha)?.size ?? 0), 0);
  for (const run of runs) {
    const added = run.objects.filter((sha) => !keptObjects.has(sha));
    const size = added.reduce((sum, sha) => sum + (objects.get(sha)?.size ?? 0), 0);
    if (age !== undefined && Date.now() - run.used > age * 1000) continue;
    if (limit !== undefined && total + size > limit) continue;
    for (const sha of added) keptObjects.add(sha);
    total += size;
    kept.push(run);
  }
  return kept;
}

/** The objects of the cache by hash. */
function listObjects(project: Project): Map<string, { path: string; size: number }> {
  const folder = join(project.cache.folder, 'sha256');
  return new Map(
    filesBelow(folder).map((name) => {
      const path = join(folder, name);
      return [name.replace(/[/\\]/g, ''), { path, size: statSync(path).size }];
    }),
  );
}

/** The recorded runs. A file that cannot be parsed counts as a run without objects. */
function listRuns(project: Project): RecordedRun[] {
  return listRunsOf(project, project.root);
}

/** Those of any project with the same cache. */
function listRunsOf(project: Project, root: string): RecordedRun[] {
  const folder = join(root, '.repro/runs');
  const names = filesBelow(folder).filter((name) => name.endsWith('.json'));
  return names.map((name) => {
    const path = join(folder, name);
    let locked: LockedStage | undefined;
    try {
      locked = JSON.parse(readUtf8(path));
    } catch {}
    return { path, used: statSync(path).mtimeMs, objects: objectsOf(project, locked) };
  });
}

/** The paths of all files in a folder and below it, relative to the folder. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

/**
 * The objects that the locks and run caches of other projects with the same cache need.
 *
 * @returns `problem`: why that is not known
 */
async function neededByOthers(project: Project): Promise<{ objects: string[]; problem?: string }> {
  const objects: string[] = [];
  try {
    for (const root of project.cache.shared?.otherRoots() ?? []) {
      const lock = await readLock(readUtf8OrUndefined(join(root, LOCK)) ?? '');
      for (const locked of lock.values()) objects.push(...objectsOf(project, locked), ...inputLists(locked));
      objects.push(...listRunsOf(project, root).flatMap((run) => run.objects));
    }
    return { objects };
  } catch (error) {
    if (!(error instanceof ReproError)) throw error;
    return { objects, problem: error.message };
  }
}

/** The hashes of the lists of files in the folders that a stage reads, which incremental stages keep. */
function inputLists(locked: LockedStage | undefined): string[] {
  return Object.values(locked?.deps ?? {}).flatMap((content) => (content?.files === undefined ? [] : content.sha256));
}

/**
 * The hashes of the objects of a stage's outputs and code: files, manifests of folders, and the files in these folders.
 */
function objectsOf(project: Project, locked: LockedStage | undefined): string[] {
  const found: string[] = [];
  for (const content of [...Object.values(locked?.outs ?? {}), ...Object.values(locked?.code ?? {})]) {
    found.push(content.sha256);
    if (content.files === undefined) continue;
    try {
      const manifest = parseManifest(readUtf8(project.cache.objectPath(content.sha256)));
      found.push(...manifest.flatMap(({ sha256 }) => sha256 ?? []));
    } catch {}
  }
  return found;
}
