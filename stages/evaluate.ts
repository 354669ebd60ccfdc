/**
 * Measures the loss of MODEL on the validation and test splits of TOKENS, in nats per token and in bits per byte, which
 * are comparable between tokenizers. LOSSES.csv has a row for each tune of the test split, from which the sampling error
 * follows. POSITIONS.csv has the loss by the number of tokens that the model has seen of a window. The models of smaller
 * budgets in MODEL are measured in the same way, on the splits of `evaluate.budget_splits`; their losses are in the
 * metrics only.
 */
import { basename } from 'node:path';
import { csvFormat } from 'd3-dsv';
import { type Evaluation, evaluate, openEngine, type TokenSource } from '../lib/engine/index.ts';
import { loadCheckpoint, type Weights } from '../lib/models/index.ts';
import { readAbc } from '../lib/music/index.ts';
import { type Tokenizer, TokenStore } from '../lib/tokenizer/index.ts';
import { budgetFolder, budgetsOfModel } from './parts/budgets.ts';
import { engineWithoutGpu } from './parts/engine-without-gpu.ts';
import { loadModelTokenizer } from './parts/model-tokenizer.ts';
import { stage, writeText } from './parts/stage.ts';

/** The splits on which a model is measured. */
const SPLITS = ['val', 'test'] as const;
type EvaluatedSplit = (typeof SPLITS)[number];

/** A row of LOSSES.csv. */
interface TuneLoss {
  run: string;
  /** number of the tune in the test split, from 1 */
  tune: number;
  /** predicted tokens; the first token of the split is not predicted */
  tokens: number;
  /** bytes of its text */
  bytes: number;
  /** notes that sound; '' if the text has none that can be read */
  notes: number | '';
  /** loss of all its tokens together */
  bits: number;
}

const LOSS_COLUMNS = ['run', 'tune', 'tokens', 'bytes', 'notes', 'bits'] as const;
const POSITION_COLUMNS = ['run', 'position', 'tokens', 'bits_per_token'] as const;

await stage({
  name: 'evaluate',
  description:
    'Measures the loss of MODEL on the validation and test splits of TOKENS; writes the loss of each test tune to LOSSES.csv, and the loss by position in a window to POSITIONS.csv.',
  paths: ['MODEL', 'TOKENS', 'LOSSES.csv', 'POSITIONS.csv'],
  async run({ paths: [modelDir, tokens, lossesFile, positionsFile], params, progress }) {
    const run = basename(modelDir);
    const { config, weights } = await loadCheckpoint(modelDir);
    const tokenizer = await loadModelTokenizer(tokens, modelDir, config);
    const engine = await openEngine(engineWithoutGpu(params.train));
    const store = TokenStore.open(tokens);
    const { max_bytes, stride, context_bytes, budget_splits = SPLITS } = params.evaluate;
    // The limit is in bytes of text, so that all tokenizers are compared on the same tunes.
    const source: TokenSource = {
      window: (split, offset, length) => store.window(split, offset, length),
      totals: (split) => store.leading(split, max_bytes),
    };
    const equalContext = context_bytes > 0 ? { bytes: context_bytes, tokenBytes: tokenBytes(tokenizer) } : undefined;
    const tunesOfTest = testTunes(store, tokenizer, max_bytes);
    const measure = async (weights: Weights, splits: readonly EvaluatedSplit[]) => {
      const model = engine.model(config, { weights });
      const slide = Math.max(1, Math.round(stride * config.block));
      const options = { model, source, stride: slide, onProgress: progress.update };
      const val = splits.includes('val') ? await evaluate({ ...options, split: 'val' }) : undefined;
      const test = splits.includes('test') ? await evaluate({ ...options, split: 'test', equalContext }) : undefined;
      model.dispose();
      const tunes = test === undefined ? [] : lossesOfTunes(run, tunesOfTest, test);
      const metrics = { ...(val && metricsOfVal(val)), ...(test && metricsOfTest(test, tunes)) };
      return { tunes, positions: test?.positions ?? [], metrics };
    };
    const { tunes, positions, metrics } = await measure(weights, SPLITS);
    const budgets: Record<string, object> = {};
    if (budget_splits.length > 0)
      for (const share of await budgetsOfModel(modelDir)) {
        const budget = await loadCheckpoint(budgetFolder(modelDir, share));
        budgets[share] = (await measure(budget.weights, budget_splits)).metrics;
      }
    await store.close();

    await writeText(lossesFile, `${csvFormat(tunes, LOSS_COLUMNS)}\n`);
    const byPosition = positions.map(({ loss, tokens }, i) => ({
      ...{ run, position: i + 1, tokens, bits_per_token: loss / Math.LN2 },
    }));
    await writeText(positionsFile, `${csvFormat(byPosition, POSITION_COLUMNS)}\n`);
    return { ...metrics, ...(Object.keys(budgets).length > 0 && { budgets }) };
  },
});

/** The metrics of the validation split, by their keys. */
function metricsOfVal(val: Evaluation) {
  return { val_loss: val.loss, val_bits_per_byte: val.bitsPerByte, val_tokens: val.tokens };
}

/** The metrics of the test split, by their keys. */
function metricsOfTest(test: Evaluation, tunes: readonly TuneLoss[]) {
  const readable = tunes.filter(({ notes }) => notes !== '');
  const notes = sum(readable, (tune) => Number(tune.notes));
  return {
    test_loss: test.loss,
    test_bits_per_byte: test.bitsPerByte,
    test_bits_per_byte_equal_context: test.bitsPerByteEqualContext ?? null,
    test_bits_per_byte_without_overlap: test.bitsPerByteWithoutOverlap,
    test_bits_per_note: notes === 0 ? null : sum(readable, ({ bits }) => bits) / notes,
    perplexity: Math.exp(test.loss),
    test_tokens: test.tokens,
    test_tunes: tunes.length,
    test_notes: notes,
  };
}

/** A tune of the test split: the place of its tokens, its bytes, and the notes that sound. */
interface TestTune {
  offset: number;
  tokens: number;
  bytes: number;
  notes: number | '';
}

/** The tunes of the test split within a number of bytes, with their notes, which are counted once for all models. */
function testTunes(store: TokenStore, tokenizer: Tokenizer, maxBytes: number): TestTune[] {
  const { tokens: end } = store.leading('test', maxBytes);
  return store
    .documents('test')
    .filter(({ offset }) => offset < end)
    .map(({ offset, tokens, bytes }) => {
      const text = tokenizer.decode(store.window('test', offset, tokens));
      return { offset, tokens, bytes, notes: readAbc(text).notes || '' };
    });
}

/** The losses of the tunes of the test split. */
function lossesOfTunes(run: string, tunes: readonly TestTune[], test: Evaluation): TuneLoss[] {
  return tunes.map(({ offset, tokens, bytes, notes }, i) => {
    // Element i of tokenLosses is the loss of token i + 1.
    const losses = test.tokenLosses.subarray(Math.max(0, offset - 1), offset - 1 + tokens);
    const bits = losses.reduce((total, loss) => total + loss, 0) / Math.LN2;
    return { run, tune: i + 1, tokens: losses.length, bytes, notes, bits };
  });
}

/** Bytes of each token of the vocabulary. A special counts as one byte, because it stands for the end of a tune. */
function tokenBytes(tokenizer: Tokenizer): number[] {
  const bytes = (token: number) => Math.max(1, tokenizer.decodeBytes([token]).length);
  return Array.from({ length: tokenizer.vocabularySize }, (_, token) => bytes(token));
}

function sum<T>(list: T[], value: (each: T) => number): number {
  return list.reduce((total, each) => total + value(each), 0);
}
