// Documents to ids: cut into pieces, encoded, each symbol replaced by its id. Bars come back, most of them within a tune, so the
// pieces seen last are remembered: where their text stands, and where their ids do. Nothing is copied to remember them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "encode.h"
#include "pieces.h"

namespace bpe {

// One for each thread, of an Encoder and ids (symbol → id) that outlive it.
class DocumentEncoder {
 public:
  DocumentEncoder(const Encoder& encoder, const uint32_t* ids, Pretokenizer pretokenizer);

  // Appends the ids of a document. Its bytes must stay where they are until `clear`.
  void encode(const uint8_t* text, size_t length);

  const Encoder::Symbols& ids() const { return out_; }

  // Forgets the documents and their ids, and gives back memory that only an uncommonly large one needed.
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

  void encodePiece(const uint8_t* piece, size_t length);

  const Encoder& encoder_;
  const uint32_t* ids_;
  Pretokenizer pretokenizer_;
  Encoder::Scratch scratch_;
  Encoder::Symbols out_;
  // by the hash of a piece, the last one of each place
  std::vector<Seen> seen_;
  uint32_t round_ = 1;
};

}  // namespace bpe
