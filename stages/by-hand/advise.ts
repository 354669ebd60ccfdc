/**
 * Advises on the design of a study: how wide the interval of α will be, and which run narrows it most. Not a stage of the
 * pipeline.
 *
 *   npm run advise -- --runs outputs/results.csv
 *   npm run advise -- --sizes 6k,20k,60k,200k,500k --seeds 3 --noise 0.01
 */
import {
  type Addition,
  type Advice,
  adviseDesign,
  type Design,
  designOf,
  fitStudy,
  formatNumber,
  formatPercent,
  isRefusal,
  readRuns,
} from '../../lib/scaling/index.ts';
import { readText, StageError, stage } from '../parts/stage.ts';

/** A law like those of the default study, for designs without runs. */
const USUAL_LAW = { alpha: 0.35, a: 12, c: 0.69 };
/** The flags that describe a design without runs. */
const PLANNED = ['sizes', 'seeds', 'noise', 'size-noise', 'alpha', 'a', 'c'] as const;
/** Most runs of a design. Studies have a few dozen. */
const MAX_RUNS = 10_000;
/** Runs to add that are printed. */
const SHOWN = 6;

await stage({
  name: 'advise',
  description:
    'Says how wide the interval of α will be for a design, given by its runs or by sizes, seeds and noise, and which run to add next. The advice is printed; --metrics writes it as JSON.',
  paths: [],
  flags: {
    runs: 'a table of runs; the law and the noise are those of its fits',
    sizes: 'instead: parameters of the models, for example 6k,20k,60k,200k,500k',
    seeds: 'runs of each size: one number, or one for each size. Default: 1',
    noise: 'standard deviation of the loss between seeds, as a share of it, for example 0.01',
    'size-noise': "standard deviation of a size's own deviation from the law. Default: 0",
    alpha: `α of the law that is assumed. Default: ${USUAL_LAW.alpha}`,
    a: `a of that law. Default: ${USUAL_LAW.a}`,
    c: `c of that law, the floor. Default: ${USUAL_LAW.c}`,
    loss: 'column of the loss in the table. Default: fit.loss',
  },
  optional: ['runs', 'sizes', 'seeds', 'noise', 'size-noise', 'alpha', 'a', 'c', 'loss'],
  async run({ flags, params }) {
    const { confidence, size } = params.fit;
    const planned = PLANNED.find((flag) => flags[flag] !== undefined);
    if (flags.runs !== undefined && planned !== undefined)
      throw new StageError(`--${planned} describes a design without runs; give either --runs or --${planned}`);
    const designs =
      flags.runs === undefined
        ? [['', plannedDesign(flags)] as const]
        : await designsOfRuns(flags.runs, flags.loss ?? params.fit.loss, size);
    const advice: Record<string, Advice> = {};
    for (const [name, design] of designs) {
      advice[name || 'design'] = adviseDesign(design, { confidence });
      console.log(`${name && `${name}: `}${describe(advice[name || 'design'])}`);
    }
    return advice;
  },
});

/** The designs of the groups of a table that have a law. */
async function designsOfRuns(file: string, loss: string, size: string): Promise<[string, Design][]> {
  const { fits } = fitStudy(readRuns(await readText(file), file), { loss, size, form: 'power' });
  const designs = Object.entries(fits).flatMap(([name, group]): [string, Design][] => {
    const largest = group.by_budget.findLast(({ fit }) => !isRefusal(fit));
    const fit = isRefusal(group.fit) ? (largest?.fit ?? group.fit) : group.fit;
    if (isRefusal(fit)) console.log(`${name}: no advice, because there is no law: ${fit.refused}.`);
    return isRefusal(fit) ? [] : [[name, designOf(fit)]];
  });
  if (designs.length === 0)
    throw new StageError(`${file} supports no law: give --sizes, --seeds and --noise instead of --runs`);
  return designs;
}

/** The design that the flags describe. */
function plannedDesign(flags: Partial<Record<string, string>>): Design {
  if (flags.sizes === undefined) throw new StageError('give --runs, or --sizes and --noise');
  if (flags.noise === undefined)
    throw new StageError('--noise is missing; for example, 0.01 means that losses scatter by 1 % between seeds');
  const sizes = flags.sizes.split(',').map((text) => readNumber('sizes', text));
  const seeds = (flags.seeds ?? '1').split(',').map((text) => readNumber('seeds', text));
  if (seeds.length !== 1 && seeds.length !== sizes.length)
    throw new StageError(
      `--seeds has ${seeds.length} numbers for ${sizes.length} sizes: give one, or one for each size`,
    );
  if (seeds.some((count) => !Number.isInteger(count) || count < 1))
    throw new StageError(`--seeds is ${flags.seeds}; it has whole numbers of at least 1`);
  const runs = sizes.reduce((sum, _, i) => sum + (seeds[i] ?? seeds[0]), 0);
  if (runs > MAX_RUNS) throw new StageError(`--sizes and --seeds give ${runs} runs; a design has at most ${MAX_RUNS}`);
  const value = (name: string, usual: number) => (flags[name] === undefined ? usual : readNumber(name, flags[name]));
  return {
    params: sizes.flatMap((size, i) => Array<number>(seeds[i] ?? seeds[0]).fill(size)),
    law: { alpha: value('alpha', USUAL_LAW.alpha), a: value('a', USUAL_LAW.a), c: value('c', USUAL_LAW.c) },
    noise: readNumber('noise', flags.noise),
    sizeNoise: value('size-noise', 0),
  };
}

/** Reads 6000, 6e3, 6k or 1.5M. */
function readNumber(flag: string, text: string): number {
  const match = /^\s*(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*([kKMG]?)\s*$/.exec(text);
  if (!match) throw new StageError(`--${flag}: '${text}' is not a number such as 6000, 6k or 1.5M`);
  const unit = { '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9 }[match[3]]!;
  return Number(`${match[1]}${match[2] ?? ''}`) * unit;
}

/** The advice with a table of the runs to add. */
function describe({ verdict, additions }: Advice): string {
  const cells = additions
    .slice(0, SHOWN)
    .map((one) => [
      `${one.kind === 'seed' ? 'another seed' : 'a new size'} of ${formatNumber(one.params)}`,
      one.expected.width === null ? 'no upper end' : `${formatNumber(one.expected.width)} wide`,
      one.narrower === null ? '' : formatChange(one),
      `+${formatPercent(Number((100 * one.more_compute).toPrecision(2)) / 100)}`,
    ]);
  const rows = [['run to add', "α's interval", 'change', 'compute'], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i])).join('   ')}`.trimEnd());
  return `${verdict}\n${lines.join('\n')}`;
}

function formatChange({ narrower }: Addition): string {
  const change = Math.round(-100 * narrower!);
  return `${change > 0 ? '+' : change < 0 ? '−' : ''}${Math.abs(change)}\u00a0%`;
}
