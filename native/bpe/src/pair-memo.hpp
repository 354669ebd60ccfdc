// A cache of yes-or-no answers about pairs of symbols. Each thread has one.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bpe {

// With up to 8,192 symbols, each pair has an entry of 2 bits in a table: 5 MB for 4,352 symbols. A row holds the pairs
// of one left symbol. Frequent symbols have small numbers, so the entries in use lie in few cache lines, which matters
// more than the size of the table. With more symbols, only the most recent answers are kept, in a hash table.
class PairMemo {
 public:
  explicit PairMemo(size_t symbolCount) {
    if (symbolCount <= kMaxRows) {
      // A row is a whole number of cache lines.
      rowBytes_ = (symbolCount + kPairsPerLine - 1) / kPairsPerLine * kLineBytes;
      rows_.assign(symbolCount * rowBytes_, 0);
      return;
    }
    while (size_t{1} << symbolBits_ < symbolCount) symbolBits_++;
    // An entry keeps the bits of the pair that do not select the entry: at most 15, beside one bit for the answer.
    entryBits_ = std::max(kMinEntryBits, 2 * symbolBits_ - kMaxTagBits);
    entries_.assign(size_t{1} << entryBits_, kEmpty);
  }

  // Returns the answer for a pair: the cached one, or the result of `bool ask()`, which must always be the same for a
  // pair.
  template <class Ask>
  bool get(uint32_t left, uint32_t right, Ask ask) {
    if (rowBytes_ > 0) {
      uint8_t& fourPairs = rows_[left * rowBytes_ + right / 4];
      const int shift = right % 4 * 2;
      const int known = fourPairs >> shift & 3;
      if (known != 0) return known == kYes;
      const bool answer = ask();
      fourPairs |= (answer ? kYes : kNo) << shift;
      return answer;
    }
    // A pair is a number of 2 × symbolBits_ bits. Multiplication by an odd number modulo 2^(2 × symbolBits_) is a
    // bijection, so the product identifies the pair. Its upper bits select the entry. Its lower bits are the tag that
    // the entry keeps, as tag << 1 | answer.
    const uint64_t pair = static_cast<uint64_t>(left) << symbolBits_ | right;
    const uint64_t mixed = pair * 0x9e3779b97f4a7c15 & ((uint64_t{1} << 2 * symbolBits_) - 1);
    const int tagBits = 2 * symbolBits_ - entryBits_;
    const auto tag = static_cast<uint32_t>(mixed & ((uint64_t{1} << tagBits) - 1));
    uint16_t& entry = entries_[mixed >> tagBits];
    if (entry >> 1 != tag) entry = static_cast<uint16_t>(tag << 1 | static_cast<uint32_t>(ask()));
    return entry & 1;
  }

 private:
  // Largest number of symbols for which the table of all pairs is used.
  static constexpr size_t kMaxRows = 1 << 13;
  static constexpr size_t kLineBytes = 64, kPairsPerLine = 4 * kLineBytes;
  static constexpr int kMinEntryBits = 20, kMaxTagBits = 15;
  // The value of an empty entry of the hash table.
  static constexpr uint16_t kEmpty = 0xffff;
  // The states of an entry of rows_; 0 is unknown.
  static constexpr int kNo = 1, kYes = 2;

  // Bytes of a row of the table, or 0 if the hash table is used.
  size_t rowBytes_ = 0;
  std::vector<uint8_t> rows_;
  // For the hash table: number of bits of a symbol, and of an index.
  int symbolBits_ = 1, entryBits_ = 0;
  std::vector<uint16_t> entries_;
};

}  // namespace bpe
