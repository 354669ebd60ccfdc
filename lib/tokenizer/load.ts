/** Opens any tokenizer.json of this project by what is in it. */
import { BpeTokenizer } from './bpe.ts';
import { CharTokenizer } from './char.ts';
import { MusicTokenizer } from './music.ts';
import type { Implementation } from './native.ts';
import { type Tokenizer, TokenizerError } from './tokenizer.ts';
import { readTokenizerFile } from './tokenizer-file.ts';

/** Throws a TokenizerError that names the file where it is missing, cut short, or of a kind that is not read here. */
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
