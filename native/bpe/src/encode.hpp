// BPE encoding in time linear in the text, with the ids that applying the merges one after another gives.
//
// A sequence of symbols is the encoding of its text if and only if each two neighbours are the encoding of their own
// text. So a text is walked from left to right, always taking the longest symbol that fits its left neighbour; where
// none does, the last symbol is given up for a shorter one, and that place is never come back to: no place is left more
// than once. Source: H. van Antwerpen and A. Neubeck, "So many tokens, so little time" (GitHub blog, 2024), and their
// crate `bpe`.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuts.hpp"
#include "pair_memo.hpp"
#include "symbols.hpp"

namespace bpe {

class Encoder {
 public:
  // Throws std::invalid_argument where a symbol is not the encoding of its own text: the rule above would not hold
  // then.
  explicit Encoder(std::vector<Merge> merges);

  // What encoding needs beside the tables: one for each thread, of one encoder.
  class Scratch {
   public:
    explicit Scratch(const Encoder& encoder);

   private:
    friend class Encoder;
    uint32_t* roomFor(size_t symbols);

    // not filled first: half of the time would go there
    std::unique_ptr<uint32_t[]> symbols_;
    size_t capacity_ = 0;
    // places that were given up, as a set of bits, all of them clear between texts
    std::vector<uint64_t> dead_;
    // whether two symbols fit
    PairMemo fits_;
  };

  struct Encoded {
    const uint32_t* symbols;
    size_t count;
  };

  // The symbols of a text that is one piece; they are in `scratch`, until its next use.
  Encoded encode(const uint8_t* text, size_t length, Scratch& scratch) const;

  size_t symbolCount() const { return lengths_.size(); }
  const Cuts& cuts() const { return *cuts_; }

 private:
  static constexpr uint32_t kNone = 0xffffffff;

  // A symbol in the lower 20 bits, and above it how many bytes it stands for, kLong where that does not fit: when a
  // text is walked the one is always wanted with the other, and so they come from memory together.
  using SizedSymbol = uint32_t;
  static constexpr uint32_t kLong = 0xfff;
  static uint32_t symbolOf(SizedSymbol symbol) { return symbol & ((1 << kSymbolBits) - 1); }
  size_t lengthOf(SizedSymbol symbol) const {
    const uint32_t length = symbol >> kSymbolBits;
    return length != kLong ? length : lengths_[symbolOf(symbol)];
  }
  SizedSymbol sized(uint32_t symbol) const { return std::min(lengths_[symbol], kLong) << kSymbolBits | symbol; }

  void buildTrie(const std::vector<std::vector<uint8_t>>& spelled);
  SizedSymbol longestMatch(const uint8_t* text, const uint8_t* end) const;
  uint32_t mergeOf(uint32_t left, uint32_t right) const;
  bool fits(uint32_t left, uint32_t right, uint32_t limit) const;

  std::vector<Merge> merges_;
  std::vector<uint32_t> lengths_;
  // of each symbol the longest one that is a proper prefix of it, or kNone
  std::vector<SizedSymbol> shorter_;
  // open addressing: left, right and what they merge to, 20 bits each; 0 is an empty slot
  std::vector<uint64_t> pairs_;
  int pairsShift_;
  // a bit by the hash of a pair: clear where it merges to nothing
  std::vector<uint64_t> mayMerge_;
  // The trie of all symbols as a double array: the child of a node by a byte is at base ^ byte, if what is there is
  // labelled with that byte; no two nodes have the same base. Base << kLabelBits | label, small so that the trie of a
  // vocabulary fits the cache.
  struct Node {
    uint32_t baseAndLabel;
    // the longest symbol on the way here
    SizedSymbol longest;
  };
  std::vector<Node> nodes_;
  // of the first byte
  std::array<Node, 256> firstNodes_;
  std::unique_ptr<const Cuts> cuts_;
};

}  // namespace bpe
