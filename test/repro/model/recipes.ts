/**
 * Random definitions of stages. A recipe says what a stage reads and makes; `pipelineOf` writes recipes as a pipeline.yaml.
 * The edits of edits.ts change recipes, so that every pipeline is one that repro accepts.
 */
import type { Random } from './random.ts';
import type { Definition, Pipeline, Value } from './stages.ts';

/** An output of a recipe. `path` may have templates. */
export interface RecipeOutput {
  path: string;
  list: 'outs' | 'metrics' | 'plots';
  isFolder: boolean;
  options: { cache?: false; persist?: true };
}

/** What a stage reads and makes. Paths are relative to the project. */
export interface Recipe {
  /** Keys of the lists in params.yaml: one stage for each combination. None: one plain stage. */
  axes: string[];
  isForeach: boolean;
  wdir: '.' | 'work';
  /** What the command reads. */
  inputs: { path: string; isOptional?: true }[];
  /** Dependencies that the command does not read. */
  unread: string[];
  code: string[];
  /** Keys of params.yaml that templates of the command use. */
  inserted: string[];
  /** Params that the command reads from their files. */
  read: { file: 'params.yaml' | 'extra.yaml'; key: string }[];
  /** Params that are only listed. */
  listed: string[];
  /** Whether extra.yaml as a whole is a param. */
  allOfExtra: boolean;
  salt: number;
  isCoarse: boolean;
  outs: RecipeOutput[];
  checkpoint?: string;
  env: { [name: string]: string };
  isFrozen: boolean;
  alwaysChanged: boolean;
  /** Whether each output has a command of its own. */
  isSplit: boolean;
}

/** The recipes of a pipeline by the names of their stages. */
export type Recipes = { [name: string]: Recipe };

/** The files that a person wrote before the first call. */
export const SOURCES: { [path: string]: string } = {
  'src/a.txt': 'a 0\n',
  'src/b.txt': 'b 0\n',
  'src/data/f1.txt': 'f1 0\n',
  'src/data/f2.txt': 'f2 0\n',
  'src/data/sub/f3.txt': 'f3 0\n',
  'src/main.mjs': "import './part.mjs';\nconsole.log(0);\n",
  'src/part.mjs': 'console.log(0);\n',
  'extra.yaml': 'e1: 1\ne2: 2\n',
  'work/readme.txt': 'stages run here\n',
};

/** The params before the first edit. The last parts of all keys differ, because make.sh looks for lines. */
export const PARAMS: Value = {
  p: { k1: 1, k2: 2, k3: 'three' },
  deep: { er: { k4: 4, k5: true } },
  lists: { l1: ['a', 'b'], l2: [1, 2] },
};

/** Random recipes. Each reads sources and what the ones before it make. */
export function randomRecipes(random: Random): Recipes {
  const recipes: Recipes = {};
  const count = 3 + random.below(5);
  for (let i = 1; i <= count; i++) recipes[`s${i}`] = randomRecipe(random, `s${i}`, recipes);
  return recipes;
}

/** A random recipe that reads sources and what `earlier` make. */
export function randomRecipe(random: Random, name: string, earlier: Recipes): Recipe {
  const axes = random.weighted([
    [6, []],
    [1, ['lists.l1']],
    [1, ['lists.l2']],
    [1, ['lists.l1', 'lists.l2']],
  ]);
  const isForeach = axes.length === 1 && random.chance(0.5);
  const cell = isForeach ? '${item}' : axes.map((_, i) => `\${item.x${i}}`).join('-');
  const recipe: Recipe = {
    axes,
    isForeach,
    wdir: random.chance(0.15) ? 'work' : '.',
    inputs: [],
    unread: random.chance(0.15) ? ['src/b.txt'] : [],
    code: random.chance(0.08) ? ['src/main.mjs'] : [],
    inserted: random.some(['p.k1', 'p.k3'], 0.12),
    read: [],
    listed: random.some(['p.k2', 'deep.er', 'deep'], 0.06),
    allOfExtra: random.chance(0.06),
    salt: 0,
    isCoarse: random.chance(0.3),
    outs: [],
    env: random.chance(0.1) ? { SALT: 'one' } : {},
    isFrozen: false,
    alwaysChanged: random.chance(0.04),
    isSplit: random.chance(0.2),
  };
  for (const [file, key] of [
    ['params.yaml', 'p.k2'],
    ['params.yaml', 'deep.er.k4'],
    ['extra.yaml', 'e1'],
  ] as const)
    if (random.chance(0.15)) recipe.read.push({ file, key });
  const count = 1 + random.below(3);
  const known = readable(earlier, recipe);
  for (let i = 0; i < count; i++) {
    const path = random.chance(0.65) && known.length > 0 ? random.pick(known) : random.pick(SOURCE_INPUTS);
    if (!recipe.inputs.some((input) => input.path === path)) recipe.inputs.push({ path });
  }
  if (random.chance(0.08)) recipe.inputs.push({ path: 'src/maybe.txt', isOptional: true });
  if (random.chance(0.04))
    Object.assign(recipe, { inputs: [], unread: [], code: [], read: [], listed: [], allOfExtra: false });
  const outs = 1 + Number(random.chance(0.35));
  for (let i = 0; i < outs; i++) recipe.outs.push(randomOutput(random, `${name}${i === 0 ? '' : `o${i}`}`, cell));
  if (random.chance(0.12)) recipe.checkpoint = `ck/${name}${cell}`;
  return recipe;
}

