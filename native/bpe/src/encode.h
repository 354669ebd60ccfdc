// BPE encoding in time linear in the text, with the ids that applying the merges one after another gives.
//
// A sequence of symbols is the encoding of its text if and only if each two neighbours are the encoding of their own text.
// So a text is walked from left to right, always taking the longest symbol that fits its left neighbour; where none does, the
// last symbol is given up for a shorter one, and that place is never come back to: no place is left more than once.
// Source: H. van Antwerpen and A. Neubeck, "So many tokens, so little time" (GitHub blog, 2024), and their crate `bpe`.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "pieces.h"
#include "symbols.h"

namespace bpe {

class Encoder {
 public:
  // Throws std::invalid_argument where a symbol is not the encoding of its own text: the rule above would not hold then.
  explicit Encoder(std::vector<Merge> merges);

  // Grows without being filled first: half of the time would go there.
  class Symbols {
   public:
    // Room for `more` symbols after the last.
    uint32_t* reserve(size_t more) {
      if (size_ + more > capacity_) grow(size_ + more);
      return data_.get() + size_;
    }
    void extendTo(const uint32_t* end) { size_ = end - data_.get(); }
    void clear() { size_ = 0; }
    size_t size() const { return size_; }
    size_t capacity() const { return capacity_; }
    uint32_t* begin() { return data_.get(); }
    uint32_t* end() { return data_.get() + size_; }
    const uint32_t* begin() const { return data_.get(); }
    const uint32_t* end() const { return data_.get() + size_; }

   private:
    void grow(size_t least);
    std::unique_ptr<uint32_t[]> data_;
    size_t size_ = 0, capacity_ = 0;
  };

  // What encoding needs beside the tables: one for each thread.
  class Scratch {
   public:
    Scratch();

   private:
    friend class Encoder;
    // places that were given up, as a set of bits, all of them clear between pieces
    std::vector<uint64_t> dead_;
    // whether two symbols fit, for the pairs asked about last: what is left of the pair's hash, << 1 | fits
    std::vector<uint32_t> known_;
  };

  // Appends the symbols of one piece to `symbols`.
  void encode(const uint8_t* piece, size_t length, Scratch& scratch, Symbols& symbols) const;

  size_t symbolCount() const { return symbols_.size(); }

 private:
  static constexpr uint32_t kNone = 0xffffffff;

  struct Symbol {
    uint32_t length;
    // the longest symbol that is a proper prefix of this one, or kNone
    uint32_t shorter;
  };

  void buildTrie(const std::vector<std::vector<uint8_t>>& spelled);
  uint32_t longestMatch(const uint8_t* text, const uint8_t* end) const;
  uint32_t mergeOf(uint32_t left, uint32_t right) const;
  bool fits(uint32_t left, uint32_t right, uint32_t limit) const;
  bool fitsKnown(uint32_t left, uint32_t right, Scratch& scratch) const;

  std::vector<Merge> merges_;
  std::vector<Symbol> symbols_;
  // open addressing: left, right and what they merge to, 20 bits each; 0 is an empty slot
  std::vector<uint64_t> pairs_;
  int pairsShift_;
  // a bit by the hash of a pair: clear where it merges to nothing
  std::vector<uint64_t> mayMerge_;
  // The trie of all symbols as a double array: the child of a node by a byte is at base ^ byte, if what is there is labelled with
  // that byte; no two nodes have the same base. Base << kLabelBits | label, small so that the trie of a vocabulary fits the cache.
  std::vector<uint32_t> nodes_;
  // the longest symbol on the way to each node
  std::vector<uint32_t> longest_;
  // of the first byte
  std::array<uint32_t, 256> firstNodes_;
};

}  // namespace bpe
