/**
 * TOKENS → BIN/{train,val,test}.bin and meta.json, as nanoGPT reads them: the study's tokens for programs that read no LMDB. It is
 * no stage of the pipeline, and is run by hand.
 */
import { exportBin, SPLITS, TokenStore } from '../lib/tokenizer/index.ts';
import { stage } from './stage.ts';

await stage({
  name: 'export-bin',
  does: 'Writes the tokens of TOKENS to BIN as plain files of ids, for nanoGPT and other Python programs.',
  paths: ['TOKENS', 'BIN'],
  async run({ paths: [tokens, bin] }) {
    const store = TokenStore.open(tokens);
    exportBin(store, bin);
    const totals = Object.fromEntries(SPLITS.map((split) => [split, store.totals(split)]));
    await store.close();
    return totals;
  },
});
