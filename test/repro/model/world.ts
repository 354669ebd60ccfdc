/**
 * What the steps of a model run change: what a person has written, and the reference that says what follows from it.
 * Also the kinds of steps.
 */
import { stringify } from 'yaml';
import type { RunOptions } from './project-state.ts';
import { pipelineOf, type Recipes } from './recipes.ts';
import type { Reference } from './reference.ts';
import type { Value } from './stages.ts';

/** What a person has written, from which params.yaml and pipeline.yaml follow. */
export interface Written {
  recipes: Recipes;
  params: Value;
  /** The files in src, by path. */
  sources: { [path: string]: string };
}

/** What steps change. */
export interface World {
  reference: Reference;
  written: Written;
  /** Earlier states of `written`, to which a person returns. */
  history: Written[];
  /** Earlier locks. */
  locks: { text: string; blocks: Reference['lock'] }[];
  /** Numbers the edits, so that no two are alike. */
  count: number;
}

/** A change of repro's own files that the manual allows, or damage. */
export type Internal = 'state' | 'everything' | 'lock' | 'old lock' | 'damage' | 'clone';

/** What gets SIGKILL while a call runs. `write`: repro, at one of its writes. */
export type Victim = 'repro' | 'group' | 'stage' | 'write';

/** One step. Edits have been made in memory when they are returned. */
export type Step =
  | { kind: 'edit'; text: string; touched?: string }
  | { kind: 'internal'; what: Internal; object?: string }
  | { kind: 'repro'; options: RunOptions; args: string[]; set?: SetParam; kill?: Kill }
  | { kind: 'two at once'; options: RunOptions; args: string[] }
  | { kind: 'status' | 'dry'; options: RunOptions; args: string[]; set?: SetParam }
  | { kind: 'checkout' | 'commit' | 'push' | 'pull' | 'fetch'; targets: string[]; kill?: Kill }
  | { kind: 'gc'; kill?: Kill }
  | { kind: 'trash restore'; path: string };

/** A value that `-S` sets. */
export interface SetParam {
  key: string;
  value: Value;
}

/** When and what to kill. */
export interface Kill {
  /** A share of the time that the call is expected to take. */
  moment: number;
  /** For `write`: the number of writes before. */
  writes: number;
  victim: Victim;
}

/** Writes params.yaml and pipeline.yaml after a change of `written`. */
export function write({ reference, written }: World): void {
  reference.params = written.params;
  reference.pipeline = pipelineOf(written.recipes);
  reference.tree.write('params.yaml', stringify(written.params));
  reference.tree.write('pipeline.yaml', stringify(reference.pipeline));
}

/** Keeps the present state of `written`, so that a later step can return to it. */
export function remember(world: World): void {
  world.history.push(structuredClone(world.written));
}
