/**
 * `repro gc`: what could be freed. The current pipeline's results are always kept; old runs go, all of them or by age or
 * size, and with them the objects that only they need; also outputs of stages that are no longer in the pipeline.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Leases } from '../../execution/index.ts';
import { parseManifest } from '../../hashing/index.ts';
import { describeBytes, listNames, parseBytes, parseSeconds, plural, ReproError } from '../../messages/index.ts';
import { openProject, type Project } from '../../planning/index.ts';
import type { LockedStage } from '../../storage/index.ts';

interface Run {
  path: string;
  /** milliseconds since 1970 */
  used: number;
  objects: string[];
}

export async function gc(call: { yes?: boolean; age?: string; size?: string; json?: boolean }): Promise<number> {
  const age = call.age === undefined ? undefined : parseSeconds(call.age);
  const limit = call.size === undefined ? undefined : parseBytes(call.size);
  if (call.age !== undefined && age === undefined) throw new ReproError(`--age ${call.age}: write such as 12h or 30d`);
  if (call.size !== undefined && limit === undefined)
    throw new ReproError(`--size ${call.size}: write such as 500MB or 10GiB`);

  const project = await openProject(process.cwd(), { write: true });
  try {
    const objects = listObjects(project);
    const gone = project.lock.names.filter((name) => !project.graph.stages.has(name));
    const live = [...project.graph.stages.keys()].flatMap((name) => objectsOf(project, project.lock.get(name)));
    const liveOuts = new Set([...project.graph.stages.values()].flatMap(({ outs }) => outs.map(({ path }) => path)));
    const outputs = gone
      .flatMap((name) => Object.keys(project.lock.get(name)?.outs ?? {}))
      .filter((path) => !liveOuts.has(path) && existsSync(join(project.root, path)));

    const runs = listRuns(project).sort((a, b) => b.used - a.used);
    const kept = keptRuns(runs, live, objects, age, limit);
    const needed = new Set([...live, ...kept.flatMap((run) => run.objects)]);
    const unneeded = [...objects].filter(([sha]) => !needed.has(sha));
    const dropped = runs.filter((run) => !kept.includes(run) && !run.objects.every((sha) => needed.has(sha)));
    const leftovers = project.cache.leftovers();
    const useless = [...unneeded.map(([, object]) => object), ...leftovers];
    const size = useless.reduce((sum, { size }) => sum + size, 0);

    if (call.yes) {
      await checkNobodyRuns(project);
      for (const { path } of dropped) rmSync(path, { force: true });
      for (const { path } of useless) rmSync(path, { force: true });
      for (const path of outputs) rmSync(join(project.root, path), { recursive: true, force: true });
      for (const name of gone) project.lock.remove(name);
      project.lock.flush();
    }
    if (call.json) {
      const freed = { objects: unneeded.length, bytes: size, runs: dropped.length, stages: gone, outputs };
      process.stdout.write(`${JSON.stringify({ ...freed, freed: call.yes === true }, null, 2)}\n`);
      return 0;
    }
    const verb = call.yes ? 'freed' : 'would free';
    for (const name of gone) process.stdout.write(`${name} is no longer in the pipeline\n`);
    for (const path of outputs) process.stdout.write(`${verb} ${path}\n`);
    const left = leftovers.length > 0 ? ` and ${plural(leftovers.length, 'file')} left by a repro that was killed` : '';
    process.stdout.write(
      `${verb} ${describeBytes(size)} in ${plural(unneeded.length, 'object')} of ${plural(dropped.length, 'old run')}${left}\n`,
    );
    if (!call.yes && useless.length + outputs.length > 0) process.stdout.write('repro gc --yes frees it\n');
    return 0;
  } finally {
    await project.close();
  }
}

/** What a running stage has in the cache is in no run yet, so that it would be taken for unneeded. */
async function checkNobodyRuns(project: Project): Promise<void> {
  const leases = await Leases.ofStages(project.root);
  const running = [...project.graph.stages.keys()].filter((name) => leases.isTaken(name));
  await leases.close();
  if (running.length > 0)
    throw new ReproError(`another repro runs ${listNames(running)}: try again when it has ended`, 1);
}

/** By age or size those that may stay, newest first; with neither, none but what is live anyway. */
function keptRuns(
  runs: readonly Run[],
  live: readonly string[],
  objects: ReadonlyMap<string, { size: number }>,
  age: number | undefined,
  limit: number | undefined,
): Run[] {
  if (age === undefined && limit === undefined) return [];
  const kept: Run[] = [];
  const counted = new Set(live);
  let total = live.reduce((sum, sha) => sum + (objects.get(sha)?.size ?? 0), 0);
  for (const run of runs) {
    const more = run.objects.filter((sha) => !counted.has(sha));
    const size = more.reduce((sum, sha) => sum + (objects.get(sha)?.size ?? 0), 0);
    if (age !== undefined && Date.now() - run.used > age * 1000) continue;
    if (limit !== undefined && total + size > limit) continue;
    for (const sha of more) counted.add(sha);
    total += size;
    kept.push(run);
  }
  return kept;
}

function listObjects(project: Project): Map<string, { path: string; size: number }> {
  const folder = join(project.root, '.repro/cache/sha256');
  return new Map(
    filesBelow(folder).map((name) => {
      const path = join(folder, name);
      return [name.replace(/[/\\]/g, ''), { path, size: statSync(path).size }];
    }),
  );
}

function listRuns(project: Project): Run[] {
  const folder = join(project.root, '.repro/runs');
  return filesBelow(folder).map((name) => {
    const path = join(folder, name);
    let block: LockedStage | undefined;
    try {
      block = JSON.parse(readFileSync(path, 'utf8'));
    } catch {}
    return { path, used: statSync(path).mtimeMs, objects: objectsOf(project, block) };
  });
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

/** Everything in the cache that a block's outputs, and the lists behind its folders and code, are made of. */
function objectsOf(project: Project, block: LockedStage | undefined): string[] {
  const found: string[] = [];
  for (const content of [...Object.values(block?.outs ?? {}), ...Object.values(block?.code ?? {})]) {
    found.push(content.sha256);
    if (content.files === undefined) continue;
    try {
      const manifest = parseManifest(readFileSync(project.cache.objectPath(content.sha256), 'utf8'));
      found.push(...manifest.flatMap(({ sha256 }) => sha256 ?? []));
    } catch {}
  }
  return found;
}
