/** Whether a model speaks the language of a folder of tokens. */
import { join } from 'node:path';
import type { ModelConfig } from '../lib/models/index.ts';
import { loadTokenizer, type Tokenizer } from '../lib/tokenizer/index.ts';
import { StageError } from './stage.ts';

/** The tokenizer of TOKENS, if MODEL was trained on as large a vocabulary. */
export async function tokenizerOf(tokens: string, modelDir: string, config: ModelConfig): Promise<Tokenizer> {
  const tokenizer = await loadTokenizer(join(tokens, 'tokenizer.json'));
  if (tokenizer.vocabularySize !== config.vocabularySize)
    throw new StageError(
      `${modelDir} has a vocabulary of ${config.vocabularySize} tokens, ${tokens} one of ${tokenizer.vocabularySize}: ` +
        'the model was trained with another tokenizer',
    );
  return tokenizer;
}
