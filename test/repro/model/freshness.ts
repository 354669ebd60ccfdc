/** What is fresh, by the rules of docs/repro.md in plain words. Nothing here changes a file. */
import { alwaysRuns, type Block, blockOf, type Inputs, json, keyOf } from './block.ts';
import { clearLeft, leftOutputs } from './left-outputs.ts';
import { type ProjectState, Refused, type RunOptions } from './project-state.ts';
import { lookUp, type PlainStage, upstreamOf, type Value } from './stages.ts';
import { type Content, contentOf, isSame, sha256, touches, within } from './tree.ts';

/** The state of a stage in `repro status`. */
export type State = 'fresh' | 'stale' | 'restorable' | 'maybe' | 'frozen';

/** The inputs of a stage as they are; undefined if one is missing. Inputs that `skip` names are left out. */
export function inputsOf(
  state: ProjectState,
  stage: PlainStage,
  skip: (path: string) => boolean = () => false,
): Inputs | undefined {
  const inputs: Inputs = { deps: {}, code: {}, params: {} };
  for (const { path, optional } of stage.deps) {
    if (skip(path)) continue;
    const content = state.contentAt(path);
    if (content === undefined && !optional) return undefined;
    inputs.deps[path] = content ?? null;
  }
  for (const entry of stage.code) {
    if (!state.tree.has(entry)) return undefined;
    // The modules are the entry and what it imports. Their hash stands for the closure's.
    const modules = [
      entry,
      ...[...state.tree.text(entry).matchAll(/'\.\/([\w.]+)'/g)].map(([, name]) => `src/${name}`),
    ];
    const text = modules.map((path) => `${path} ${sha256(state.tree.text(path))}`).join('\n');
    inputs.code[entry] = { sha256: `code ${sha256(text)}`, size: 0 };
  }
  for (const { file, keys } of stage.params) {
    if (skip(file)) continue;
    inputs.params[file] = {};
    for (const key of keys ?? ['']) {
      const all = paramsFile(state, file);
      const value = key === '' ? all : lookUp(all, key);
      if (value === undefined) return undefined;
      inputs.params[file][key] = structuredClone(value);
    }
  }
  return inputs;
}

/** The values of a params file. The model writes only params.yaml and files of `key: number` lines. */
function paramsFile(state: ProjectState, file: string): Value | undefined {
  if (file === 'params.yaml') return state.params;
  if (!state.tree.has(file)) return undefined;
  const lines = [...state.tree.text(file).matchAll(/^(\w+): (\d+)$/gm)];
  return Object.fromEntries(lines.map(([, key, value]) => [key, Number(value)]));
}

/** Whether a stage has changed since the run `block`, or is never fresh. */
function differs(
  stage: PlainStage,
  block: Block | undefined,
  inputs: Inputs,
  outs: Map<string, Content | undefined>,
): boolean {
  if (block === undefined || alwaysRuns(stage)) return true;
  const { cmd, wdir, env } = blockOf(stage, inputs, {});
  if (json([cmd, wdir, env]) !== json([block.cmd, block.wdir, block.env])) return true;
  const { deps = {}, code = {}, params = {}, outs: recorded = {} } = block;
  // Only what the stage lists now counts: a removed dependency makes nothing stale.
  return (
    Object.entries(inputs.deps).some(([path, now]) => !Object.hasOwn(deps, path) || !isSame(deps[path], now)) ||
    Object.entries(inputs.code).some(([path, now]) => !isSame(code[path], now)) ||
    Object.entries(inputs.params).some(([file, values]) =>
      Object.entries(values).some(([key, now]) => json(recordedParam(params[file] ?? {}, key)) !== json(now)),
    ) ||
    [...outs].some(([path, now]) => now === undefined || !isSame(recorded[path], now))
  );
}

