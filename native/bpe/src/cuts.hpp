// Positions at which a text can be cut without changing its encoding, so that a long text can be encoded in parts.
//
// Each symbol that exists during encoding is a substring of the text. A symbol that spans a position has its last
// `left` bytes before the position and its first `right` bytes after it. If no symbol of the vocabulary matches the
// text in this way, no merge ever joins the two sides. Merges on one side do not depend on the other, so the encoding
// of the text is the encodings of the two parts, one after the other.
//
// At most two bytes on each side are compared. A symbol that reaches further must match the text at least in these
// bytes. The byte strings around positions inside symbols are kept in a bit set, by hash. A hash collision loses a cut,
// but it never makes a wrong one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bpe {

// Finds cut positions, for one vocabulary.
class Cuts {
 public:
  // Number of bytes that `isCut` reads on each side of a position.
  static constexpr size_t kReach = 2;

  // `spellings`: the bytes of each symbol.
  explicit Cuts(const std::vector<std::vector<uint8_t>>& spellings);

  // Whether the text can be cut before *text: true only if no symbol can span that position. kReach bytes on both sides
  // must be readable.
  bool isCut(const uint8_t* text) const;

 private:
  // Index in crossed_ for `left` bytes before and `right` bytes after a position.
  uint64_t bitOf(const uint8_t* text, size_t left, size_t right) const;

  // A bit per hash of the bytes around a position: set if some symbol spans a position with these bytes around it.
  std::vector<uint64_t> crossed_;
  int shift_;
};

}  // namespace bpe
