/**
 * Sampling under the rules of the dialect beside free sampling, with the models of a finished study: tokens per second
 * of CPU time, and the ratio of medians.
 *
 *     npx tsx bench/sampling/index.ts [--study FOLDER] [--only char-gpt-tiny-1,…] [--rounds 7] [--tokens 300] [--streams 8]
 *
 * Both kinds are timed in turn, in one process, with the settings of params.yaml and one prompt. CPU time is used,
 * because it does not depend on what else the machine does as much as wall time.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { openEngine, type SampleOptions, sample } from '../../lib/engine/index.ts';
import { loadCheckpoint } from '../../lib/models/index.ts';
import { TuneState } from '../../lib/music/index.ts';
import { loadTokenizer, TextConstraint } from '../../lib/tokenizer/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';

/** A header of three voices; the first round also loads everything. */
const PROMPT = `X:1
M:4/4
L:1/8
Q:1/4=120
K:C
V:1
%%MIDI program 73
V:2
%%MIDI program 24
V:3
%%MIDI program 32
`;

const { values } = parseOptions(import.meta.url, {
  options: {
    study: { type: 'string', default: '.' },
    only: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    tokens: { type: 'string', default: '300' },
    streams: { type: 'string', default: '8' },
  },
});
const params = parse(readFileSync('params.yaml', 'utf8'));
const models = readdirSync(join(values.study, 'outputs/models')).filter(
  (name) => values.only === undefined || values.only.split(',').includes(name),
);
const engine = await openEngine({ name: 'auto', threads: 1 });
console.log(`${engine.description}; ${values.streams} streams of at most ${values.tokens} tokens`);
console.log('| model | free, tokens/s | under the rules, tokens/s | ratio |\n| --- | ---: | ---: | ---: |');
for (const name of models) {
  const { config, weights } = await loadCheckpoint(join(values.study, 'outputs/models', name));
  const tokenizer = await loadTokenizer(join(values.study, 'data/tokens', name.split('-')[0], 'tokenizer.json'));
  const model = engine.model(config, { weights });
  const start = new TuneState({ grid: params.convert.grid });
  start.acceptAll(PROMPT);
  const { temperature, top_k: topK, top_p: topP } = params.generate;
  const rate = async (seed: number, constrain?: SampleOptions['constrain']) => {
    const before = process.cpuUsage();
    const streams = await sample({
      model,
      prompts: Array(Number(values.streams)).fill([tokenizer.endOfText, ...tokenizer.encode(PROMPT)]),
      maxTokens: Number(values.tokens),
      temperature,
      topK,
      topP,
      seed,
      endOfText: tokenizer.endOfText,
      constrain,
    });
    const { user, system } = process.cpuUsage(before);
    return streams.reduce((sum, { length }) => sum + length, 0) / ((user + system) / 1e6);
  };
  const free: number[] = [];
  const constrained: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    free.push(await rate(round));
    constrained.push(await rate(round, () => new TextConstraint(tokenizer, start.copy())));
  }
  model.dispose();
  const [a, b] = [median(free), median(constrained)];
  console.log(`| ${name} | ${Math.round(a)} | ${Math.round(b)} | ${(b / a).toFixed(2)} |`);
}

function median(of: number[]): number {
  const sorted = [...of].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
