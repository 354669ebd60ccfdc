// BPE encoding in linear time, with the same result as applying the merges one after another.
//
// A sequence of symbols is the encoding of its text if and only if each pair of neighbours is the encoding of its own
// text; the pair is then said to fit. `encode` reads the text from left to right and takes the longest symbol that fits
// its left neighbour. If no symbol fits, it goes back: it marks the position as dead and replaces the last symbol by a
// shorter one. No position is marked twice, so the time is linear.
//
// Source: H. van Antwerpen and A. Neubeck, "So many tokens, so little time" (GitHub blog, 2024), and their crate `bpe`.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuts.hpp"
#include "pair-memo.hpp"
#include "symbols.hpp"

namespace bpe {

// Encodes pieces with given merges. It is immutable and can be shared by threads.
class Encoder {
 public:
  // Throws std::invalid_argument if a symbol is not the encoding of its own text, since the rule above then fails, or
  // if the merges are not valid.
  explicit Encoder(std::vector<Merge> merges);

  // Working memory of `encode`. It belongs to one encoder and one thread.
  class Scratch {
   public:
    explicit Scratch(const Encoder& encoder);

   private:
    friend class Encoder;
    // Memory for this many symbols, uninitialised.
    uint32_t* reserve(size_t symbols);

    // Not a std::vector: zeroing it would take half of the time.
    std::unique_ptr<uint32_t[]> symbols_;
    size_t capacity_ = 0;
    // A bit per position: set if no encoding continues from there. All bits are clear between texts.
    std::vector<uint64_t> dead_;
    // Cached results of `fits`.
    PairMemo fits_;
  };

  // The result of `encode`.
  struct Encoded {
    const uint32_t* symbols;
    size_t count;
  };

  // Encodes a text of `length` bytes that is one piece. The symbols are in `scratch`, and valid until its next use.
  Encoded encode(const uint8_t* text, size_t length, Scratch& scratch) const;

  // Number of symbols: 256 + number of merges.
  size_t symbolCount() const { return lengths_.size(); }
  // The positions at which a text can be cut.
  const Cuts& cuts() const { return *cuts_; }

 private:
  // Stands for "no symbol".
  static constexpr uint32_t kNone = 0xffffffff;

  // A symbol in the lower 20 bits, and its length in bytes in the upper 12, or kLong if the length does not fit.
  // `encode` always needs both, and so reads them from memory together.
  using SizedSymbol = uint32_t;
  static constexpr uint32_t kLong = 0xfff;
  static uint32_t symbolOf(SizedSymbol symbol) { return symbol & ((1 << kSymbolBits) - 1); }
  size_t lengthOf(SizedSymbol symbol) const {
    const uint32_t length = symbol >> kSymbolBits;
    return length != kLong ? length : lengths_[symbolOf(symbol)];
  }
  SizedSymbol withLength(uint32_t symbol) const { return std::min(lengths_[symbol], kLong) << kSymbolBits | symbol; }

  void buildTrie(const std::vector<std::vector<uint8_t>>& spellings);
  // The longest symbol that the text begins with. The text must not be empty.
  SizedSymbol longestMatch(const uint8_t* text, const uint8_t* end) const;
  // The symbol that a pair merges to, or kNone.
  uint32_t mergedSymbol(uint32_t left, uint32_t right) const;
  // Whether the pair is the encoding of its text by the merges whose symbol is below `limit`.
  bool fits(uint32_t left, uint32_t right, uint32_t limit) const;

  std::vector<Merge> merges_;
  // Symbol → length in bytes.
  std::vector<uint32_t> lengths_;
  // Symbol → the longest symbol that is a proper prefix of it, or kNone.
  std::vector<SizedSymbol> longestPrefix_;
  // Hash table of the merges with open addressing. A slot holds left, right and merged symbol, 20 bits each; 0 is
  // empty.
  std::vector<uint64_t> pairs_;
  int pairsShift_;
  // A bit per hash of a pair, a Bloom filter with one hash: clear if the pair does not merge.
  std::vector<uint64_t> mayMerge_;
  // The trie of all symbols as a double array (Aoe 1989). The child of a node by a byte is the node at base ^ byte, if
  // that node has the byte as its label. No two nodes have the same base. Nodes are small, so that the trie fits the
  // cache.
  struct Node {
    // base << kLabelBits | label
    uint32_t baseAndLabel;
    // The longest symbol that is a prefix of the node's path.
    SizedSymbol longest;
  };
  std::vector<Node> nodes_;
  // The children of the root, by byte.
  std::array<Node, 256> firstNodes_;
  std::unique_ptr<const Cuts> cuts_;
};

}  // namespace bpe
