/** Synthetic studies for tests: runs and training curves that follow known laws with seeded noise. */

/** A group of runs that follow L(N) = a·N^(−α) + c, in bits per byte. */
export interface Law {
  tokenizer: string;
  architecture: string;
  sizes: [name: string, params: number][];
  alpha: number;
  a: number;
  c: number;
  /** Bytes per token, to convert bits per byte to nats per token. */
  bytes: number;
}

const GPT: Law['sizes'] = [
  ['tiny', 5_632],
  ['mini', 21_504],
  ['small', 67_712],
  ['medium', 190_208],
  ['large', 512_640],
];
const LSTM: Law['sizes'] = [
  ['tiny', 8_128],
  ['small', 42_368],
  ['medium', 158_720],
  ['large', 455_936],
];

/** Two architectures whose laws cross. */
export const LAWS: Law[] = [
  { tokenizer: 'char', architecture: 'gpt', sizes: GPT, alpha: 0.34, a: 16, c: 0.62, bytes: 1 },
  { tokenizer: 'char', architecture: 'lstm', sizes: LSTM, alpha: 0.3, a: 9, c: 0.72, bytes: 1 },
];

/**
 * Makes a generator of standard normal numbers, the same for the same seed: mulberry32 and the Box-Muller transform.
 */
export function normal(seed: number): () => number {
  let state = seed | 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Writes the text of a results.csv. */
export function exampleResults(laws: readonly Law[] = LAWS, seeds = [1, 2], noise = 0.006): string {
  const random = normal(7);
  const columns =
    'run,tokenizer,architecture,size,seed,params,params_non_embedding,tokens,flops,train_loss,val_loss,test_loss,val_bits_per_byte,test_bits_per_byte,perplexity,seconds,tokens_per_second,peak_memory_mb,diverged';
  const lines = laws.flatMap((law) =>
    law.sizes.flatMap(([size, params]) =>
      seeds.map((seed) => {
        const bits = law.a * params ** -law.alpha + law.c + noise * random();
        const nats = bits * Math.LN2 * law.bytes;
        const tokens = 1_024_000;
        const speed = 4e9 / params;
        const row = [
          `${law.tokenizer}-${law.architecture}-${size}-${seed}`,
          law.tokenizer,
          law.architecture,
          size,
          seed,
          params,
          params - 3072,
          tokens,
          6 * params * tokens,
          (nats * 0.96).toFixed(4),
          (nats * 1.01).toFixed(4),
          nats.toFixed(4),
          (bits * 1.01).toFixed(4),
          bits.toFixed(4),
          Math.exp(nats).toFixed(3),
          (tokens / speed).toFixed(1),
          speed.toFixed(0),
          (60 + params / 4000).toFixed(0),
          'false',
        ];
        return row.join(',');
      }),
    ),
  );
  return `${[columns, ...lines].join('\n')}\n`;
}

/** Writes the training curve of each run as the train stage does. Returns CSV texts by run. */
export function exampleCurves(laws: readonly Law[] = LAWS, seed = 1): Record<string, string> {
  const random = normal(11);
  const curves: Record<string, string> = {};
  for (const law of laws)
    for (const [size, params] of law.sizes) {
      const run = `${law.tokenizer}-${law.architecture}-${size}-${seed}`;
      const end = (law.a * params ** -law.alpha + law.c) * Math.LN2 * law.bytes;
      const lines = ['run,step,tokens,learning_rate,train_loss,sampled_val_loss,gradient_norm'];
      for (let step = 0; step <= 1000; step += 10) {
        const fall = 3.1 * Math.exp(-step / 25) + 1.1 * (1 + step / 40) ** -1.1;
        const rate = step < 100 ? step / 100 : 0.55 + 0.45 * Math.cos((Math.PI * (step - 100)) / 900);
        const train = end * 0.97 + fall + 0.02 * random();
        const val = step % 100 === 0 ? (end + fall).toFixed(4) : '';
        lines.push(
          [
            run,
            step,
            step * 1024,
            (1e-3 * rate).toExponential(3),
            train.toFixed(4),
            val,
            (0.4 + fall / 3).toFixed(3),
          ].join(','),
        );
      }
      curves[run] = `${lines.join('\n')}\n`;
    }
  return curves;
}
