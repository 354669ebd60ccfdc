/** The key of a run in the run cache, and the block that records the run. */
import { canonical, type Json } from '../documents/index.ts';
import { type Content, sha256 } from '../hashing/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { LockedStage, Recorded } from './lock-text.ts';

/** The inputs of a stage at one moment. */
export interface Fingerprint {
  /** By path; null if the dependency is optional and missing. */
  deps: { [path: string]: Recorded };
  code: { [entry: string]: Content };
  /** By file, then by key; the key "" stands for the whole file. */
  params: { [file: string]: { [key: string]: Json } };
  /** Versions of the packages that the code imports, by name. */
  packages?: { [name: string]: string };
}

/** The block of a run for the lock and the run cache; empty parts are left out. */
export function lockedStage(stage: Stage, inputs: Fingerprint, outs: { [path: string]: Content }): LockedStage {
  const unlessEmpty = <T extends object>(name: string, value: T) =>
    Object.keys(value).length > 0 ? { [name]: value } : {};
  return {
    cmd: stage.cmd.length === 1 ? stage.cmd[0] : stage.cmd,
    ...(stage.wdir === '.' ? {} : { wdir: stage.wdir }),
    ...unlessEmpty('env', stage.env),
    ...unlessEmpty('deps', inputs.deps),
    ...unlessEmpty('code', inputs.code),
    ...unlessEmpty('packages', inputs.packages ?? {}),
    ...unlessEmpty('params', inputs.params),
    ...unlessEmpty('outs', outs),
  };
}

/** The key of a run: a hash of the command, all inputs and the paths of the outputs. */
export function fingerprintKey(stage: Stage, inputs: Fingerprint): string {
  return keyOf(
    lockedStage(stage, inputs, {}),
    stage.outs.map(({ path }) => path),
  );
}

/** The key of a recorded run. Its `parts` do not count: they say the same as its `deps`. */
export function recordedKey(block: LockedStage): string {
  return keyOf(block, Object.keys(block.outs ?? {}));
}

function keyOf({ outs: _, parts: __, ...inputs }: LockedStage, outs: readonly string[]): string {
  return sha256(canonical({ ...inputs, outs: [...outs].sort() } as unknown as Json));
}
