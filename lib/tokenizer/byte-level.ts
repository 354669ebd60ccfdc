/**
 * Bytes written as printable characters: the alphabet of GPT-2's byte-level BPE, in which tokenizer.json spells tokens.
 *
 * A byte that is a printable Latin-1 character (! to ~, ¡ to ¬, ® to ÿ) stands for itself; the other 68 bytes, in order,
 * are U+0100 and up: newline is Ċ, space is Ġ. Source: encoder.py of openai/gpt-2, `bytes_to_unicode`.
 *
 * A *symbol* is what BPE merges. The first 256 symbols are the bytes, in the order of their characters' code points, since
 * that is the order Hugging Face's trainer gives them and ties between merges are broken by it; merge k makes symbol 256 + k.
 */

const printable = (byte: number) =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);

/** byte → its character's code point */
const CODE_POINT = new Uint16Array(256);
for (let byte = 0, next = 0x100; byte < 256; byte++) CODE_POINT[byte] = printable(byte) ? byte : next++;

/** symbol → byte, for the 256 symbols that are bytes */
export const SYMBOL_BYTE: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => byte).sort(
  (a, b) => CODE_POINT[a] - CODE_POINT[b],
);

/** byte → symbol */
export const BYTE_SYMBOL: Uint8Array = new Uint8Array(256);
SYMBOL_BYTE.forEach((byte, symbol) => {
  BYTE_SYMBOL[byte] = symbol;
});

/** Bytes as tokenizer.json spells them: `"A2 |\n"` is `"A2Ġ|Ċ"`. */
export function spell(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(CODE_POINT[byte]);
  return text;
}