/** The state of one stage from the files as they are. `undefined`: an input is missing. */
export function evaluate(
  state: ProjectState,
  stage: PlainStage,
  options: RunOptions,
  inputs = inputsOf(state, stage),
): { state: State; key: string; inputs: Inputs; run?: Block } | undefined {
  if (stage.frozen) {
    const none = { key: '', inputs: inputs ?? { deps: {}, code: {}, params: {} } };
    const recorded = state.lock.get(stage.name);
    const missing = Object.entries(recorded?.outs ?? {}).filter(
      ([path, content]) =>
        stage.outs.some((out) => out.path === path) && !state.tree.has(path) && state.isCached(content),
    );
    // Missing outputs come back, and what is there stays as it is.
    if (missing.length === 0) return { state: 'frozen', ...none };
    return { state: 'restorable', ...none, run: { ...recorded!, outs: Object.fromEntries(missing) } };
  }
  if (inputs === undefined) return undefined;
  const key = keyOf(stage, inputs);
  const outs = new Map(stage.outs.map(({ path }) => [path, state.contentAt(path)]));
  if (!options.force && !differs(stage, state.lock.get(stage.name), inputs, outs))
    return { state: 'fresh', key, inputs };
  const run = state.store.runs.get(key);
  if (run === undefined || options.force || options.noRunCache || alwaysRuns(stage))
    return { state: 'stale', key, inputs };
  const isThere = stage.outs.every(
    ({ path }) => isSame(state.contentAt(path), run.outs![path]) || state.isCached(run.outs![path]),
  );
  if (isThere) return { state: 'restorable', key, inputs, run };
  state.store.runs.delete(key);
  return { state: 'stale', key, inputs };
}

/**
 * The states before anything runs, as `repro status` shows them.
 *
 * @throws Refused if an input is missing and no stage of the call will make it
 */
export function plan(state: ProjectState, options: RunOptions): Map<string, State> {
  const selected = state.select(options);
  const left = leftOutputs(state, selected);
  if (left.every(({ fate }) => fate === 'keep')) return planStages(state, selected, options);
  // As if the outputs that are to go were gone already.
  const without = state.copy();
  clearLeft(without, left, false);
  without.store = state.store;
  return planStages(without, selected, options);
}

function planStages(state: ProjectState, selected: readonly PlainStage[], options: RunOptions): Map<string, State> {
  const states = new Map<string, State>();
  const runs = new Map<string, Block>();
  let isMissing = false;
  for (const stage of selected) {
    const upstream = upstreamOf(stage, selected);
    const stateOf = (other: PlainStage) => states.get(other.name)!;
    const unsettled = upstream.filter((other) => ['stale', 'maybe'].includes(stateOf(other)));
    const pending = unsettled.flatMap(({ outs }) => outs.map(({ path }) => path));
    const restored = upstream.filter((other) => stateOf(other) === 'restorable');
    const predicted = restored.flatMap((other) => Object.entries(runs.get(other.name)!.outs!));
    const isUnknown = (path: string) =>
      pending.some((out) => touches(out, path)) || predicted.some(([out]) => touches(out, path));
    const inputs = inputsOf(state, stage, isUnknown);
    if (inputs === undefined && !stage.frozen) {
      isMissing = true;
      states.set(stage.name, 'stale');
      continue;
    }
    let isComplete = true;
    for (const { path } of stage.deps) {
      if (!isUnknown(path)) continue;
      const content = pending.some((out) => touches(out, path)) ? undefined : predictedContent(state, path, predicted);
      if (content) inputs!.deps[path] = content;
      else isComplete = false;
    }
    if (stage.frozen || isComplete) {
      const found = evaluate(state, stage, options, inputs)!;
      const isPending = found.state === 'fresh' && unsettled.length > 0;
      states.set(stage.name, isPending ? 'maybe' : found.state);
      if (found.run) runs.set(stage.name, found.run);
    } else {
      const outs = new Map(stage.outs.map(({ path }) => [path, state.contentAt(path)]));
      const isStale = options.force || differs(stage, state.lock.get(stage.name), inputs!, outs);
      states.set(stage.name, isStale ? 'stale' : 'maybe');
    }
  }
  if (isMissing) throw new Refused('an input is missing');
  return states;
}

/** The content of a path in outputs that will be restored. */
function predictedContent(state: ProjectState, path: string, outs: readonly [string, Content][]): Content | undefined {
  for (const [out, content] of outs) {
    if (out === path) return content;
    if (!within(out, path) || !state.store.objects.has(content.sha256)) continue;
    const rest = path.slice(out.length + 1);
    const found = [...state.subtreeOf(content.sha256)!].filter(([name]) => within(rest, name));
    if (found.length === 0) return undefined;
    return contentOf(new Map(found.map(([name, node]) => [name.slice(rest.length).replace(/^\//, ''), node])));
  }
  return undefined;
}

/** The recorded value of a param: the last run may have listed a wider key. */
function recordedParam(values: { [key: string]: Value }, key: string): Value | undefined {
  if (Object.hasOwn(values, key)) return values[key];
  for (const [wider, value] of Object.entries(values)) {
    if (wider !== '' && !key.startsWith(`${wider}.`)) continue;
    const found = lookUp(value, wider === '' ? key : key.slice(wider.length + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}
