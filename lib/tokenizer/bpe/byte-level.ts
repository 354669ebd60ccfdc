/**
 * The byte alphabet of GPT-2's byte-level BPE: each byte as a printable character. tokenizer.json spells tokens with
 * it.
 *
 * A byte that is a printable Latin-1 character (! to ~, ¡ to ¬, ® to ÿ) is written as that character. The other 68
 * bytes are written as U+0100, U+0101, … in ascending order: newline is Ċ, space is Ġ.
 *
 * BPE merges *symbols*. Symbols 0 to 255 are the bytes, ordered by the code points of their characters. Hugging Face's
 * trainer numbers them in this order and breaks ties between merges by it. Merge k makes symbol 256 + k.
 *
 * @see openai/gpt-2, src/encoder.py, `bytes_to_unicode`
 */

const FIRST_SUBSTITUTE = 0x100;

const isPrintable = (byte: number) =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);

/** Byte → code point of its character. */
const CODE_POINT = new Uint16Array(256);
for (let byte = 0, next = FIRST_SUBSTITUTE; byte < 256; byte++) CODE_POINT[byte] = isPrintable(byte) ? byte : next++;

/** Symbol → byte, for the 256 symbols that are bytes. */
export const SYMBOL_BYTE: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => byte).sort(
  (a, b) => CODE_POINT[a] - CODE_POINT[b],
);

/** Byte → symbol. */
export const BYTE_SYMBOL: Uint8Array = new Uint8Array(256);
SYMBOL_BYTE.forEach((byte, symbol) => {
  BYTE_SYMBOL[byte] = symbol;
});

/**
 * Bytes as tokenizer.json spells them.
 *
 * @example spell(new TextEncoder().encode('A2 |\n')) // 'A2Ġ|Ċ'
 */
export function spell(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(CODE_POINT[byte]);
  return text;
}
