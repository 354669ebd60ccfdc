/** Tests the plots of single runs and of the data: training curves, loss by position, splits, tokens. */
import { describe, expect, test } from 'vitest';
import { plotSvg, positionsPlot, readCurves, splitPlot, tokensPlot, trainingPlot } from '../../lib/plots/index.ts';
import { exampleCurves } from '../scaling/example.ts';
import { exampleStudy, words } from './example.ts';

const curves = Object.entries(exampleCurves()).flatMap(([run, csv]) => readCurves(csv, `${run}.csv`));

describe('the plot of the training curves', () => {
  test('has a panel per architecture, and names each size', async () => {
    const text = words(await plotSvg(trainingPlot(curves, exampleStudy().rows))).split('\n');
    for (const word of ['GPT', 'LSTM', 'tokens seen', 'loss (nats a token)']) expect(text).toContain(word);
    expect(text.filter((word) => word === 'medium')).toHaveLength(2);
  });

  test('shows runs that are not in the table of runs', async () => {
    expect(words(await plotSvg(trainingPlot(curves)))).toContain('char-gpt-tiny-1');
  });

  test('reads curves from CSV, with errors that name line and column', () => {
    const csv =
      'run,step,tokens,learning_rate,train_loss,sampled_val_loss,gradient_norm\na,0,0,0,,3.1,\na,1,8,1e-3,3,x,1\n';
    expect(() => readCurves(csv, 'a.csv')).toThrow("a.csv:3, column sampled_val_loss: 'x' is not a number");
    expect(readCurves(csv.replace(',x,', ',,'))[0]).toMatchObject({ train_loss: null, sampled_val_loss: 3.1 });
  });
});

test('the plot of the loss by position averages positions that lie close together', async () => {
  const positions = Array.from({ length: 128 }, (_, i) => ({
    ...{ run: 'char-gpt-tiny-1', position: i + 1, tokens: 10, bits_per_token: 1 + 1 / (i + 1) },
  }));
  const spec = positionsPlot(positions, exampleStudy().rows)!;
  const [{ layer }] = (spec as unknown as { concat: { layer: { data: { values: { bits: number }[] } }[] }[] }).concat;
  const points = layer[0].data.values;
  expect(points.length).toBeGreaterThan(10);
  expect(points.length).toBeLessThan(30);
  expect(points[0].bits).toBe(2);
  expect(words(await plotSvg(spec)).split('\n')).toEqual(
    expect.arrayContaining(['GPT', 'position in the window', 'tiny']),
  );
  expect(positionsPlot([], exampleStudy().rows)).toBeUndefined();
});

describe('the plot of the data set', () => {
  test('counts kept files by split and dropped ones by reason, without reasons that never applied', async () => {
    const counts = {
      files: 753,
      kept: 640,
      splits: { train: { tunes: 576 }, val: { tunes: 31 }, test: { tunes: 33 } },
      dropped: { unreadable: { count: 70 }, min_bars: { count: 0 } },
      duplicates: { content: { count: 43 } },
      lengths: [
        { from: 1024, tunes: 600 },
        { from: 1449, tunes: 40 },
      ],
    };
    const texts = words(await plotSvg(splitPlot(counts))).split('\n');
    expect(texts).toContain('Of 753 files, 640 are music to learn from');
    for (const word of ['train', '576', 'unreadable', '70', 'same content', '43', 'characters a tune'])
      expect(texts).toContain(word);
    expect(texts).not.toContain('min bars');
  });
});

describe('the plot of the tokenizers', () => {
  const counts = (tokenizer: string, bytes: number) => ({
    tokenizer,
    vocabulary_size: 1024,
    val: { bytes_per_token: bytes },
    statistics: {
      vocabulary_use: 0.75,
      frequency: [
        { rank: 1, count: 5000 },
        { rank: 100, count: 30 },
      ],
      tokens_per_tune: [
        { tokens: 64, tunes: 10 },
        { tokens: 91, tunes: 30 },
      ],
    },
  });

  test('shows frequency by rank and length of tunes, with the figures of each tokenizer', async () => {
    const texts = words(await plotSvg(tokensPlot([counts('char', 1), counts('bpe', 3.25)]))).split('\n');
    expect(texts).toContain(
      'bpe: 1,024 tokens, 75 % of them used in training; 3.25 bytes a token on the validation split.',
    );
    for (const word of ['rank of the token', 'times in training', 'tokens a tune', 'share of tunes', 'char', 'bpe'])
      expect(texts).toContain(word);
  });

  test('has no legend if there is only one tokenizer', async () => {
    const texts = words(await plotSvg(tokensPlot([counts('char', 1)]))).split('\n');
    expect(texts).not.toContain('char');
  });
});
