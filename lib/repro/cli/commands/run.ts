/** `repro [TARGET…]`: makes a plan, executes it and prints its events. */

import { constants } from 'node:os';
import { AttemptLog } from '../../attempts/index.ts';
import { editedTexts, forgetLastEdits, recordEdits, writeTexts } from '../../edits/index.ts';
import { elsewhereOf, execute, type Interrupt, type RunResult } from '../../execution/index.ts';
import { expectationOf } from '../../forecast/index.ts';
import { select } from '../../graph/index.ts';
import { checkFree, FolderTaken } from '../../hosts/index.ts';
import { checkNotWithin } from '../../making/index.ts';
import { listNames, ReproError } from '../../messages/index.ts';
import { contains, findRoot } from '../../pipeline/index.ts';
import {
  checkInputs,
  checkReplacedFiles,
  isMissing,
  makePlan,
  openProject,
  type PlannedStage,
  type Project,
  planWithoutLeft,
} from '../../planning/index.ts';
import { fetch, findRemote, type RemoteAddress, remoteForForecast } from '../../storage/index.ts';
import { printError, printHeadline } from '../output.ts';
import { openView } from '../view.ts';
import { agreesToPrice } from './agree-to-price.ts';
import { checkCluster, probeCluster, slurmOptions } from './cluster.ts';
import { showPlan } from './dry.ts';
import { tellUnignored } from './gitignore.ts';
import { transferSource } from './remote.ts';

/** The options of `repro` as commander parses them; program.ts describes them. */
export interface RunOptions {
  force?: boolean;
  singleItem?: boolean;
  pipeline?: boolean;
  downstream?: boolean;
  allPipelines?: boolean;
  forceDownstream?: boolean;
  glob?: boolean;
  jobs?: number;
  keepGoing?: boolean;
  ignoreErrors?: boolean;
  dry?: boolean;
  yes?: boolean;
  setParam?: string[];
  runCache: boolean;
  commit: boolean;
  wait?: boolean;
  allowMissing?: boolean;
  pull?: boolean;
  remote?: string;
  json?: boolean;
  quiet?: boolean;
  on?: 'local' | 'slurm';
  detach?: boolean;
  /** Set by `repro verify`: the folder is a copy that is removed again, so what git ignores in it does not matter. */
  isCopy?: boolean;
}

/** Milliseconds to wait until the times of a file that was just written can be trusted. */
const SETTLING_TIME = 40;
/** Milliseconds between two looks at whether another host still has the folder. */
const LOOK_AGAIN = 2000;

/**
 * Brings the targets up to date; without targets, all stages.
 *
 * @param start the folder that the call is made from
 * @returns the exit code: 0 done, 1 a stage failed, 128 + n ended by signal n
 * @throws ReproError if the pipeline or the command line is wrong
 */
