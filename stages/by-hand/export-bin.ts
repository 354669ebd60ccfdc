/**
 * Exports tokens to BIN/{train,val,test}.bin and meta.json in nanoGPT's format, for programs that do not read LMDB:
 * `npm run export-bin`.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { exportBin, SPLITS, TokenStore } from '../../lib/tokenizer/index.ts';
import { StageError } from '../parts/stage.ts';
import { program, projectParams } from './program.ts';

await program({
  name: 'export-bin',
  usage: '[TOKENS [BIN]]',
  description:
    'Writes token ids as binary files, for nanoGPT and other Python programs. TOKENS is a folder in data/tokens, by default that of the first of train.tokenizers. BIN is by default outputs/bin/ and the name of TOKENS.',
  arguments: [0, 2],
  async run({ args: [given, target] }) {
    const tokens = given ?? join('data/tokens', (await projectParams()).train.tokenizers[0]);
    if (given === undefined && !existsSync(tokens))
      throw new StageError(`there is no ${tokens}; npx repro tokenize makes it`);
    const bin = target ?? join('outputs/bin', basename(tokens));
    const store = TokenStore.open(tokens);
    if (existsSync(bin) && readdirSync(bin).length > 0)
      throw new StageError(`${bin} is not empty; name another folder: npm run export-bin -- ${tokens} BIN`);
    exportBin(store, bin);
    const totals = SPLITS.map((split) => `${store.totals(split).tokens} ${split}`);
    await store.close();
    console.log(`${bin}: ${totals.join(', ')} tokens`);
  },
});
