// Cuts documents into pieces (lib/tokenizer/bpe/pretokenizer.ts), and counts the distinct pieces of a corpus.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace bpe {

// The rule for cutting documents: after | and newline, after newline, or not at all.
enum class Pretokenizer { bar, line, none };

// Calls visit(const uint8_t* piece, size_t length) for each piece of a document, in order.
template <class Visit>
void eachPiece(const uint8_t* text, size_t length, Pretokenizer pretokenizer, Visit visit) {
  const uint8_t* const end = text + length;
  if (pretokenizer == Pretokenizer::line) {
    while (const void* newline = text == end ? nullptr : memchr(text, '\n', end - text)) {
      const uint8_t* next = static_cast<const uint8_t*>(newline) + 1;
      visit(text, static_cast<size_t>(next - text));
      text = next;
    }
  } else if (pretokenizer == Pretokenizer::bar) {
    const uint8_t* start = text;
    while (text < end) {
      const uint8_t byte = *text++;
      if (byte != '|' && byte != '\n') continue;
      visit(start, static_cast<size_t>(text - start));
      start = text;
    }
    text = start;
  }
  if (text < end) visit(text, static_cast<size_t>(end - text));
}

// A distinct piece and the number of its occurrences in the corpus.
struct Piece {
  const uint8_t* bytes;
  uint32_t length;
  uint64_t count;
};

// Counts the distinct pieces of a corpus, in a hash table. Memory use grows with the distinct pieces, not with the
// corpus.
class PieceCounter {
 public:
  explicit PieceCounter(Pretokenizer pretokenizer);

  // Counts the pieces of one document, whose bytes need not outlive the call. Throws std::length_error if the document
  // has 4 GiB or more, or the corpus more than about 2^32 distinct pieces.
  void add(const uint8_t* text, size_t length);

  // The distinct pieces, in the order of their first occurrence.
  const std::vector<Piece>& pieces() const { return pieces_; }
  // Removes all pieces and frees their memory.
  void clear();

 private:
  // Counts one occurrence of a piece.
  void count(const uint8_t* bytes, size_t length);
  // Copies a new piece into blocks_.
  const uint8_t* store(const uint8_t* bytes, size_t length);
  // Doubles the hash table.
  void grow();

  Pretokenizer pretokenizer_;
  std::vector<Piece> pieces_;
  // The hash table, with open addressing. A slot is 0 if empty. Otherwise its lower 32 bits are the index of the piece
  // + 1, and its upper 32 bits are those of the piece's hash.
  std::vector<uint64_t> slots_;
  // The bytes of the pieces, in large blocks.
  std::vector<std::unique_ptr<uint8_t[]>> blocks_;
  // The free end of the current block, and its length in bytes.
  uint8_t* block_ = nullptr;
  size_t blockLeft_ = 0;
};

// A 64-bit hash of a byte string. Takes 8 bytes at a time and folds 64 × 64 → 128-bit products, as wyhash does.
uint64_t hashBytes(const uint8_t* bytes, size_t length);

}  // namespace bpe
