#include "pieces.hpp"

#include <stdexcept>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace bpe {

namespace {

constexpr size_t kBlockBytes = 1 << 22;
constexpr size_t kInitialSlots = 1 << 12;
// The part of a slot that holds bits of the hash; the rest holds the index of the piece + 1.
constexpr uint64_t kHashMask = 0xffffffff00000000;
constexpr uint64_t kIndexMask = 0xffffffff;

// The two halves of the 128-bit product, combined by exclusive or.
uint64_t fold(uint64_t a, uint64_t b) {
#if defined(_MSC_VER)
  uint64_t high;
  const uint64_t low = _umul128(a, b, &high);
  return low ^ high;
#else
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
#endif
}

// The next 8 bytes of a string as one number.
uint64_t load64(const uint8_t* bytes) {
  uint64_t word;
  memcpy(&word, bytes, 8);
  return word;
}

// The last n < 8 bytes of a string as one number.
uint64_t loadTail(const uint8_t* bytes, size_t n) {
  uint64_t word = 0;
  if (n >= 4) {
    uint32_t low, high;
    memcpy(&low, bytes, 4);
    memcpy(&high, bytes + n - 4, 4);
    return low | static_cast<uint64_t>(high) << 32;
  }
  if (n > 0) word = bytes[0] | bytes[n / 2] << 8 | bytes[n - 1] << 16;
  return word;
}

}  // namespace

uint64_t hashBytes(const uint8_t* bytes, size_t length) {
  constexpr uint64_t kA = 0x9e3779b97f4a7c15, kB = 0xd6e8feb86659fd93;
  uint64_t hash = fold(length ^ kA, kB);
  for (; length >= 8; bytes += 8, length -= 8) hash = fold(hash ^ load64(bytes), kA);
  return fold(hash ^ loadTail(bytes, length) ^ kB, kA);
}

PieceCounter::PieceCounter(Pretokenizer pretokenizer) : pretokenizer_(pretokenizer), slots_(kInitialSlots) {}

void PieceCounter::add(const uint8_t* text, size_t length) {
  if (length > 0xfffffff0u) throw std::length_error("a document is longer than 4 GiB");
  eachPiece(text, length, pretokenizer_, [this](const uint8_t* piece, size_t n) { count(piece, n); });
}

void PieceCounter::clear() {
  pieces_.clear();
  pieces_.shrink_to_fit();
  slots_ = std::vector<uint64_t>(kInitialSlots);
  blocks_.clear();
  block_ = nullptr;
  blockLeft_ = 0;
}

void PieceCounter::count(const uint8_t* bytes, size_t length) {
  const uint64_t hash = hashBytes(bytes, length);
  const size_t mask = slots_.size() - 1;
  const uint64_t tag = hash & kHashMask;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const uint64_t slot = slots_[at];
    if (slot == 0) {
      if (pieces_.size() >= 0xfffffffe) throw std::length_error("the corpus has more than 4 billion distinct pieces");
      pieces_.push_back({store(bytes, length), static_cast<uint32_t>(length), 1});
      slots_[at] = tag | pieces_.size();
      if (2 * pieces_.size() > slots_.size()) grow();
      return;
    }
    if ((slot & kHashMask) != tag) continue;
    Piece& piece = pieces_[(slot & kIndexMask) - 1];
    if (piece.length == length && memcmp(piece.bytes, bytes, length) == 0) {
      piece.count++;
      return;
    }
  }
}

const uint8_t* PieceCounter::store(const uint8_t* bytes, size_t length) {
  if (length > blockLeft_) {
    // A long piece gets a block of its own, so that the current block is not abandoned.
    const size_t size = length > kBlockBytes / 4 ? length : kBlockBytes;
    blocks_.emplace_back(new uint8_t[size]);
    if (size == length) return static_cast<uint8_t*>(memcpy(blocks_.back().get(), bytes, length));
    block_ = blocks_.back().get();
    blockLeft_ = size;
  }
  uint8_t* stored = block_;
  memcpy(stored, bytes, length);
  block_ += length;
  blockLeft_ -= length;
  return stored;
}

void PieceCounter::grow() {
  std::vector<uint64_t> larger(slots_.size() * 2);
  const size_t mask = larger.size() - 1;
  for (size_t i = 0; i < pieces_.size(); i++) {
    const uint64_t hash = hashBytes(pieces_[i].bytes, pieces_[i].length);
    size_t at = hash & mask;
    while (larger[at] != 0) at = (at + 1) & mask;
    larger[at] = (hash & kHashMask) | (i + 1);
  }
  slots_.swap(larger);
}

}  // namespace bpe
