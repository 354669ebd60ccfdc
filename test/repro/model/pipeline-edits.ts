/** Edits of pipeline.yaml that a person makes in a model run: one part of a stage, or whole stages. */
import type { Random } from './random.ts';
import { type Recipe, randomOutput, randomRecipe } from './recipes.ts';
import { remember, type Step, type World, write } from './world.ts';

export function editRecipe(random: Random, world: World): Step {
  remember(world);
  const name = random.pick(Object.keys(world.written.recipes));
  const recipe = structuredClone(world.written.recipes[name]);
  const change = random.weighted<[string, () => void]>([
    [4, ['its command', () => (recipe.salt = random.below(4))]],
    [2, ['an unread dependency', () => (recipe.unread = recipe.unread.length > 0 ? [] : ['src/b.txt'])]],
    [1, ['its frozen flag', () => (recipe.isFrozen = !recipe.isFrozen)]],
    [1, ['always_changed', () => (recipe.alwaysChanged = !recipe.alwaysChanged)]],
    [1, ['its environment', () => (recipe.env = random.chance(0.5) ? {} : { SALT: random.pick(['one', 'two']) })]],
    [1, ['its listed params', () => (recipe.listed = random.some(['p.k2', 'deep.er', 'deep'], 0.4))]],
    [1, ['a parameter in its command', () => (recipe.inserted = random.some(['p.k1', 'p.k3'], 0.5))]],
    [1, ['whether extra.yaml is a param', () => (recipe.allOfExtra = !recipe.allOfExtra)]],
    [1, ['persist', () => toggle(random.pick(recipe.outs).options, 'persist', true)]],
    [1, ['cache', () => toggle(random.pick(recipe.outs).options, 'cache', false)]],
    [1, ['its folder', () => (recipe.wdir = recipe.wdir === '.' ? 'work' : '.')]],
  ]);
  change[1]();
  world.written.recipes = { ...world.written.recipes, [name]: recipe };
  write(world);
  return { kind: 'edit', text: `pipeline.yaml: ${name}: ${change[0]}` };
}

function toggle<K extends string, V>(options: { [key in K]?: V }, key: K, value: V): void {
  if (options[key] === undefined) options[key] = value;
  else delete options[key];
}

export function removeStage(random: Random, world: World): Step | undefined {
  const names = Object.keys(world.written.recipes);
  if (names.length < 2) return undefined;
  remember(world);
  const name = random.pick(names);
  const { [name]: _, ...rest } = world.written.recipes;
  world.written.recipes = rest;
  write(world);
  return { kind: 'edit', text: `pipeline.yaml: ${name} removed` };
}

export function addStage(random: Random, world: World): Step {
  remember(world);
  const name = `n${world.count++}`;
  world.written.recipes = { ...world.written.recipes, [name]: randomRecipe(random, name, world.written.recipes) };
  write(world);
  return { kind: 'edit', text: `pipeline.yaml: ${name} added` };
}

export function renameStage(random: Random, world: World): Step {
  remember(world);
  const old = random.pick(Object.keys(world.written.recipes));
  const name = `r${world.count++}`;
  world.written.recipes = Object.fromEntries(
    Object.entries(world.written.recipes).map(([key, recipe]): [string, Recipe] => [key === old ? name : key, recipe]),
  );
  write(world);
  return { kind: 'edit', text: `pipeline.yaml: ${old} is now ${name}` };
}

export function renameOutput(random: Random, world: World): Step {
  remember(world);
  const name = random.pick(Object.keys(world.written.recipes));
  const recipe = structuredClone(world.written.recipes[name]);
  const cell = recipe.isForeach ? '${item}' : recipe.axes.map((_, i) => `\${item.x${i}}`).join('-');
  const index = random.below(recipe.outs.length);
  const old = recipe.outs[index].path;
  recipe.outs[index] = randomOutput(random, `${name}x${world.count++}`, cell);
  world.written.recipes = { ...world.written.recipes, [name]: recipe };
  write(world);
  return { kind: 'edit', text: `pipeline.yaml: ${name}: output ${old} is now ${recipe.outs[index].path}` };
}
