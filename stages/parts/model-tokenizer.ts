/** Checks that a model belongs to the tokenizer of a folder. */
import type { ModelConfig } from '../../lib/models/index.ts';
import type { Tokenizer } from '../../lib/tokenizer/index.ts';
import { tokenizerOf } from './model-files.ts';
import { StageError } from './stage.ts';

/**
 * Loads the tokenizer of TOKENS, or of another model's folder, for use with MODEL.
 *
 * @throws StageError if the model has a vocabulary of another size
 */
export async function loadModelTokenizer(tokens: string, modelDir: string, config: ModelConfig): Promise<Tokenizer> {
  const tokenizer = tokenizerOf(tokens);
  if (tokenizer.vocabularySize !== config.vocabularySize)
    throw new StageError(
      `${modelDir} has a vocabulary of ${config.vocabularySize} tokens, ${tokens} one of ${tokenizer.vocabularySize}: ` +
        'the model was trained with another tokenizer',
    );
  return tokenizer;
}
