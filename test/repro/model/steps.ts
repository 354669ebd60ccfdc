/**
 * The steps of a model run: edits that a person makes, and calls of repro. Each step is chosen by a generator of its own,
 * so that leaving out one step does not change what the others choose from.
 */
import { addStage, editRecipe, removeStage, renameOutput, renameStage } from './pipeline-edits.ts';
import type { RunOptions } from './project-state.ts';
import type { Random } from './random.ts';
import type { Reference } from './reference.ts';
import { lookUp, type Value } from './stages.ts';
import { within } from './tree.ts';
import {
  type Internal,
  type Kill,
  remember,
  type SetParam,
  type Step,
  type Victim,
  type World,
  write,
} from './world.ts';

/** Chooses the next step. Edits are made in memory at once. */
export function nextStep(random: Random, world: World): Step {
  return random.chance(0.45) ? edit(random, world) : call(random, world);
}

// Edits.

function edit(random: Random, world: World): Step {
  const choices: readonly (readonly [number, (random: Random, world: World) => Step | undefined])[] = [
    [4, editParam],
    [2, editList],
    [4, editSource],
    [2, editFolder],
    [3, editOutput],
    [2, removeOutput],
    [1, addToOutput],
    [1, touch],
    [1, chmod],
    [3, editRecipe],
    [1, removeStage],
    [1, addStage],
    [1, renameStage],
    [1, renameOutput],
    [4, undo],
    [2, internal],
  ];
  for (;;) {
    const step = random.weighted(choices)(random, world);
    if (step !== undefined) return step;
  }
}

function editParam(random: Random, world: World): Step {
  const { key, value } = someParam(random);
  setParam(world, key, value);
  return { kind: 'edit', text: `params.yaml ${key} = ${value}` };
}

function someParam(random: Random): SetParam {
  const key = random.pick(['p.k1', 'p.k2', 'p.k3', 'deep.er.k4', 'deep.er.k5']);
  const value = random.weighted<Value>([
    [3, random.below(4)],
    [2, random.pick(['three', 'four'])],
    [1, true],
  ]);
  return { key, value };
}

/** Sets a value in params.yaml, as a person does or `repro -S`. */
export function setParam(world: World, key: string, value: Value): void {
  remember(world);
  const parts = key.split('.');
  const last = parts.pop()!;
  const parent = parts.reduce((found, part) => (found as { [key: string]: Value })[part], world.written.params);
  (parent as { [key: string]: Value })[last] = value;
  write(world);
}

function editList(random: Random, world: World): Step {
  const [key, all] = random.pick<[string, Value[]]>([
    ['lists.l1', ['a', 'b', 'c']],
    ['lists.l2', [1, 2, 3]],
  ]);
  const chosen = random.some(all, 0.6);
  setParam(world, key, chosen.length > 0 ? chosen : [all[0]]);
  return { kind: 'edit', text: `params.yaml ${key} = ${lookUp(world.written.params, key)}` };
}

function sourceText(random: Random, path: string): string {
  const number = random.below(4);
  if (path.endsWith('main.mjs')) return `import './part.mjs';\nconsole.log(${number});\n`;
  if (path.endsWith('part.mjs')) return `console.log(${number});\n`;
  if (path === 'extra.yaml') return `e1: ${number}\ne2: ${random.below(3)}\n`;
  const word = random.weighted([
    [8, ''],
    [1, ' fail'],
    [1, ' forget'],
  ]);
  return `${path.split('/').at(-1)} ${number}${word}\n`;
}

function writeSource(world: World, path: string, text: string): void {
  world.written.sources[path] = text;
  world.reference.tree.write(path, text);
}

function editSource(random: Random, world: World): Step {
  remember(world);
  const path = random.pick([...Object.keys(world.written.sources), 'src/maybe.txt']);
  writeSource(world, path, sourceText(random, path));
  return { kind: 'edit', text: `${path} = ${JSON.stringify(world.written.sources[path])}` };
}

function editFolder(random: Random, world: World): Step | undefined {
  const { tree } = world.reference;
  const added = random.pick(['src/data/f4.txt', 'src/data/sub/f5.txt', 'src/data/new/f6.txt']);
  remember(world);
  if (!tree.has(added)) {
    writeSource(world, added, sourceText(random, added));
    return { kind: 'edit', text: `new ${added}` };
  }
  delete world.written.sources[added];
  tree.remove(added);
  return { kind: 'edit', text: `removed ${added}` };
}

