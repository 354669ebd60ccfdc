// Symbols and merges of BPE. Symbols 0 to 255 are the bytes, ordered by the code points of GPT-2's byte alphabet, as in
// Hugging Face's trainer (lib/tokenizer/bpe/byte-level.ts). Merge k makes symbol 256 + k.
#pragma once
#include <array>
#include <cstdint>

namespace bpe {

// The two directions of the mapping between bytes and the symbols 0 to 255.
struct ByteSymbols {
  std::array<uint8_t, 256> symbolOf{};
  std::array<uint8_t, 256> byteOf{};

  constexpr ByteSymbols() {
    // First the bytes that are printable in Latin-1, then the others, both in ascending order.
    int symbol = 0;
    for (int pass = 0; pass < 2; pass++) {
      for (int byte = 0; byte < 256; byte++) {
        const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
        if (printable != (pass == 0)) continue;
        symbolOf[byte] = static_cast<uint8_t>(symbol);
        byteOf[symbol++] = static_cast<uint8_t>(byte);
      }
    }
  }
};

inline constexpr ByteSymbols kBytes;

// Bits of a symbol: a vocabulary has at most 2^20 symbols.
inline constexpr int kSymbolBits = 20;

// Two adjacent symbols that a merge joins into one. The index of a merge is its rank.
struct Merge {
  uint32_t left;
  uint32_t right;
};

}  // namespace bpe
