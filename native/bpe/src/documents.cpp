#include "documents.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "cuts.hpp"

namespace bpe {

namespace {

// Bits of the hash that select a cache entry: 4,096 entries, 160 KiB. Twice as many entries would find 3 % more of the
// text.
constexpr int kCacheBits = 12;

// Ids::clear keeps at most this much memory for the next documents.
constexpr size_t kMaxRetainedBytes = 1 << 24;

// A piece longer than this, in bytes, is cut at the next possible position. This bounds the memory that is needed in
// addition to the ids.
constexpr ptrdiff_t kLongestPart = 1 << 16;

// Calls visit(const uint8_t* part, size_t length) for each part of a piece.
template <class Visit>
void eachPart(const uint8_t* piece, size_t length, const Cuts& cuts, Visit visit) {
  const uint8_t* const end = piece + length;
  while (end - piece > kLongestPart) {
    const uint8_t* cut = piece + kLongestPart;
    while (end - cut >= static_cast<ptrdiff_t>(Cuts::kReach) && !cuts.isCut(cut)) cut++;
    if (end - cut < static_cast<ptrdiff_t>(Cuts::kReach)) break;
    visit(piece, static_cast<size_t>(cut - piece));
    piece = cut;
  }
  visit(piece, static_cast<size_t>(end - piece));
}

}  // namespace

void Ids::grow(size_t least) {
  const size_t capacity = std::max(least, 2 * capacity_);
  auto* larger = static_cast<uint8_t*>(std::realloc(bytes_.get(), capacity * width_));
  if (!larger) throw std::bad_alloc();
  bytes_.release();
  bytes_.reset(larger);
  capacity_ = capacity;
}

void Ids::clear() {
  size_ = 0;
  if (capacity_ * width_ > kMaxRetainedBytes) std::free(release());
}

uint8_t* Ids::release() {
  size_ = capacity_ = 0;
  return bytes_.release();
}

DocumentEncoder::DocumentEncoder(const Encoder& encoder, const uint32_t* ids, bool wide, Pretokenizer pretokenizer)
    : encoder_(encoder),
      symbolIds_(ids),
      wide_(wide),
      pretokenizer_(pretokenizer),
      scratch_(encoder),
      ids_(wide),
      cache_(size_t{1} << kCacheBits) {}

void DocumentEncoder::clear() {
  ids_.clear();
  if (++generation_ != 0) return;
  std::fill(cache_.begin(), cache_.end(), CachedPart{});
  generation_ = 1;
}

void DocumentEncoder::encode(const uint8_t* text, size_t length) {
  if (wide_) return encodeParts<uint32_t>(text, length);
  encodeParts<uint16_t>(text, length);
}

template <class Id>
void DocumentEncoder::encodeParts(const uint8_t* text, size_t length) {
  eachPiece(text, length, pretokenizer_, [this](const uint8_t* piece, size_t n) {
    eachPart(piece, n, encoder_.cuts(), [this](const uint8_t* part, size_t m) { encodePart<Id>(part, m); });
  });
}

template <class Id>
void DocumentEncoder::encodePart(const uint8_t* part, size_t length) {
  const uint64_t hash = hashBytes(part, length);
  CachedPart& cached = cache_[hash >> (64 - kCacheBits)];
  if (cached.hash == hash && cached.generation == generation_ && cached.length == length &&
      memcmp(cached.text, part, length) == 0) {
    Id* const to = ids_.reserve<Id>(cached.count);
    const Id* const from = ids_.at<Id>(cached.firstId);
    for (uint32_t i = 0; i < cached.count; i++) to[i] = from[i];
    ids_.extend(cached.count);
    return;
  }
  const auto [symbols, count] = encoder_.encode(part, length, scratch_);
  Id* const to = ids_.reserve<Id>(count);
  for (size_t i = 0; i < count; i++) to[i] = static_cast<Id>(symbolIds_[symbols[i]]);
  // The cache counts ids in 32 bits. A part with more ids is not cached.
  if (count <= UINT32_MAX) cached = {part, length, hash, ids_.size(), static_cast<uint32_t>(count), generation_};
  ids_.extend(count);
}

}  // namespace bpe