/** An existing file of an output or a checkpoint, or of what a removed stage left. */
function someOutputFile(random: Random, { reference }: World): string | undefined {
  const files = reference.tree.filePaths.filter((path) => /^(out|cells|ck)\//.test(path));
  return files.length > 0 ? random.pick(files) : undefined;
}

function editOutput(random: Random, world: World): Step | undefined {
  const path = someOutputFile(random, world) ?? undefined;
  if (path === undefined) return undefined;
  const [name, text] = random.chance(0.8)
    ? ['edited', `by hand ${world.count++}\n`]
    : ['overwritten', world.reference.tree.text('src/a.txt')];
  world.reference.tree.write(path, text);
  world.reference.edited(path);
  return { kind: 'edit', text: `${name} output ${path}` };
}

function removeOutput(random: Random, world: World): Step | undefined {
  const file = someOutputFile(random, world);
  if (file === undefined) return undefined;
  const outs = world.reference.stages.flatMap((stage) => stage.outs.map(({ path }) => path));
  const out = outs.find((path) => within(path, file)) ?? file;
  const path = random.chance(0.6) ? out : file;
  world.reference.tree.remove(path);
  world.reference.edited(path);
  return { kind: 'edit', text: `removed output ${path}` };
}

/** A new file in a folder that stages make, or where an output will be. */
function addToOutput(random: Random, world: World): Step | undefined {
  const { reference } = world;
  const outs = reference.stages.flatMap((stage) => stage.outs.map(({ path }) => path));
  const folders = outs.filter((path) => reference.tree.isFolder(path));
  const missing = outs.filter((path) => !reference.tree.has(path));
  const paths = [
    ...folders.map((path) => `${path}/mine.txt`),
    ...missing,
    ...missing.map((path) => `${path}/mine.txt`),
  ];
  const path = paths.length > 0 ? random.pick(paths) : 'cells/mine.txt';
  // A person who replaces a file by a folder would have to remove the file first.
  if (reference.tree.isFolder(path)) return undefined;
  reference.tree.write(path, `by hand ${world.count++}\n`);
  reference.edited(path);
  return { kind: 'edit', text: `new file ${path}` };
}

function touch(random: Random, world: World): Step {
  const path = random.pick(world.reference.tree.filePaths);
  world.reference.edited(path);
  return { kind: 'edit', text: `touched ${path}`, touched: path };
}

function chmod(random: Random, world: World): Step {
  const { tree } = world.reference;
  const path = random.pick(tree.filePaths.filter((name) => /^(src|out|cells)\//.test(name)));
  const { text, executable } = tree.file(path)!;
  tree.write(path, text, !executable);
  world.reference.edited(path);
  return { kind: 'edit', text: `${executable ? 'chmod -x' : 'chmod +x'} ${path}` };
}

/** A person takes back edits of params, sources and the pipeline. */
function undo(random: Random, world: World): Step | undefined {
  if (world.history.length === 0) return undefined;
  const { tree } = world.reference;
  const back = structuredClone(world.history[Math.max(0, world.history.length - 1 - random.below(3))]);
  remember(world);
  for (const path of Object.keys(world.written.sources)) if (!(path in back.sources)) tree.remove(path);
  for (const [path, text] of Object.entries(back.sources)) tree.write(path, text);
  world.written = back;
  write(world);
  return { kind: 'edit', text: 'undid edits' };
}

function internal(random: Random, world: World): Step {
  const what = random.weighted<Internal>([
    [2, 'state'],
    [1, 'everything'],
    [2, 'lock'],
    [2, 'old lock'],
    [3, 'damage'],
    [world.reference.remote === undefined ? 0 : 2, 'clone'],
  ]);
  if (what !== 'damage') return { kind: 'internal', what };
  const objects = [...world.reference.store.objects].filter((object) => /^\w+$/.test(object)).sort();
  if (objects.length === 0) return { kind: 'internal', what: 'state' };
  return { kind: 'internal', what, object: random.pick(objects) };
}

// Calls.

function call(random: Random, world: World): Step {
  const { reference } = world;
  const kill: Kill | undefined = random.chance(0.2)
    ? {
        moment: random.next() * 1.2,
        writes: random.below(random.pick([8, 30, 100])),
        victim: random.pick<Victim>(['repro', 'group', 'stage', 'write', 'write', 'write']),
      }
    : undefined;
  const names = reference.stages.map(({ name }) => name);
  const targets = random.chance(0.3) ? [random.pick(names)] : [];
  const kind = random.weighted<Step['kind']>([
    [12, 'repro'],
    [0.7, 'two at once'],
    [3, 'status'],
    [2, 'dry'],
    [2, 'checkout'],
    [0.6, 'commit'],
    [2, 'gc'],
    [1.5, 'push'],
    [reference.remote === undefined ? 0 : 1.5, 'pull'],
    [reference.remote === undefined ? 0 : 0.5, 'fetch'],
    [reference.trash.length > 0 ? 3 : 0, 'trash restore'],
  ]);
  switch (kind) {
    case 'status':
      return { kind, options: { targets }, args: targets };
    case 'two at once':
      return { kind, options: { targets, keepGoing: true }, args: [...targets, '-k'] };
    case 'dry':
    case 'repro': {
      const set = random.chance(0.12) ? someParam(random) : undefined;
      const { options, args } = someOptions(random, reference);
      const all = set === undefined ? args : [...args, '-S', `${set.key}=${set.value}`];
      return { kind, options, args: all, ...(set ? { set } : kind === 'repro' && kill ? { kill } : {}) };
    }
    case 'gc':
      return { kind, ...(kill ? { kill } : {}) };
    case 'trash restore':
      return { kind, path: random.pick(reference.trash).path };
    default:
      return { kind: kind as 'checkout', targets, ...(kill ? { kill } : {}) };
  }
}

function someOptions(random: Random, reference: Reference): { options: RunOptions; args: string[] } {
  const options: RunOptions = {};
  const args: string[] = [];
  if (random.chance(0.3)) {
    const { name, group, outs } = random.pick(reference.stages);
    const target = random.weighted([
      [3, name],
      [1, group],
      [1, outs[0].path],
    ]);
    options.targets = [target];
    args.push(target);
    const flag = random.pick(['', '-s', '--downstream', '-p']);
    if (flag !== '') args.push(flag);
    options.single = flag === '-s';
    options.downstream = flag === '--downstream';
    options.pipeline = flag === '-p';
  }
  if (random.chance(0.06)) args.push('-f');
  options.force = args.includes('-f');
  options.keepGoing = random.chance(0.7);
  if (options.keepGoing) args.push('-k');
  options.noRunCache = random.chance(0.04);
  if (options.noRunCache) args.push('--no-run-cache');
  options.noCommit = random.chance(0.05);
  if (options.noCommit) args.push('--no-commit');
  options.pull = options.targets === undefined && reference.remote !== undefined && random.chance(0.15);
  if (random.chance(0.5)) args.push('-j', String(1 + random.below(4)));
  return { options, args };
}