export async function run(targets: readonly string[], options: RunOptions, start = process.cwd()): Promise<number> {
  const root = findRoot(start);
  if (options.allPipelines && targets.length > 0)
    throw new ReproError(`-P runs all stages, so it takes no targets, but ${listNames(targets)} was given`);
  // A wrong address is refused without --pull too.
  const named = options.pull || options.remote !== undefined ? await findRemote(root, options.remote) : undefined;
  const remote = options.pull ? named : undefined;
  const slurm = await slurmOptions(root, options);
  const { singleItem: single, pipeline, downstream, glob } = options;
  const selection = (at: Project) => ({ targets, at, single, pipeline, downstream, glob });
  if (!options.dry) await waitForFolder(root, options);
  const edited = options.setParam && (await editedTexts(root, options.setParam));
  let unedited: ReturnType<typeof writeTexts> | undefined;
  if (edited && !options.dry) {
    // Check the targets and the edited pipeline first, so that a wrong command line does not change any file.
    const trial = await openProject(start, { write: false, edited });
    await trial.close();
    select(trial.graph, selection(trial));
    unedited = writeTexts(root, edited);
    recordEdits(root, options.setParam!, unedited, edited);
  }
  const access = options.dry ? { write: false, remember: true, edited } : { write: true };
  const project = await openProject(start, access).catch((error) => {
    // Another host was quicker. Its run must not find edits that this one was to make.
    if (unedited !== undefined && error instanceof FolderTaken) takeBack(root, unedited);
    throw error;
  });
  let forget = () => {};
  let hasStarted = false;
  try {
    const names = select(project.graph, selection(project));
    if (remote !== undefined) forget = await pullMissing(project, names, remote, options);
    const planOptions = {
      force: options.force,
      forceDownstream: options.forceDownstream,
      runCache: options.runCache,
      allowMissing: options.allowMissing,
      pull: options.pull,
      jobs: options.jobs,
      keepGoing: options.keepGoing || options.ignoreErrors,
      commit: options.commit,
    };
    const { plan, left } = await planWithoutLeft(project, names, planOptions);
    const replaced = await checkReplacedFiles(project, plan);
    const attemptLog = new AttemptLog(project.root);
    if (!options.dry) {
      await checkInputs(project, plan, options);
      checkNotWithin(project, plan);
    }
    const expectation = await expectationOf(project, plan);
    if (options.dry) return await showPlan(project, plan, { replaced, left, expectation, slurm }, options);
    await checkCluster(plan, slurm);
    if (!(await agreesToPrice(project, plan, expectation, { ...options, elsewhere: elsewhereOf(slurm) }))) {
      if (unedited !== undefined) takeBack(root, unedited);
      printError(
        `nothing has run${unedited === undefined ? '' : `, and ${listNames([...unedited.keys()])} is as before`}`,
      );
      return 2;
    }
    const ended = await probeCluster(plan, slurm, root, (text) => options.quiet || options.json || printError(text));
    if (ended !== undefined) {
      if (unedited !== undefined) takeBack(root, unedited);
      return 128 + constants.signals[ended];
    }

    const view = openView(
      options.json ? 'json' : process.stdout.isTTY && process.env.TERM !== 'dumb' ? 'terminal' : 'lines',
      {
        lastLines: (log, count) => attemptLog.lastLines(log, count),
        quiet: options.quiet,
      },
    );
    const signals = listenToSignals(slurm?.isOn === true);
    hasStarted = true;
    try {
      const { outcomes, interrupted, isDetached } = await execute(
        project,
        plan,
        { ...planOptions, left, expectation, ...(slurm === undefined ? {} : { slurm }) },
        (event) => view.listen(event),
        signals,
      );
      if (interrupted !== undefined) return 128 + constants.signals[interrupted];
      if (isDetached) return [...outcomes.values()].some(({ outcome }) => outcome === 'failed') ? 1 : 0;
      // A file that a person edited, and that does not belong there, is named in each run.
      const isWhole =
        plan.length === project.pipeline.stages.length && !left.some((o) => o.fate === 'keep' && o.gone === 'cell');
      const hasCleared = left.some(({ fate }) => fate !== 'keep');
      if (isWhole && !options.allowMissing) await stampIfFresh(project, plan, outcomes, hasCleared);
      const failed = [...outcomes.values()].some(({ outcome }) => outcome === 'failed' || outcome === 'skipped');
      const { headline } = project.pipeline;
      if (!failed && !options.quiet && !options.json && hasMade(plan, headline)) printHeadline(project.root, headline);
      const isFirst = ({ status }: PlannedStage) => status.reasons.some(({ kind }) => kind === 'never-run');
      const made = plan.filter((entry) => isFirst(entry) && outcomes.get(entry.stage.name)?.outcome === 'ran');
      if (made.length > 0 && !options.json && !options.quiet && !options.isCopy)
        await tellUnignored(
          project.root,
          made.map(({ stage }) => stage),
        );
      return failed && !options.ignoreErrors ? 1 : 0;
    } finally {
      view.close();
    }
  } catch (error) {
    // A call that is refused changes no file, such as one that gives a param a value for which another one is missing.
    if (unedited !== undefined && !hasStarted) takeBack(root, unedited);
    throw error;
  } finally {
    forget();
    await project.close();
  }
}

