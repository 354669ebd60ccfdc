// Answers about pairs of symbols that were found out once: yes, no, or not asked yet. One for each thread.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bpe {

// Up to 8,192 symbols every pair has a place, of 2 bits: 5 MB for 4,352 symbols. A symbol's pairs lie together, and
// since the frequent symbols are the first ones, what is asked for again and again lies in few cache lines: that is
// worth more than a small table. Of more symbols only the pairs asked about last are remembered.
class PairMemo {
 public:
  explicit PairMemo(size_t symbolCount) {
    if (symbolCount <= kMostRows) {
      // Whole cache lines.
      rowBytes_ = (symbolCount + 255) / 256 * 64;
      rows_.assign(symbolCount * rowBytes_, 0);
      return;
    }
    while (size_t{1} << symbolBits_ < symbolCount) symbolBits_++;
    // At most 15 bits of a pair are left over for its entry.
    entryBits_ = std::max(kLeastEntryBits, 2 * symbolBits_ - 15);
    entries_.assign(size_t{1} << entryBits_, 0xffff);
  }

  // What `ask()` says, or said when it was last called for this pair.
  template <class Ask>
  bool get(uint32_t left, uint32_t right, Ask ask) {
    if (rowBytes_ > 0) {
      uint8_t& four = rows_[left * rowBytes_ + right / 4];
      const int shift = right % 4 * 2;
      const int known = four >> shift & 3;
      if (known != 0) return known == kYes;
      const bool answer = ask();
      four |= (answer ? kYes : kNo) << shift;
      return answer;
    }
    // A pair is a number of 2 × symbolBits_ bits. Multiplied by an odd number modulo two to that power each pair is
    // still itself: the upper bits of that choose the entry, the others are kept there, << 1 | the answer.
    const uint64_t pair = static_cast<uint64_t>(left) << symbolBits_ | right;
    const uint64_t mixed = pair * 0x9e3779b97f4a7c15 & ((uint64_t{1} << 2 * symbolBits_) - 1);
    const int restBits = 2 * symbolBits_ - entryBits_;
    const auto rest = static_cast<uint32_t>(mixed & ((uint64_t{1} << restBits) - 1));
    uint16_t& entry = entries_[mixed >> restBits];
    if (entry >> 1 != rest) entry = static_cast<uint16_t>(rest << 1 | static_cast<uint32_t>(ask()));
    return entry & 1;
  }

 private:
  static constexpr size_t kMostRows = 1 << 13;
  static constexpr int kLeastEntryBits = 20;
  static constexpr int kNo = 1, kYes = 2;

  // 0 where only the pairs asked about last are remembered
  size_t rowBytes_ = 0;
  std::vector<uint8_t> rows_;
  int symbolBits_ = 1, entryBits_ = 0;
  std::vector<uint16_t> entries_;
};

}  // namespace bpe
