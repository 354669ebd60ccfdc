/**
 * Times training and sampling on a GPU, beside PyTorch on the same GPU. Each figure is printed as soon as it is measured, and
 * a table at the end. A figure is the median over blocks of steps; at the end of each block, the program waits for the GPU.
 * The engine is timed both before and after the peers.
 */
import { type Engine, EngineError, type Model } from '../../lib/engine/index.ts';
import { countParameters, flopsPerToken } from '../../lib/models/index.ts';
import { randomBatch } from './check.ts';
import { peakOf, type Timed } from './models.ts';
import type { PeerAnswer, PeerRequest, Peers } from './peers.ts';
import { blocks, median } from './timing.ts';

/** Engines, models and peers to time, and for how long. */
export interface SpeedOptions {
  engine: Engine;
  /** the same with other settings of `products`, by that setting; for training */
  others: [products: string, engine: Engine][];
  /** the name of the GPU */
  gpu: string;
  models: Timed[];
  /** undefined without PyTorch */
  peers: Peers | undefined;
  variants: ('eager' | 'compile')[];
  /** seconds of each measurement */
  seconds: number;
}

const grouped = (n: number) => n.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ',');

/** A row: the name, our speed, and the speeds of the peers. */
interface Row {
  name: string;
  speed: number;
  extra: string;
  theirs: Map<string, number | string>;
}

/** Times one thing here and in PyTorch, and prints each figure at once. `unit` tokens are made per unit of work. */
async function race(
  name: string,
  unit: number,
  work: (n: number) => Promise<unknown>,
  request: (variant: 'eager' | 'compile') => PeerRequest,
  describe: (speed: number) => string,
  { peers, variants, seconds }: SpeedOptions,
): Promise<Row> {
  const say = (who: string, speed: number, more: string) =>
    console.log(`${name}, ${who}: ${grouped(speed)} tokens/s${more && `, ${more}`}`);
  const times = await blocks(work, seconds);
  say('gpu engine', unit / median(times), describe(unit / median(times)));
  const theirs = new Map<string, number | string>();
  for (const variant of peers ? variants : []) {
    const answer: PeerAnswer = await peers!.ask(request(variant));
    if ('error' in answer) {
      theirs.set(variant, answer.error);
      console.log(`${name}, PyTorch ${variant}: ${answer.error}`);
      continue;
    }
    const speed = unit / median(answer.seconds);
    theirs.set(variant, speed);
    const memory = answer.memory > 0 ? `, ${(answer.memory / 2 ** 30).toFixed(1)} GiB` : '';
    say(`PyTorch ${variant}`, speed, `${describe(speed)}${memory}`);
  }
  if (theirs.size > 0) times.push(...(await blocks(work, seconds)));
  const speed = unit / median(times);
  return { name, speed, extra: describe(speed), theirs };
}

function printTable(title: string, rows: Row[], variants: string[], extra: string): void {
  if (rows.length === 0) return;
  const ours = extra === '' ? ['tokens/s'] : ['tokens/s', extra];
  const nameOf = (each: string) => (each === 'own' || each === 'cublas' ? `products: ${each}` : `PyTorch ${each}`);
  const header = [title, ...ours, ...variants.flatMap((each) => [nameOf(each), 'ratio'])];
  console.log(`\n| ${header.join(' | ')} |\n| --- ${'| ---: '.repeat(header.length - 1)}|`);
  for (const { name, speed: own, extra: more, theirs } of rows) {
    const cells = variants.flatMap((each) => {
      const speed = theirs.get(each);
      return typeof speed === 'number' ? [grouped(speed), (own / speed).toFixed(2)] : ['–', '–'];
    });
    console.log(`| ${[name, grouped(own), ...(extra === '' ? [] : [more]), ...cells].join(' | ')} |`);
  }
  console.log('');
}

/** Times training steps in bf16. MFU is the share of the GPU's peak that the products of the model take. */
export async function timeTraining(options: SpeedOptions): Promise<void> {
  const { engine, others, gpu, models, seconds, variants, peers } = options;
  const peak = peakOf(gpu);
  const rows: Row[] = [];
  for (const { name, config, batch } of models) {
    try {
      const data = randomBatch(config, batch, 1);
      const training = (model: Model) => (n: number) =>
        Promise.all(Array.from({ length: n }, () => model.trainStep(data, { learningRate: 1e-4, clip: 1 })));
      const describe = (speed: number) => {
        const flops = speed * flopsPerToken(config, config.block);
        const mfu = peak ? `, ${((100 * flops) / peak).toFixed(1)} % MFU` : '';
        return `${(flops / 1e12).toPrecision(3)} TFLOP/s${mfu}`;
      };
      const request = (variant: 'eager' | 'compile') => ({ kind: 'train' as const, config, batch, variant, seconds });
      const millions = (countParameters(config).total / 1e6).toFixed(1);
      const model = engine.model(config, { seed: 1 });
      const row = await race(
        `${name} (${millions}M)`,
        batch * config.block,
        training(model),
        request,
        describe,
        options,
      );
      model.dispose();
      for (const [products, other] of others) {
        const same = other.model(config, { seed: 1 });
        const speed = (batch * config.block) / median(await blocks(training(same), seconds));
        same.dispose();
        console.log(`${row.name}, products: ${products}: ${grouped(speed)} tokens/s, ${describe(speed)}`);
        row.theirs.set(products, speed);
      }
      rows.push(row);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      console.log(`${name}: ${error.message}`);
    }
  }
  const compared = [...others.map(([products]) => products), ...(peers ? variants : [])];
  printTable('training', rows, compared, 'TFLOP/s, MFU');
}

/** Times sampling: each stream gets its likeliest token until the block is full. */
export async function timeSampling(options: SpeedOptions): Promise<void> {
  const { engine, models, seconds, variants, peers } = options;
  const rows: Row[] = [];
  for (const { name, config, streams: numbers } of models)
    for (const streams of numbers) {
      const model = engine.model(config, { seed: 1 });
      const decoder = model.decoder(streams);
      const [V, tokens] = [config.vocabularySize, config.block];
      const work = async (n: number) => {
        for (let i = 0; i < n; i++) {
          decoder.reset();
          let column = new Uint32Array(streams);
          for (let position = 0; position < tokens; position++) {
            const logits = await decoder.step(column);
            column = column.map((_, s) => {
              const row = logits.subarray(s * V, (s + 1) * V);
              return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
            });
          }
        }
      };
      const request = (variant: 'eager' | 'compile') => ({
        ...{ kind: 'sample' as const, config, streams, tokens, variant, seconds },
      });
      rows.push(await race(`${name} × ${streams}`, streams * tokens, work, request, () => '', options));
      decoder.dispose();
      model.dispose();
    }
  printTable('sampling × streams', rows, peers ? variants : [], '');
}
