/** The key that a run is known by in the run cache, and the block that records it. */
import { canonical, type Json } from '../documents/index.ts';
import { type Content, sha256 } from '../hashing/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { LockedStage, Recorded } from './lock-text.ts';

export interface Fingerprint {
  /** null: not there, and optional. */
  deps: { [path: string]: Recorded };
  code: { [entry: string]: Content };
  /** By file, then key; "" is the whole file. */
  params: { [file: string]: { [key: string]: Json } };
}

/** A stage's block, as the lock and the run cache hold it. */
export function lockedStage(stage: Stage, inputs: Fingerprint, outs: { [path: string]: Content }): LockedStage {
  const unlessEmpty = <T extends object>(name: string, value: T) =>
    Object.keys(value).length > 0 ? { [name]: value } : {};
  return {
    cmd: stage.cmd.length === 1 ? stage.cmd[0] : stage.cmd,
    ...(stage.wdir === '.' ? {} : { wdir: stage.wdir }),
    ...unlessEmpty('env', stage.env),
    ...unlessEmpty('deps', inputs.deps),
    ...unlessEmpty('code', inputs.code),
    ...unlessEmpty('params', inputs.params),
    ...unlessEmpty('outs', outs),
  };
}

/** What a run is known by: everything that goes into it, and the paths of what comes out. */
export function fingerprintKey(stage: Stage, inputs: Fingerprint): string {
  return keyOf(
    lockedStage(stage, inputs, {}),
    stage.outs.map(({ path }) => path),
  );
}

/** The same of a run that is recorded. */
export function recordedKey(block: LockedStage): string {
  return keyOf(block, Object.keys(block.outs ?? {}));
}

function keyOf({ outs: _, ...identity }: LockedStage, outs: readonly string[]): string {
  return sha256(canonical({ ...identity, outs: [...outs].sort() } as unknown as Json));
}
