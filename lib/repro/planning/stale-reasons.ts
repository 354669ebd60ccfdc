/**
 * Finds why a stage is stale: a pure comparison of the stage's block in the lock with the present. Content decides,
 * never time. Adding a dependency or parameter to a stage makes it stale; removing one does not. Any change of env
 * makes it stale, because the command sees all of env.
 */
import { canonical, differences, type Json, lookUp } from '../documents/index.ts';
import { type Content, sameContent } from '../hashing/index.ts';
import { commandText, type Stage, type StageCommand } from '../pipeline/index.ts';
import type { Fingerprint, LockedStage, Recorded } from '../storage/index.ts';

/** The commands of a stage; one that is alone is not in a list. */
export type CommandLines = StageCommand | readonly StageCommand[];

/** A reason why a stage is not fresh. `old` is absent if nothing was recorded, `new` if there is nothing now. */
export type Reason =
  | { kind: 'never-run' }
  | { kind: 'command'; old: CommandLines; new: CommandLines }
  | { kind: 'env'; key: string; old?: string; new?: string }
  | { kind: 'param'; file: string; key: string; old?: Json; new?: Json }
  | { kind: 'dep'; path: string; old?: Recorded; new?: Recorded }
  /** `path`: a code entry, or one of its modules; then `entry` is the code entry. */
  | { kind: 'code'; path: string; entry?: string; old?: Content; new?: Content }
  /** `name`: an installed package that the code imports. */
  | { kind: 'package'; name: string; old?: string; new: string }
  | { kind: 'out-missing'; path: string }
  /** `problem`: why the output cannot be read now. */
  | { kind: 'out-changed'; path: string; old?: Content; new?: Content; problem?: string }
  | { kind: 'upstream'; stages: readonly string[] }
  /** Files of the dependency are missing, and the lock does not show whether it changed. */
  | { kind: 'unknown'; path: string }
  | { kind: 'always'; forced?: true };

/** An output as it is now; without both fields if it does not exist. */
export interface PresentOutput {
  content?: Content;
  /** Why it cannot be read. */
  problem?: string;
}

/** Whether a stage is never fresh: it is marked always_changed, or has no inputs that could be compared. */
export function alwaysRuns(stage: Stage): boolean {
  return stage.alwaysChanged || (stage.deps.length === 0 && stage.code.length === 0 && stage.params.length === 0);
}

/**
 * Compares a stage with its last run.
 *
 * @param recorded the stage's block in the lock; undefined if it never ran
 * @param outs each output as it is now, by path
 * @returns the reasons why it is stale; none if it is fresh
 */
export function staleReasons(
  stage: Stage,
  recorded: LockedStage | undefined,
  inputs: Fingerprint,
  outs: ReadonlyMap<string, PresentOutput>,
): Reason[] {
  if (recorded === undefined) return [{ kind: 'never-run' }];
  return [
    ...(alwaysRuns(stage) ? [{ kind: 'always' } as const] : []),
    ...command(stage, recorded),
    ...env(stage, recorded),
    ...params(inputs, recorded),
    ...deps(inputs, recorded),
    ...code(inputs, recorded),
    ...packages(inputs, recorded),
    ...outputs(recorded, outs),
  ];
}

function command(stage: Stage, recorded: LockedStage): Reason[] {
  const line = (cmd: readonly StageCommand[]) => (cmd.length === 1 ? cmd[0] : cmd);
  const old = [recorded.cmd].flat() as StageCommand[];
  const hasMoved = (recorded.wdir ?? '.') !== stage.wdir;
  const same = canonical(old as unknown as Json) === canonical(stage.cmd as unknown as Json);
  if (same && !hasMoved) return [];
  const within = (wdir: string, cmd: readonly StageCommand[]) =>
    hasMoved ? `(in ${wdir}) ${cmd.map(commandText).join(' && ')}` : line(cmd);
  return [{ kind: 'command', old: within(recorded.wdir ?? '.', old), new: within(stage.wdir, stage.cmd) }];
}

function env(stage: Stage, recorded: LockedStage): Reason[] {
  return differences(recorded.env ?? {}, stage.env).map(
    (difference) => ({ kind: 'env', ...difference }) as Extract<Reason, { kind: 'env' }>,
  );
}

function params(inputs: Fingerprint, recorded: LockedStage): Reason[] {
  return Object.entries(inputs.params).flatMap(([file, values]) =>
    Object.entries(values).flatMap(([key, value]) =>
      differences(recordedParam(recorded, file, key), value, key).map(
        (difference): Reason => ({ kind: 'param', file, ...difference }),
      ),
    ),
  );
}

/**
 * The recorded value of a param. The last run may have listed a wider key: `train`, where the stage now has `train.lr`.
 */
function recordedParam(recorded: LockedStage, file: string, key: string): Json | undefined {
  const values = recorded.params?.[file] ?? {};
  if (Object.hasOwn(values, key)) return values[key];
  for (const [wider, value] of Object.entries(values)) {
    const rest = wider === '' ? key : key.startsWith(`${wider}.`) ? key.slice(wider.length + 1) : undefined;
    const found = rest ? lookUp(value, rest) : undefined;
    if (found?.found) return found.value;
  }
  return undefined;
}

function deps(inputs: Fingerprint, recorded: LockedStage): Reason[] {
  return Object.entries(inputs.deps).flatMap(([path, now]): Reason[] => {
    const known = recorded.deps && Object.hasOwn(recorded.deps, path);
    const old = recorded.deps?.[path];
    return known && sameContent(old, now) ? [] : [{ kind: 'dep', path, ...(known ? { old } : {}), new: now }];
  });
}

function code(inputs: Fingerprint, recorded: LockedStage): Reason[] {
  return Object.entries(inputs.code).flatMap(([path, now]): Reason[] => {
    const old = recorded.code?.[path];
    return sameContent(old, now) ? [] : [{ kind: 'code', path, ...(old ? { old } : {}), new: now }];
  });
}

/** A block from before packages were recorded says nothing about them, so it does not differ. */
function packages(inputs: Fingerprint, { packages: recorded }: LockedStage): Reason[] {
  if (recorded === undefined) return [];
  return Object.entries(inputs.packages ?? {}).flatMap(([name, now]): Reason[] => {
    const old = Object.hasOwn(recorded, name) ? recorded[name] : undefined;
    return old === now ? [] : [{ kind: 'package', name, ...(old === undefined ? {} : { old }), new: now }];
  });
}

function outputs(recorded: LockedStage, outs: ReadonlyMap<string, PresentOutput>): Reason[] {
  return [...outs].flatMap(([path, { content: now, problem }]): Reason[] => {
    const old = recorded.outs?.[path];
    if (problem !== undefined) return [{ kind: 'out-changed', path, ...(old ? { old } : {}), problem }];
    if (now === undefined) return [{ kind: 'out-missing', path }];
    return sameContent(old, now) ? [] : [{ kind: 'out-changed', path, ...(old ? { old } : {}), new: now }];
  });
}
