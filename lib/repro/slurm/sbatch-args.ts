/** The resources of a stage, as options of sbatch. This file starts no process. */
import type { Stage } from '../pipeline/index.ts';
import type { SlurmSettings } from './settings.ts';

/**
 * Seconds of a job in addition to its commands: to start Node, to compare inputs, and to take outputs into the cache.
 */
const EXTRA_TIME = 120;
/** MiB of a job in addition to its commands: Node, and esbuild when inputs are compared. */
export const EXTRA_MEMORY = 256;
const MIB = 2 ** 20;

/**
 * The options that say what a stage wants. Stages with the same options can be in one array. Options of the settings
 * come last, so that they count where both say something.
 *
 * @example wantsOf(stage, settings)
 *   // ['-n1', '-N1', '-c2', '--mem=4352', '--gres=gpu:1', '--signal=B:TERM@60', '--account=lab', '--partition=gpu']
 */
export function wantsOf(stage: Stage, settings: SlurmSettings): string[] {
  const { resources, timeout } = stage;
  const cpus = Math.ceil(resources.cpus);
  const memory = Math.ceil(resources.memory / MIB);
  const given = optionsOf(stage, settings);
  const namesGpus = given.some((arg) => /^(--gres|--gpus|-G\b|--gpus-per-)/.test(arg));
  return [
    '-n1',
    '-N1',
    ...(cpus > 0 ? [`-c${cpus}`] : []),
    ...(memory > 0 ? [`--mem=${memory + EXTRA_MEMORY}`] : []),
    ...(resources.gpus > 0 && !namesGpus ? [`--gres=gpu:${resources.gpus}`] : []),
    ...(timeout === undefined ? [] : [`--time=${describeTime(timeout + EXTRA_TIME)}`]),
    `--signal=B:TERM@${Math.round(settings.warn)}`,
    ...given,
  ];
}

/** The options of the settings for a stage. */
export function optionsOf({ group, resources }: Stage, { args, stages }: SlurmSettings): string[] {
  const own = (stages[group] ?? []).map((arg) =>
    arg
      .replaceAll('{gpus}', String(resources.gpus))
      .replaceAll('{cpus}', String(Math.max(1, Math.ceil(resources.cpus))))
      .replaceAll('{memory}', String(Math.ceil(resources.memory / MIB))),
  );
  return [...args, ...own];
}

/** A time limit in the form of sbatch, in whole minutes: `HOURS:MINUTES:00`. */
function describeTime(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:00`;
}

/** The folder of an attempt, relative to the root. */
export function folderOf(id: string): string {
  return `.repro/jobs/${id}`;
}

/**
 * All options for the array of an attempt.
 *
 * @param wants from `wantsOf`
 * @param excluded nodes that must not run it
 */
export function submission(
  root: string,
  { id, name, cells }: { id: string; name: string; cells: number },
  wants: readonly string[],
  excluded: readonly string[] = [],
): string[] {
  const folder = `${root}/${folderOf(id)}`;
  return [
    '--parsable',
    `--job-name=${name}`,
    `--chdir=${root}`,
    // % stands for parts of the name of a job.
    `--output=${folder.replaceAll('%', '%%')}/slurm-%a.log`,
    '--open-mode=append',
    '--no-requeue',
    '--export=ALL',
    `--array=0-${cells - 1}`,
    ...wants,
    ...(excluded.length > 0 ? [`--exclude=${excluded.join(',')}`] : []),
    `${folder}/job.sh`,
  ];
}

/** The script of a job. It ends immediately if its attempt was given up before it began. */
export function jobScript({
  folder,
  prologue,
  program,
}: {
  /** The folder of the attempt, absolute. */
  folder: string;
  prologue: string;
  /** Node and the file of repro. */
  program: readonly string[];
}): string {
  const [node, ...rest] = program;
  return [
    '#!/bin/bash',
    `[ -e ${quoted(folder)}/tokens/"$SLURM_ARRAY_TASK_ID"/token ] || exit 0`,
    ...(prologue === '' ? [] : [prologue]),
    // Node may be at another path on the nodes.
    `node=${quoted(node)}`,
    '[ -x "$node" ] || node=node',
    `exec "$node" ${rest.map(quoted).join(' ')} attempt ${quoted(`${folder}/attempt.json`)} "$SLURM_ARRAY_TASK_ID"`,
    '',
  ].join('\n');
}

/** Quotes a text as one word for sh. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Variables of the job in which repro itself runs. Its own jobs must not get them. */
const NOT_INHERITED =
  /^(SLURM|SBATCH|SQUEUE|SRUN|SALLOC|SCANCEL|SACCT)_|^(CUDA_VISIBLE_DEVICES|GPU_DEVICE_ORDINAL|ROCR_VISIBLE_DEVICES|REPRO_GPUS|TMPDIR)$/;

/** The environment for the programs of Slurm and, by way of sbatch, for jobs. */
export function environmentForSlurm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => name === 'SLURM_CONF' || name === 'SLURM_CLUSTERS' || !NOT_INHERITED.test(name),
    ),
  );
}
