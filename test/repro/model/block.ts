/** The record of a run, as the lock and the run cache hold it, and what a run is found by. */
import type { PlainStage, Value } from './stages.ts';
import type { Content } from './tree.ts';

/** What the lock and the run cache record of a run. Empty parts are left out, as in the lock. */
export interface Block {
  cmd: string | string[];
  wdir?: string;
  env?: { [name: string]: string };
  deps?: { [path: string]: Content | null };
  code?: { [entry: string]: Content };
  params?: { [file: string]: { [key: string]: Value } };
  parts?: { [path: string]: string };
  outs?: { [path: string]: Content };
}

/** The inputs of a run. */
export type Inputs = Pick<Required<Block>, 'deps' | 'code' | 'params'>;

/** Whether a stage is never fresh. */
export function alwaysRuns({ alwaysChanged, deps, code, params }: PlainStage): boolean {
  return alwaysChanged || deps.length + code.length + params.length === 0;
}

/** The record of a run. */
export function blockOf(stage: PlainStage, inputs: Inputs, outs: { [path: string]: Content }): Block {
  const part = <T extends object>(name: string, value: T) => (Object.keys(value).length > 0 ? { [name]: value } : {});
  return {
    cmd: stage.cmd.length === 1 ? stage.cmd[0] : stage.cmd,
    ...(stage.wdir === '.' ? {} : { wdir: stage.wdir }),
    ...part('env', stage.env),
    ...part('deps', inputs.deps),
    ...part('code', inputs.code),
    ...part('params', inputs.params),
    ...part('outs', outs),
  };
}

/** What a run is found by: its command, folder, environment, inputs and the paths of its outputs. */
export function keyOf(stage: PlainStage, inputs: Inputs): string {
  return json([blockOf(stage, inputs, {}), stage.outs.map(({ path }) => path).sort()]);
}

/** The key of a recorded run. */
export function keyOfBlock({ outs = {}, parts: _, ...inputs }: Block): string {
  return json([inputs, Object.keys(outs).sort()]);
}

/** One text for equal values, whatever the order of their keys. */
export function json(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