/** A random output of a stage; `cell` is the template that tells its cells apart. */
export function randomOutput(random: Random, name: string, cell: string): RecipeOutput {
  const folder = cell === '' ? 'out/' : `cells/${name}/`;
  const base = cell === '' ? name : cell;
  const [list, ending] = random.weighted<[RecipeOutput['list'], string]>([
    [4, ['outs', '.txt']],
    [4, ['outs', '']],
    [1, ['metrics', '.json']],
    [1, ['plots', '.csv']],
  ]);
  const isPersisted = random.chance(0.08);
  return {
    path: `${folder}${base}${ending}`,
    list,
    isFolder: ending === '',
    options: {
      ...(random.chance(0.12) ? { cache: false } : {}),
      ...(isPersisted ? { persist: true } : {}),
    },
  };
}

const SOURCE_INPUTS = ['src/a.txt', 'src/b.txt', 'src/data', 'src/data/f1.txt', 'src/data/sub'];

/** The paths that a stage may read of what other stages make. */
function readable(recipes: Recipes, reader: { axes: string[]; isForeach: boolean }): string[] {
  return Object.values(recipes).flatMap(({ axes, isForeach, outs }) =>
    outs.flatMap(({ path, isFolder }) => {
      if (axes.length === 0) return isFolder ? [path, `${path}/one.txt`, `${path}/sub`] : [path];
      const isAlike = axes.join() === reader.axes.join() && isForeach === reader.isForeach;
      return [path.slice(0, path.lastIndexOf('/')), ...(isAlike ? [path] : [])];
    }),
  );
}

/** The pipeline.yaml of some recipes. */
export function pipelineOf(recipes: Recipes): Pipeline {
  return { stages: Object.fromEntries(Object.entries(recipes).map(([name, recipe]) => [name, definitionOf(recipe)])) };
}

function definitionOf(recipe: Recipe): Definition {
  const up = recipe.wdir === '.' ? '' : '../';
  const inputs = [
    ...recipe.inputs.map(({ path }) => `in:${up}${path}`),
    ...recipe.inserted.map((key) => `val:\${${key}}`),
    ...recipe.read.map(({ file, key }) => `param:${up}${file}:${key.split('.').at(-1)}`),
    `val:${recipe.salt}`,
    ...(recipe.isCoarse ? ['coarse'] : []),
  ];
  const checkpoint = recipe.checkpoint === undefined ? [] : [`ckpt:${up}${recipe.checkpoint}`];
  const outs = recipe.outs.map(({ path, isFolder }) => `${isFolder ? 'dir' : 'out'}:${up}${path}`);
  const command = (words: string[]) => ['sh', `${up}make.sh`, ...inputs, ...words].join(' ');
  const listOf = (list: RecipeOutput['list']) =>
    recipe.outs
      .filter((out) => out.list === list)
      .map(({ path, options }) => (Object.keys(options).length > 0 ? { [up + path]: options } : up + path));
  const unlessEmpty = <T extends { length: number }>(key: string, list: T) => (list.length > 0 ? { [key]: list } : {});
  const params = [
    ...new Set([...recipe.inserted, ...recipe.listed, ...recipe.read.filter(isMain).map(({ key }) => key)]),
  ];
  const extra = recipe.read.filter((param) => !isMain(param)).map(({ key }) => key);
  const body: Definition = {
    // A checkpoint belongs to the first command alone: make.sh checks what it finds in it.
    cmd:
      recipe.isSplit && outs.length > 1
        ? outs.map((out, i) => command([...(i === 0 ? checkpoint : []), out]))
        : command([...checkpoint, ...outs]),
    ...(recipe.wdir === '.' ? {} : { wdir: recipe.wdir }),
    ...unlessEmpty('deps', [
      ...recipe.inputs.map(({ path, isOptional }) =>
        isOptional ? { [up + path]: { optional: true as const } } : up + path,
      ),
      ...recipe.unread.filter((path) => !recipe.inputs.some((input) => input.path === path)).map((path) => up + path),
    ]),
    ...unlessEmpty(
      'code',
      recipe.code.map((path) => up + path),
    ),
    ...unlessEmpty('params', [
      ...(params.length > 0 ? (up === '' ? params : [{ [`${up}params.yaml`]: params }]) : []),
      ...(recipe.allOfExtra
        ? [{ [`${up}extra.yaml`]: null }]
        : extra.length > 0
          ? [{ [`${up}extra.yaml`]: extra }]
          : []),
    ]),
    ...unlessEmpty('outs', listOf('outs')!),
    ...unlessEmpty('metrics', listOf('metrics')!),
    ...unlessEmpty('plots', listOf('plots')!),
    ...(Object.keys(recipe.env).length > 0 ? { env: recipe.env } : {}),
    ...(recipe.checkpoint === undefined ? {} : { checkpoint: up + recipe.checkpoint }),
    ...(recipe.isFrozen ? { frozen: true } : {}),
    ...(recipe.alwaysChanged ? { always_changed: true } : {}),
  };
  if (recipe.axes.length === 0) return body;
  const lists = recipe.axes.map((key) => `\${${key}}`);
  if (recipe.isForeach) return { foreach: lists[0], do: body };
  return { matrix: Object.fromEntries(lists.map((list, i) => [`x${i}`, list])), ...body };
}

function isMain({ file }: { file: string }): boolean {
  return file === 'params.yaml';
}
