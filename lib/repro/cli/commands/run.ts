/** `repro [TARGET…]`: plan, then execute, with the events shown as asked. */

import { constants } from 'node:os';
import { AttemptLog, execute, type Interrupt, type RunResult } from '../../execution/index.ts';
import { editedTexts, findRoot, select, writeTexts } from '../../pipeline/index.ts';
import { makePlan, openProject, type PlannedStage, type Project } from '../../planning/index.ts';
import { fetch, remoteFolder } from '../../storage/index.ts';
import { openView } from '../view.ts';
import { showPlan } from './dry.ts';
import { transferSource } from './remote.ts';

export interface RunCall {
  force?: boolean;
  singleItem?: boolean;
  pipeline?: boolean;
  downstream?: boolean;
  glob?: boolean;
  jobs?: number;
  keepGoing?: boolean;
  ignoreErrors?: boolean;
  dry?: boolean;
  setParam?: string[];
  runCache: boolean;
  commit: boolean;
  allowMissing?: boolean;
  pull?: boolean;
  remote?: string;
  json?: boolean;
  quiet?: boolean;
}

/** Milliseconds */
const SETTLING = 40;

export async function run(targets: readonly string[], call: RunCall): Promise<number> {
  const root = findRoot(process.cwd());
  const { singleItem: single, pipeline, downstream, glob } = call;
  const selection = { targets, single, pipeline, downstream, glob };
  const edited = call.setParam && (await editedTexts(root, call.setParam));
  if (edited && !call.dry) {
    // A call that is wrong, or an edit that the pipeline cannot live with, leaves the files as they are.
    const trial = await openProject(root, { write: false, edited });
    await trial.close();
    select(trial.graph, selection);
    writeTexts(root, edited);
  }
  const project = await openProject(root, call.dry ? { write: false, edited } : { write: true });
  try {
    const names = select(project.graph, selection);
    if (call.pull && !call.dry) await pullMissing(project, names, call.remote);
    const options = {
      force: call.force,
      runCache: call.runCache,
      allowMissing: call.allowMissing,
      jobs: call.jobs,
      keepGoing: call.keepGoing || call.ignoreErrors,
      commit: call.commit,
    };
    const plan = await makePlan(project, names, options);
    const ledger = new AttemptLog(project.root);
    if (call.dry) return await showPlan(project, plan, call);

    const view = openView(
      call.json ? 'json' : process.stdout.isTTY && process.env.TERM !== 'dumb' ? 'terminal' : 'lines',
      {
        readLog: (log) => ledger.read(log),
        quiet: call.quiet,
      },
    );
    const signals = listenToSignals();
    try {
      const { outcomes, interrupted } = await execute(project, plan, options, (event) => view.listen(event), signals);
      if (interrupted !== undefined) return 128 + constants.signals[interrupted];
      if (plan.length === project.pipeline.stages.length && !call.allowMissing)
        await certifyIfFresh(project, plan, outcomes);
      const failed = [...outcomes.values()].some(({ outcome }) => outcome === 'failed' || outcome === 'skipped');
      return failed && !call.ignoreErrors ? 1 : 0;
    } finally {
      view.close();
      signals.close();
    }
  } finally {
    await project.close();
  }
}

/** What the remote lacks is no fault: it can still be made here. */
async function pullMissing(project: Project, names: readonly string[], remote: string | undefined): Promise<void> {
  const { problems } = await fetch(transferSource(project), names, await remoteFolder(project.root, remote));
  for (const problem of problems) process.stderr.write(`repro: ${problem}\n`);
}

/** Lets the next call that changes nothing know so at once. */
async function certifyIfFresh(
  project: Project,
  plan: readonly PlannedStage[],
  outcomes: RunResult['outcomes'],
): Promise<void> {
  const all = [...outcomes.values()];
  if (all.some(({ outcome }) => outcome === 'failed' || outcome === 'skipped')) return;
  let verdicts = plan.map(({ status: verdict }) => verdict);
  if (all.some(({ outcome }) => outcome !== 'fresh')) {
    // What has just been written must have settled before its times can be relied on.
    await new Promise((resolve) => setTimeout(resolve, SETTLING));
    project.stageInputs.forget();
    verdicts = (await makePlan(project, [...project.graph.stages.keys()], {})).map(({ status: verdict }) => verdict);
  }
  if (verdicts.every(({ state }) => state === 'fresh')) project.writeFreshStamp();
}

function listenToSignals(): Interrupt & { close(): void } {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let early: NodeJS.Signals | undefined;
  let handler = (signal: NodeJS.Signals) => {
    early = signal;
  };
  const listener = (signal: NodeJS.Signals) => handler(signal);
  for (const name of names) process.on(name, listener);
  return {
    onSignal: (then) => {
      handler = then;
      if (early) then(early);
    },
    close: () => {
      for (const name of names) process.off(name, listener);
    },
  };
}
