/**
 * The files beside config.json and model.safetensors that make MODEL complete: its tokenizer, and what transformers reads
 * to tokenize and generate. docs/models.md describes them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelConfig } from '../../lib/models/index.ts';
import { END_OF_TEXT, loadTokenizer, type Tokenizer, TokenizerError, UNKNOWN } from '../../lib/tokenizer/index.ts';
import { writeJson } from './stage.ts';

/**
 * Names of a tokenizer's file. transformers can decode the ids of a music tokenizer, but not encode text with it, and would
 * do so without an error. Its file in a model's folder therefore has a name that AutoTokenizer does not look for.
 */
const TOKENIZER_FILES = ['tokenizer.json', 'music-tokenizer.json'];

/**
 * Writes the tokenizer into a model's folder, with the settings of AutoTokenizer and of `generate`. The same model gives
 * the same bytes.
 */
export async function writeModelFiles(modelDir: string, tokenizer: Tokenizer, config: ModelConfig): Promise<void> {
  const isMusic = tokenizer.kind === 'music';
  tokenizer.save(join(modelDir, isMusic ? TOKENIZER_FILES[1] : TOKENIZER_FILES[0]));
  const end = tokenizer.endOfText;
  if (!isMusic) {
    await writeJson(join(modelDir, 'tokenizer_config.json'), {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: END_OF_TEXT,
      eos_token: END_OF_TEXT,
      pad_token: END_OF_TEXT,
      ...(tokenizer.kind === 'char' && { unk_token: UNKNOWN }),
      model_max_length: config.block,
      model_input_names: ['input_ids', 'attention_mask'],
      clean_up_tokenization_spaces: false,
    });
  }
  if (config.architecture === 'gpt')
    await writeJson(join(modelDir, 'generation_config.json'), {
      bos_token_id: end,
      eos_token_id: end,
      pad_token_id: end,
      do_sample: true,
      top_k: 0,
      max_length: config.block,
    });
}

/**
 * Loads the tokenizer of a folder: one of tokens, or of a model.
 *
 * @throws TokenizerError if the folder has none
 */
export function tokenizerOf(folder: string): Tokenizer {
  const file = TOKENIZER_FILES.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (file === undefined)
    throw new TokenizerError(
      `${folder} has no tokenizer.json; the stage tokenize writes one into data/tokens, and train into a model`,
    );
  return loadTokenizer(file);
}
