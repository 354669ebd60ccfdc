// BPE training. The merges are those that lib/tokenizer/bpe/bpe-reference.ts defines.
#pragma once
#include <atomic>
#include <string>
#include <vector>

#include "pieces.hpp"
#include "symbols.hpp"

namespace bpe {

// Options of training.
struct TrainOptions {
  // Number of merges to learn. Fewer are learned if no pair is left that is frequent enough.
  uint32_t merges;
  // Pairs that occur less often are not merged.
  uint64_t minimumCount;
  // Byte strings that must not become symbols.
  std::vector<std::string> forbidden;
};

// Learns merges from the pieces in `counter`, and clears it to free its memory. `learned` holds the number of merges
// learned so far; other threads may read it. Throws std::length_error if the distinct pieces have more than 4 GiB.
std::vector<Merge> learnMerges(PieceCounter& counter, const TrainOptions& options, std::atomic<int32_t>& learned);

}  // namespace bpe
