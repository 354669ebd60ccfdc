/** How many launches a training pass takes: on a GPU, those of small models take more time than their work. */
import { expect, test } from 'vitest';
import { ParameterLayout } from '../../../lib/engine/gpu/launches/parameter-layout.ts';
import { PassBuilder } from '../../../lib/engine/gpu/launches/pass-builder.ts';
import { gpt } from '../../../lib/engine/gpu/networks/gpt.ts';
import { lstm } from '../../../lib/engine/gpu/networks/lstm.ts';
import type { Network, Pass } from '../../../lib/engine/gpu/networks/network.ts';
import type { GptConfig, LstmConfig, ModelConfig } from '../../../lib/models/index.ts';

const nothing = { address: 0, size: 0 };

/** Names of the kernels of a forward and a backward pass over 16 sequences of 256 tokens. */
function kernelsOf(config: ModelConfig, network: Network): string[] {
  const b = new PassBuilder({ precision: 'bf16', multiprocessors: 132, residentBlocks: () => 132 });
  const memory = {
    ...{ layout: new ParameterLayout(config), weights: nothing, gradients: nothing, rounded: nothing },
    ...{ settings: nothing, tables: null },
  };
  const input = { tokens: nothing, targets: nothing, order: nothing, segments: nothing, firstSegment: nothing };
  const pass: Pass = {
    ...{ sequences: 16, length: 256, firstSequence: 0, batch: 16, input: { ...input, segmentCount: 64 } },
    ...{ backward: true, isFirst: true, dropout: false, losses: nothing, logits: null, state: null, stateAfter: null },
  };
  network.build(b, memory, pass);
  return b.launches.map((launch) => ('product' in launch ? 'cuBLASLt' : launch.kernel));
}

/** How often the kernels of a layer are launched: the difference of models of 3 and of 2 layers. */
function launchesOfLayer<T extends ModelConfig>(config: T, network: (config: T) => Network) {
  const [more, fewer] = [3, 2].map((layers) => {
    const deeper = { ...config, layers };
    return kernelsOf(deeper, network(deeper));
  });
  return { all: more.length - fewer.length, sums: count(more, 'sumPartials') - count(fewer, 'sumPartials') };
}
const count = (list: string[], name: string) => list.filter((each) => each === name).length;

test('a layer of a GPT takes 28 launches, two of which add up all of its partial sums', () => {
  const config: GptConfig = {
    ...{
      architecture: 'gpt',
      vocabularySize: 128,
      block: 256,
      layers: 2,
      width: 128,
      heads: 4,
      dropout: 0,
      bias: true,
    },
  };
  expect(launchesOfLayer(config, gpt)).toEqual({ all: 28, sums: 2 });
});

test('a layer of an LSTM takes 12 launches, whatever the length of the window', () => {
  const config: LstmConfig = {
    ...{ architecture: 'lstm', vocabularySize: 128, block: 256, layers: 2, width: 256, embedding: 256, dropout: 0 },
  };
  expect(launchesOfLayer(config, lstm)).toEqual({ all: 12, sums: 1 });
});
