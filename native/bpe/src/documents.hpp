// Documents to ids: cut into parts that are encoded each for itself, each symbol replaced by its id. Bars come back,
// most of them within a tune, so the parts seen last are remembered: where their text stands, and where their ids do.
// Nothing is copied to remember them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "encode.hpp"
#include "pieces.hpp"

namespace bpe {

// Ids one after another, 2 or 4 bytes each. Grows in place where the system can, without being filled first.
class Ids {
 public:
  explicit Ids(bool wide) : width_(wide ? 4 : 2) {}

  // Room for `more` ids after the last.
  template <class Id>
  Id* reserve(size_t more) {
    if (size_ + more > capacity_) grow(size_ + more);
    return reinterpret_cast<Id*>(bytes_.get()) + size_;
  }
  void extend(size_t more) { size_ += more; }
  template <class Id>
  const Id* at(size_t place) const {
    return reinterpret_cast<const Id*>(bytes_.get()) + place;
  }
  size_t size() const { return size_; }
  size_t byteLength() const { return size_ * width_; }
  const uint8_t* bytes() const { return bytes_.get(); }

  // Forgets the ids, and gives back memory that only an uncommonly large document needed.
  void clear();
  // The memory itself, for std::free; nothing is left here.
  uint8_t* release();

 private:
  struct Free {
    void operator()(uint8_t* bytes) const { std::free(bytes); }
  };
  void grow(size_t least);

  size_t width_, size_ = 0, capacity_ = 0;
  std::unique_ptr<uint8_t[], Free> bytes_;
};

// One for each thread, of an Encoder and ids (symbol → id) that outlive it.
class DocumentEncoder {
 public:
  // `wide`: ids of 4 bytes, not 2.
  DocumentEncoder(const Encoder& encoder, const uint32_t* ids, bool wide, Pretokenizer pretokenizer);

  // Appends the ids of a document. Its bytes must stay where they are until `clear`.
  void encode(const uint8_t* text, size_t length);

  Ids& ids() { return out_; }

  // Forgets the documents and their ids.
  void clear();

 private:
  struct Seen {
    const uint8_t* text;
    size_t length;
    uint64_t hash;
    // of the ids, in out_
    size_t at;
    uint32_t count;
    // of `round_` where it is of the documents since the last `clear`
    uint32_t round;
  };

  template <class Id>
  void encodeParts(const uint8_t* text, size_t length);
  template <class Id>
  void encodePart(const uint8_t* part, size_t length);

  const Encoder& encoder_;
  const uint32_t* symbolIds_;
  bool wide_;
  Pretokenizer pretokenizer_;
  Encoder::Scratch scratch_;
  Ids out_;
  // by the hash of a part, the last one of each place
  std::vector<Seen> seen_;
  uint32_t round_ = 1;
};

}  // namespace bpe
