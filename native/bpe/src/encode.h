// BPE encoding in time linear in the text, with the ids that applying the merges one after another gives.
//
// A sequence of symbols is the encoding of its text if and only if each two neighbours are the encoding of their own text.
// So a text is walked from left to right, always taking the longest symbol that fits its left neighbour; where none does, the
// last symbol is given up for a shorter one, and that place is never come back to: no place is left more than once.
// Source: H. van Antwerpen and A. Neubeck, "So many tokens, so little time" (GitHub blog, 2024), and their crate `bpe`.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pieces.h"
#include "symbols.h"

namespace bpe {

class Encoder {
 public:
  // Throws std::invalid_argument where a symbol is not the encoding of its own text: the rule above would not hold then.
  explicit Encoder(std::vector<Merge> merges);

  // What encoding needs beside the tables: one for each thread.
  class Scratch {
   public:
    Scratch();

   private:
    friend class Encoder;
    // places that were given up, as a set of bits, all of them clear between pieces
    std::vector<uint64_t> dead_;
    std::vector<uint32_t> symbols_;
    // whether two symbols fit, for the pairs asked about last: (left << 32 | right) << 1 | fits
    std::vector<uint64_t> known_;
  };

  // Appends the symbols of one piece to `symbols`.
  void encode(const uint8_t* piece, size_t length, Scratch& scratch, std::vector<uint32_t>& symbols) const;

  size_t symbolCount() const { return lengths_.size(); }

 private:
  static constexpr uint32_t kNone = 0xffffffff;

  struct Node {
    // children are at base ^ byte
    uint32_t base;
    uint32_t parent;
    // that ends here, or kNone
    uint32_t symbol;
  };

  // A node and the longest symbol on the way to it.
  struct Root {
    uint32_t node;
    uint32_t symbol;
  };

  struct PairSlot {
    uint64_t key;
    uint32_t merged;
  };

  void buildTrie(const std::vector<std::vector<uint8_t>>& spelled);
  uint32_t longestMatch(const uint8_t* text, const uint8_t* end) const;
  uint32_t mergeOf(uint32_t left, uint32_t right) const;
  bool fits(uint32_t left, uint32_t right, uint32_t limit) const;
  bool fitsKnown(uint32_t left, uint32_t right, Scratch& scratch) const;

  std::vector<Merge> merges_;
  std::vector<uint32_t> lengths_;
  // the longest symbol that is a proper prefix of each symbol, or kNone
  std::vector<uint32_t> shorter_;
  std::vector<PairSlot> pairs_;
  std::vector<Node> nodes_;
  // by the first two bytes
  std::vector<Root> roots_;
};

}  // namespace bpe
