// What BPE merges: symbols 0 to 255 are the bytes, in the order in which Hugging Face's trainer numbers them (the code
// points of GPT-2's byte alphabet, lib/tokenizer/byte-level.ts), and merge k makes symbol 256 + k.
#pragma once
#include <array>
#include <cstdint>

namespace bpe {

struct ByteOrder {
  std::array<uint8_t, 256> symbolOf{};
  std::array<uint8_t, 256> byteOf{};

  constexpr ByteOrder() {
    // Printable Latin-1 bytes stand for themselves; the others come after all of them, in their own order.
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

inline constexpr ByteOrder kBytes;

// A symbol is a number of so many bits: a vocabulary is below 2^20.
inline constexpr int kSymbolBits = 20;

struct Merge {
  uint32_t left;
  uint32_t right;
};

}  // namespace bpe
