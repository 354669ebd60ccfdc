#include "cuts.hpp"

#include <algorithm>

namespace bpe {

Cuts::Cuts(const std::vector<std::vector<uint8_t>>& spellings) {
  // At least 16 bits per symbol keep the set sparse, since each collision loses a cut.
  int bits = 16;
  while (size_t{1} << bits < 16 * spellings.size()) bits++;
  crossed_.assign((size_t{1} << bits) / 64, 0);
  shift_ = 64 - bits;
  for (const std::vector<uint8_t>& bytes : spellings) {
    for (size_t position = 1; position < bytes.size(); position++) {
      const uint64_t bit =
          bitOf(&bytes[position], std::min(position, kReach), std::min(bytes.size() - position, kReach));
      crossed_[bit / 64] |= uint64_t{1} << bit % 64;
    }
  }
}

bool Cuts::isCut(const uint8_t* text) const {
  for (size_t left = 1; left <= kReach; left++) {
    for (size_t right = 1; right <= kReach; right++) {
      const uint64_t bit = bitOf(text, left, right);
      if (crossed_[bit / 64] >> bit % 64 & 1) return false;
    }
  }
  return true;
}

uint64_t Cuts::bitOf(const uint8_t* text, size_t left, size_t right) const {
  uint64_t key = left << 2 | right;
  for (const uint8_t* byte = text - left; byte < text + right; byte++) key = key << 8 | *byte;
  return key * 0x9e3779b97f4a7c15 >> shift_;
}

}  // namespace bpe
