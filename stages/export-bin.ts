/**
 * Exports TOKENS to BIN/{train,val,test}.bin and meta.json in nanoGPT's format, for programs that do not read LMDB. It
 * is not a stage of the pipeline; run it by hand.
 */
import { exportBin, SPLITS, TokenStore } from '../lib/tokenizer/index.ts';
import { stage } from './parts/stage.ts';

await stage({
  name: 'export-bin',
  description: 'Writes the tokens of TOKENS to BIN as files of token ids, for nanoGPT and other Python programs.',
  paths: ['TOKENS', 'BIN'],
  async run({ paths: [tokens, bin] }) {
    const store = TokenStore.open(tokens);
    exportBin(store, bin);
    const totals = Object.fromEntries(SPLITS.map((split) => [split, store.totals(split)]));
    await store.close();
    return totals;
  },
});
