// Places where a text can be cut without changing its encoding, so that a long one need not be encoded in one go.
//
// Every symbol that encoding ever makes, on the way too, stands somewhere in the text. A symbol over a place has its
// last `left` bytes before the place and its first `right` bytes after it. Where no symbol of the vocabulary agrees
// with the text about that, none is ever made over the place: no merge joins what is before it with what is after it,
// merges on one side are independent of the other, and so the encoding of the text is that of the first part followed
// by that of the second.
//
// Two bytes on each side are looked at: a symbol that reaches further agrees with the text at least so far. What stands
// so around the places inside of symbols is kept as a set of bits by hash, which may say yes of what it has not: that
// loses a cut, never makes a wrong one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bpe {

class Cuts {
 public:
  // How many bytes `isCut` reads before a place and after it.
  static constexpr size_t kReach = 2;

  // `spelled`: the bytes of each symbol.
  explicit Cuts(const std::vector<std::vector<uint8_t>>& spelled);

  // Whether no symbol can stand over the place before *text.
  bool isCut(const uint8_t* text) const;

 private:
  uint64_t bitOf(const uint8_t* text, size_t left, size_t right) const;

  // a bit by the hash of what stands around a place that some symbol reaches over
  std::vector<uint64_t> crossed_;
  int shift_;
};

}  // namespace bpe
