/**
 * What the tests of `repro --on slurm` share: a Slurm for each test file (test-slurm.ts), and projects whose stages run by
 * it. The tests of a file run side by side, because most of their time is waiting.
 */
import { chmodSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import { type CallResult, project, removeProjects, type TestProject } from '../repro/project.ts';
import { TestSlurm, type TestSlurmOptions, whyNoSlurm } from './test-slurm.ts';

/** Why the tests are skipped; undefined if they are not. */
export const skipped = whyNoSlurm();

/** For the names of groups of tests. */
export const skippedBecause = skipped === undefined ? '' : ` (skipped: ${skipped})`;

/** The Slurm of the test file. */
export let slurm: TestSlurm;

/** Starts a Slurm before the tests of a file, and ends it after them. @param options.skipped why it is not needed */
export function useSlurm(options: TestSlurmOptions & { skipped?: string } = {}): void {
  beforeAll(async () => {
    // Once, before all tests ask for it.
    await project({}).bundle();
    if ((options.skipped ?? skipped) === undefined) slurm = await TestSlurm.start(options);
  });
  afterAll(async () => {
    await slurm?.stop();
    removeProjects();
  });
}

/** A project whose stages run by Slurm. @param executor the settings below `slurm`, in YAML */
export function clusterProject(pipeline: string, files: { [path: string]: string } = {}, executor = '{}'): TestProject {
  const config = `executor: {slurm: ${executor}}\n`;
  const made = project({ 'pipeline.yaml': pipeline, '.repro/config.yaml': config, ...files });
  made.env = { ...slurm.env };
  made.hasOwnProcesses = true;
  return made;
}

/**
 * Calls repro in the process that the test file keeps, which takes a fifth of the time. That is for calls that do not
 * wait for jobs, since one call runs there at a time.
 */
export function quickly(made: TestProject, ...args: string[]): Promise<CallResult> {
  made.hasOwnProcesses = false;
  const result = made.repro(...args);
  made.hasOwnProcesses = true;
  return result;
}

/** Shorter times, and other settings that the settings of people do not have. */
export function setTimes(made: TestProject, times: { [name: string]: number | boolean }): void {
  made.env.REPRO_TEST_SLURM = JSON.stringify({ ...JSON.parse(made.env.REPRO_TEST_SLURM!), ...times });
}

/** Cells that note each start, and end when the file `go` is there. */
export const GATED = `
stages:
  train:
    matrix: {x: [1, 2]}
    cmd: echo start >> starts-\${item.x}; until [ -e go ]; do sleep 0.2; done; cp in.txt out-\${item.x}
    deps: [in.txt]
    outs: ["out-\${item.x}"]
`;
/** The cells of GATED. */
export const CELLS = [1, 2];

/** What the log of attempts says, by stage. */
export function attempts(
  made: TestProject,
): { stage: string; outcome: string; job: string; node: string; queued: number }[] {
  return made
    .read('.repro/attempts.jsonl')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The name of the folder of the one attempt that is under way. */
export function attemptFolder(made: TestProject): string {
  return readdirSync(made.path('.repro/jobs')).find((name) => /^[0-9a-f]{12}$/.test(name))!;
}

/** Puts a program before sbatch on the PATH. @param script lines of sh; `sbatch` in them is the real one */
export function wrapSbatch(made: TestProject, script: string): void {
  wrapProgram(made, 'sbatch', `case " $* " in *" --test-only "*) exec sbatch "$@";; esac\n${script}`);
}

/** Puts a program before one of Slurm's on the PATH. @param script lines of sh; the name in them is the real one */
export function wrapProgram(made: TestProject, name: string, script: string): void {
  made.write(`bin/${name}`, `#!/bin/sh\nPATH=\${PATH#*:}\n${script}`);
  chmodSync(made.path(`bin/${name}`), 0o755);
  const folder = made.path('bin');
  if (!made.env.PATH!.startsWith(`${folder}:`)) made.env.PATH = `${folder}:${made.env.PATH}`;
}
