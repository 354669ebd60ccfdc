/**
 * The settings of `executor: {slurm: {…}}` in .repro/config.yaml. They are no part of the pipeline, so none of them is
 * in the lock or in a key of the run cache.
 */
import { parseSeconds, ReproError } from '../messages/index.ts';
import { placeInConfig, readConfig, type SlurmConfig } from '../storage/index.ts';

/** How stages run as jobs of Slurm. Times are in seconds. */
export interface SlurmSettings {
  /** Options of sbatch for every stage. */
  args: readonly string[];
  /** Further options by group of stages; `{gpus}`, `{cpus}` and `{memory}` (MiB) stand for the stage's resources. */
  stages: { readonly [group: string]: readonly string[] };
  /** Lines of shell that a job runs first, such as `module load nodejs`. */
  prologue: string;
  /** Groups of stages that run on the host of repro. */
  local: ReadonlySet<string>;
  /** The most jobs that are in the queue or run. */
  jobs: number;
  /** The least time between two calls of squeue. */
  poll: number;
  /** How long before the time limit of a job its commands get SIGTERM. */
  warn: number;
  /** How late a file that a node wrote may appear here. */
  latency: number;
  /** How often a stage that ran into its time limit goes on from its checkpoint. */
  continues: number;
  /** Whether a probe job asks, once for each set of options, if the nodes see the folder. */
  probe: boolean;
  /** Time that a probe job may wait in the queue before stages are submitted without its answer. */
  patience: number;
  /** Time without an answer of squeue after which it is said. */
  silence: number;
  /** Time between two looks at the results. */
  look: number;
  /** Time between two looks of a node at its token. */
  fence: number;
  /** Time after which a full queue is tried again although no job has ended. */
  full: number;
}

/** Slurm's administrators ask for no more than one call of squeue in this time. */
const LEAST_POLL = 10;

const DEFAULTS = {
  ...{ jobs: 500, poll: 10, warn: 60, latency: 60, continues: 20, probe: true },
  ...{ look: 5, fence: 10, full: 60, patience: 120, silence: 600 },
};

/**
 * Reads the settings.
 *
 * @returns `isDefault`: whether .repro/config.yaml has them, so that stages run by Slurm without --on slurm
 * @throws ReproError that names the place of a wrong setting
 */
export async function readSettings(root: string): Promise<{ settings: SlurmSettings; isDefault: boolean }> {
  const { executor } = await readConfig(root);
  const config: SlurmConfig = executor?.slurm ?? {};
  const settings = {
    ...DEFAULTS,
    ...forTests(),
    args: config.args ?? [],
    stages: config.stages ?? {},
    prologue: config.prologue ?? '',
    local: new Set(config.local),
    ...(config.jobs === undefined ? {} : { jobs: config.jobs }),
    ...(config.probe === undefined ? {} : { probe: config.probe }),
    ...(config.continues === undefined ? {} : { continues: config.continues }),
  };
  for (const key of ['poll', 'warn', 'latency'] as const) {
    if (config[key] === undefined) continue;
    const seconds = parseSeconds(config[key]);
    const refuse = async (why: string) =>
      new ReproError({ message: `${key} ${why}`, place: await placeInConfig(root, ['executor', 'slurm', key]) });
    if (seconds === undefined)
      throw await refuse(`must be a number of seconds, or a text such as "30s" or "2m", but is "${config[key]}"`);
    if (key === 'poll' && seconds < LEAST_POLL)
      throw await refuse(`must be at least ${LEAST_POLL} s: administrators of Slurm ask not to call squeue more often`);
    settings[key] = seconds;
  }
  return { settings, isDefault: executor !== undefined && 'slurm' in executor };
}

/** Shorter times for tests, as JSON in a variable of the environment. */
function forTests(): Partial<typeof DEFAULTS> {
  return JSON.parse(process.env.REPRO_TEST_SLURM ?? '{}');
}