/** Puts the texts back that the edits of this call have changed, as if it had not been made. */
function takeBack(root: string, unedited: ReturnType<typeof writeTexts>): void {
  if (unedited.size === 0) return;
  writeTexts(root, unedited);
  forgetLastEdits(root);
}

/**
 * Waits until no other host has the folder.
 *
 * @throws FolderTaken if another host has it, and the run is not to wait
 */
async function waitForFolder(root: string, { wait, quiet }: RunOptions): Promise<void> {
  for (let isTold = false; ; isTold = true) {
    try {
      return checkFree(root);
    } catch (error) {
      if (!(error instanceof FolderTaken) || !wait) throw error;
      if (!isTold && !quiet) printError(`waits: ${error.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}

/**
 * Fetches what the stages made and, of stages that are not selected, what a selected one reads and is missing. Data that
 * the remote lacks is reported, but the run goes on, because stages can still make it. With --dry nothing is fetched, but
 * the plan counts what would be.
 *
 * @returns a function to call when the plan has been made and shown
 */
async function pullMissing(
  project: Project,
  names: readonly string[],
  remote: RemoteAddress,
  options: RunOptions,
): Promise<() => void> {
  const { stages, upstream } = project.graph;
  const makers = names
    .flatMap((name) => upstream.get(name)!)
    .filter((maker) => stages.get(maker)!.outs.some(({ path }) => isMissing(project, path)));
  const fetched = [...new Set([...names, ...makers])];
  if (options.dry) {
    const { folder, done } = await remoteForForecast(transferSource(project), fetched, remote);
    project.cache.assumeFetched(folder);
    project.runs.assumeFetched(
      folder,
      fetched.flatMap((name) => project.lock.get(name) ?? []),
    );
    return done;
  }
  const { problems } = await fetch(transferSource(project), fetched, remote);
  for (const problem of problems) printError(problem);
  return () => {};
}

/**
 * Writes the fresh stamp if all stages are fresh now, so that the next `repro` can take the fast path.
 *
 * @param hasCleared whether files were removed after the plan was made
 */
async function stampIfFresh(
  project: Project,
  plan: readonly PlannedStage[],
  outcomes: RunResult['outcomes'],
  hasCleared: boolean,
): Promise<void> {
  const all = [...outcomes.values()];
  if (all.some(({ outcome }) => outcome === 'failed' || outcome === 'skipped')) return;
  let statuses = plan.map(({ status }) => status);
  if (hasCleared || all.some(({ outcome }) => outcome !== 'fresh')) {
    // The times of a file that was just written do not prove yet that it will not change again in the same clock tick.
    await new Promise((resolve) => setTimeout(resolve, SETTLING_TIME));
    project.stageInputs.forget();
    project.stageInputs.releaseParams();
    statuses = (await makePlan(project, [...project.graph.stages.keys()], {})).map(({ status }) => status);
  }
  if (statuses.every(({ state }) => state === 'fresh')) await project.writeFreshStamp();
}

/** Whether one of the stages makes the file, so that it is up to date after the run. */
function hasMade(plan: readonly PlannedStage[], file: string | undefined): boolean {
  return file !== undefined && plan.some(({ stage }) => stage.outs.some(({ path }) => contains(path, file)));
}

/**
 * Listens for signals until the process ends, so that a late signal does not replace the exit code. A signal that comes
 * before `onSignal` is called is delivered by that call.
 */
function listenToSignals(hasJobs: boolean): Interrupt {
  let early: NodeJS.Signals | undefined;
  let handler = (signal: NodeJS.Signals) => {
    early = signal;
  };
  // Ctrl-\\ leaves jobs behind. Without any, it ends repro with a core file, as every program.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', ...(hasJobs ? (['SIGQUIT'] as const) : [])] as const)
    process.on(name, (signal) => handler(signal));
  return {
    onSignal: (callback) => {
      handler = callback;
      if (early) callback(early);
    },
  };
}
