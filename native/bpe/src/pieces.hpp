// Documents cut into pieces (lib/tokenizer/pretokenizer.ts), and the distinct pieces of a corpus with how often each is
// there.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace bpe {

enum class Pretokenizer { bar, line, none };

// Calls visit(pointer, length) for each piece of a document, in order.
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

struct Piece {
  const uint8_t* bytes;
  uint32_t length;
  uint64_t count;
};

// Memory is in the distinct pieces, not in the corpus.
class PieceCounter {
 public:
  explicit PieceCounter(Pretokenizer pretokenizer);

  // Counts the pieces of one document, which may go away afterwards. A document is shorter than 4 GiB.
  void add(const uint8_t* text, size_t length);

  // In the order in which they were first seen.
  const std::vector<Piece>& pieces() const { return pieces_; }
  void clear();

 private:
  // Open addressing: 0 is an empty slot, else the piece's index + 1 below and 32 bits of its hash above.
  void count(const uint8_t* bytes, size_t length);
  const uint8_t* keep(const uint8_t* bytes, size_t length);
  void grow();

  Pretokenizer pretokenizer_;
  std::vector<Piece> pieces_;
  std::vector<uint64_t> slots_;
  std::vector<std::unique_ptr<uint8_t[]>> blocks_;
  uint8_t* block_ = nullptr;
  size_t blockLeft_ = 0;
};

// 64 bits of a byte string, by folded 64 × 64 → 128-bit products of 8 bytes at a time.
uint64_t hashBytes(const uint8_t* bytes, size_t length);

}  // namespace bpe
