// Encodes documents to ids. A document is cut into parts, each part is encoded, and each symbol is replaced by its id.
//
// Bars recur, mostly within a tune, so the most recent parts are cached. The cache keeps pointers to their text and
// their ids, and copies neither.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "encode.hpp"
#include "pieces.hpp"

namespace bpe {

// A growable array of ids, 2 or 4 bytes each. It uses realloc, so that it can grow in place and new memory is not
// zeroed.
class Ids {
 public:
  // `wide`: ids of 4 bytes instead of 2.
  explicit Ids(bool wide) : width_(wide ? 4 : 2) {}

  // Returns memory for `more` ids after the last one. `extend` then adds them. Throws std::bad_alloc.
  template <class Id>
  Id* reserve(size_t more) {
    if (size_ + more > capacity_) grow(size_ + more);
    return reinterpret_cast<Id*>(bytes_.get()) + size_;
  }
  // Adds `more` ids, which the caller has written to the memory that `reserve` returned.
  void extend(size_t more) { size_ += more; }
  // The id at an index, and those after it.
  template <class Id>
  const Id* at(size_t index) const {
    return reinterpret_cast<const Id*>(bytes_.get()) + index;
  }
  size_t size() const { return size_; }
  size_t byteLength() const { return size_ * width_; }
  const uint8_t* bytes() const { return bytes_.get(); }

  // Removes the ids. Frees the memory if it is larger than most documents need.
  void clear();
  // Hands the memory over to the caller, who must call std::free. The array is empty afterwards.
  uint8_t* release();

 private:
  struct Free {
    void operator()(uint8_t* bytes) const { std::free(bytes); }
  };
  // Enlarges the memory to at least `least` ids. Throws std::bad_alloc.
  void grow(size_t least);

  // Bytes of an id; number of ids; ids that fit in the memory.
  size_t width_, size_ = 0, capacity_ = 0;
  std::unique_ptr<uint8_t[], Free> bytes_;
};

// Encodes documents. Each thread has one.
class DocumentEncoder {
 public:
  // `ids` maps symbols to ids. It and the encoder must outlive this object. `wide`: ids of 4 bytes instead of 2.
  DocumentEncoder(const Encoder& encoder, const uint32_t* ids, bool wide, Pretokenizer pretokenizer);

  // Appends the ids of a document. Its bytes must not move or change before `clear`. Throws std::bad_alloc.
  void encode(const uint8_t* text, size_t length);

  // The ids of all documents since the last `clear`.
  Ids& ids() { return ids_; }

  // Removes the ids. The bytes of the documents are not read afterwards.
  void clear();

 private:
  // A part that was encoded: where its text and its ids are.
  struct CachedPart {
    const uint8_t* text;
    size_t length;
    uint64_t hash;
    // Index of the first id in ids_, and number of ids.
    size_t firstId;
    uint32_t count;
    // The entry is valid if this equals generation_.
    uint32_t generation;
  };

  // Cuts a document into parts and encodes each.
  template <class Id>
  void encodeParts(const uint8_t* text, size_t length);
  // Appends the ids of one part, from the cache if it was encoded recently.
  template <class Id>
  void encodePart(const uint8_t* part, size_t length);

  const Encoder& encoder_;
  const uint32_t* symbolIds_;
  bool wide_;
  Pretokenizer pretokenizer_;
  Encoder::Scratch scratch_;
  Ids ids_;
  // The part that was encoded last, for each value of the upper hash bits.
  std::vector<CachedPart> cache_;
  // Incremented by `clear`, which invalidates the cache.
  uint32_t generation_ = 1;
};

}  // namespace bpe
