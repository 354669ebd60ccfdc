/**
 * Interprets a state of Slurm for an attempt that has left no result. Pure: the executor acts on it.
 *
 *   Slurm says                                          becomes
 *   PENDING and the like                                waits; fails if its reason says that it can never start
 *   RUNNING, COMPLETING and the like                    runs
 *   COMPLETED                                           failed: it left no result
 *   FAILED                                              failed, again if the stage has retries
 *   TIMEOUT, DEADLINE                                   goes on from its checkpoint if that has changed; else failed
 *   OUT_OF_MEMORY                                       failed
 *   CANCELLED                                           failed, or interrupted if repro cancelled it
 *   PREEMPTED, REVOKED                                  lost: again, any number of times
 *   NODE_FAIL, BOOT_FAIL, LAUNCH_FAILED                 lost: again on another node, at most 3 times
 *   not known to Slurm any more                         lost
 *
 * @see squeue(1), "Job state codes" and "Job reason codes"
 */
import type { QueueRow } from './answers.ts';

/** The state of an attempt, according to Slurm. */
export type Standing =
  | { is: 'waiting'; reason: string; isHeld: boolean }
  | { is: 'running'; node: string }
  /** It can never start. */
  | { is: 'stuck'; reason: string }
  /** It has left the queue. Its state decides only if the node left no result. */
  | { is: 'gone' };

const WAITING = new Set([
  'PENDING',
  'CONFIGURING',
  'SUSPENDED',
  'REQUEUED',
  'REQUEUE_HOLD',
  'REQUEUE_FED',
  'SPECIAL_EXIT',
  'STOPPED',
  'RESV_DEL_HOLD',
]);
const RUNNING = new Set(['RUNNING', 'COMPLETING', 'STAGE_OUT', 'SIGNALING', 'RESIZING']);
const STUCK =
  /^(PartitionConfig|PartitionNodeLimit|PartitionTimeLimit|BadConstraints|DependencyNeverSatisfied|QOSMax\w+PerJob\w*|AssocMax\w+PerJob\w*|InvalidAccount|InvalidQOS)$/;

/** The state of the task in a row. */
export function standingOf({ state, reason, node }: QueueRow): Standing {
  if (RUNNING.has(state)) return { is: 'running', node };
  if (!WAITING.has(state)) return { is: 'gone' };
  return STUCK.test(reason) ? { is: 'stuck', reason } : { is: 'waiting', reason, isHeld: reason.startsWith('JobHeld') };
}

/** An attempt that has left the queue without a result. */
export interface Ended {
  /** undefined: neither squeue nor sacct knows it. */
  row: QueueRow | undefined;
  /** repro has cancelled it. */
  isCancelledByUs: boolean;
  /** The node said that its commands ended after a SIGTERM. */
  wasTerminated: boolean;
  /** The node said that the commands began. */
  hasBegun: boolean;
  /** The checkpoint has changed since the attempt began. */
  hasGoneOn: boolean;
  /** How often the stage has gone on from its checkpoint, and was lost with a node. */
  continued: number;
  nodesLost: number;
  /** Seconds that a result may be late. */
  latency: number;
  /** How often it may go on. */
  continues: number;
}

/** The decision about such an attempt. */
export type Verdict =
  /** `again`: it may be tried again as often as the stage has retries. */
  | { is: 'failed'; message: string; again?: true }
  | { is: 'interrupted' }
  /** A new attempt begins. `without`: a node that must not run it. */
  | { is: 'lost'; why: string; counts: 'continued' | 'nodesLost' | 'free'; without?: string };

const MOST_NODES_LOST = 3;

/** The rule of the table above. */
export function verdictOn(ended: Ended): Verdict {
  const { row, continued, nodesLost, continues, latency } = ended;
  if (ended.isCancelledByUs) return { is: 'interrupted' };
  if (row === undefined) return lostNode(nodesLost, 'Slurm does not know its job any more', '');
  const { state, node, reason } = row;
  if (state === 'PREEMPTED' || state === 'REVOKED')
    return { is: 'lost', why: `its job was ${state.toLowerCase()}`, counts: 'free' };
  if (/^(NODE_FAIL|BOOT_FAIL|LAUNCH_FAILED|RECONFIG_FAIL)$/.test(state))
    return lostNode(nodesLost, `Slurm lost ${node === '' ? 'its node' : `the node ${node}`} (${state})`, node);
  if (state === 'FAILED' && reason === 'JobLaunchFailure' && !ended.hasBegun)
    return lostNode(nodesLost, `its job could not be started${node === '' ? '' : ` on ${node}`} (${reason})`, node);
  if (state === 'TIMEOUT' || state === 'DEADLINE' || (state === 'FAILED' && ended.wasTerminated)) {
    if (!ended.hasGoneOn)
      return {
        is: 'failed',
        message:
          state === 'DEADLINE'
            ? 'it could not end before the deadline of its job (--deadline)'
            : 'it took longer than the time limit of its job',
      };
    if (continued >= continues)
      return { is: 'failed', message: `it took longer than the time limit of its job, ${continued + 1} times` };
    return { is: 'lost', why: 'its job reached its time limit; it goes on from its checkpoint', counts: 'continued' };
  }
  if (state === 'OUT_OF_MEMORY') return { is: 'failed', message: OUT_OF_MEMORY };
  if (state === 'CANCELLED')
    return {
      is: 'failed',
      message: `its job was cancelled${row.by === undefined ? ', not by repro' : ` by the user ${row.by}`}`,
    };
  if (state === 'COMPLETED')
    return {
      is: 'failed',
      message: `Slurm says that its job ended well, but it left no result within ${latency} s; does ${node || 'its node'} see this folder?`,
    };
  return {
    is: 'failed',
    message: `Slurm says that its job ended as ${state}${reason === '' ? '' : ` (${reason})`}, and it left no result`,
    again: true,
  };
}

/** The start of the sentence; the executor adds what the stage asked for. */
export const OUT_OF_MEMORY = 'it took more memory than its job has';

/**
 * Whether Slurm has written into the job's log that it has ended the job for its memory. Where it watches jobs itself
 * (OverMemoryKill), and not by cgroups, their state is FAILED.
 *
 * @example saysOutOfMemory('slurmstepd: error: Exceeded job memory limit') // true
 */
export function saysOutOfMemory(log: string): boolean {
  return /^slurmstepd\S*: error: .*exceeded (?:\w+ )?memory limit/im.test(log);
}

function lostNode(nodesLost: number, why: string, node: string): Verdict {
  if (nodesLost >= MOST_NODES_LOST) return { is: 'failed', message: `${why}, ${nodesLost + 1} times in a row` };
  return { is: 'lost', why, counts: 'nodesLost', ...(node === '' ? {} : { without: node }) };
}
