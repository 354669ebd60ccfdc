/** Loads a tokenizer.json of any kind. */
import { BpeTokenizer, type Implementation } from './bpe/index.ts';
import { CharTokenizer } from './char-tokenizer.ts';
import { TokenizerError } from './errors.ts';
import { MusicTokenizer } from './music/index.ts';
import type { Tokenizer } from './tokenizer.ts';
import { readTokenizerFile } from './tokenizer-file.ts';

/**
 * Loads any tokenizer of this project. The decoder in the file determines the kind.
 *
 * @throws TokenizerError if the file is missing, truncated or holds another kind of tokenizer; the message names the
 *   file
 * @example loadTokenizer('data/tokens/bpe/tokenizer.json').encode('CDEF|')
 */
export function loadTokenizer(file: string, options?: { implementation?: Implementation }): Tokenizer {
  const json = readTokenizerFile(file);
  if (json.model.type === 'BPE' && json.decoder?.type === 'ByteLevel')
    return BpeTokenizer.fromFile(json, file, options);
  if (json.model.type === 'BPE' && json.decoder?.type === 'Fuse') return CharTokenizer.fromFile(json, file);
  if (json.model.type === 'BPE' && json.decoder?.type === 'Sequence') return MusicTokenizer.fromFile(json, file);
  throw new TokenizerError(
    `${file}: a ${json.model.type} tokenizer that is neither a byte-level BPE nor a character or music vocabulary`,
  );
}
