#include "documents.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "cuts.hpp"

namespace bpe {

namespace {

// 192 KiB. Twice as many find 3 % more of the text.
constexpr int kSeenBits = 12;

constexpr size_t kKeptBytes = 1 << 24;

// A piece that goes on for longer than this is cut where it can be: so what is needed beside the ids is bounded.
constexpr ptrdiff_t kLongPart = 1 << 16;

// Calls visit(pointer, length) for each part of a piece.
template <class Visit>
void eachPart(const uint8_t* piece, size_t length, const Cuts& cuts, Visit visit) {
  const uint8_t* const end = piece + length;
  while (end - piece > kLongPart) {
    const uint8_t* cut = piece + kLongPart;
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
  if (capacity_ * width_ > kKeptBytes) std::free(release());
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
      out_(wide),
      seen_(size_t{1} << kSeenBits) {}

void DocumentEncoder::clear() {
  out_.clear();
  if (++round_ != 0) return;
  std::fill(seen_.begin(), seen_.end(), Seen{});
  round_ = 1;
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
  Seen& seen = seen_[hash >> (64 - kSeenBits)];
  if (seen.hash == hash && seen.round == round_ && seen.length == length && memcmp(seen.text, part, length) == 0) {
    Id* const to = out_.reserve<Id>(seen.count);
    const Id* const from = out_.at<Id>(seen.at);
    for (uint32_t i = 0; i < seen.count; i++) to[i] = from[i];
    out_.extend(seen.count);
    return;
  }
  const auto [symbols, count] = encoder_.encode(part, length, scratch_);
  Id* const to = out_.reserve<Id>(count);
  for (size_t i = 0; i < count; i++) to[i] = static_cast<Id>(symbolIds_[symbols[i]]);
  // A part of more ids than fit is not worth remembering.
  if (count <= UINT32_MAX) seen = {part, length, hash, out_.size(), static_cast<uint32_t>(count), round_};
  out_.extend(count);
}

}  // namespace bpe
