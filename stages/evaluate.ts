/**
 * Measures the loss of MODEL on the validation and test splits of TOKENS, in nats per token and in bits per byte. Bits
 * per byte are comparable between tokenizers. The only output is the metrics file.
 */
import { evaluate, openEngine, type TokenSource } from '../lib/engine/index.ts';
import { loadCheckpoint } from '../lib/models/index.ts';
import { TokenStore } from '../lib/tokenizer/index.ts';
import { loadModelTokenizer } from './model-tokenizer.ts';
import { stage } from './stage.ts';

await stage({
  name: 'evaluate',
  description:
    'Measures the loss of MODEL on the validation and test splits of TOKENS; the only output is the metrics file.',
  paths: ['MODEL', 'TOKENS'],
  async run({ paths: [modelDir, tokens], params, progress }) {
    const { config, weights } = await loadCheckpoint(modelDir);
    await loadModelTokenizer(tokens, modelDir, config);
    const { engine: name, precision } = params.train;
    const engine = await openEngine({ name, precision, threads: 1 });
    const model = engine.model(config, { weights });
    const store = TokenStore.open(tokens);
    // The limit is in bytes of text, so that all tokenizers are compared on the same tunes.
    const source: TokenSource = {
      window: (split, offset, length) => store.window(split, offset, length),
      totals: (split) => store.leading(split, params.evaluate.max_bytes),
    };
    const val = await evaluate({ model, source, split: 'val', onProgress: progress.update });
    const test = await evaluate({ model, source, split: 'test', onProgress: progress.update });
    await store.close();
    model.dispose();
    return {
      val_loss: val.loss,
      test_loss: test.loss,
      val_bits_per_byte: val.bitsPerByte,
      test_bits_per_byte: test.bitsPerByte,
      perplexity: Math.exp(test.loss),
      val_tokens: val.tokens,
      test_tokens: test.tokens,
    };
  },
});
