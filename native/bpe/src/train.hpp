// BPE training: the merges that lib/tokenizer/bpe-reference.ts learns, found incrementally.
#pragma once
#include <atomic>
#include <string>
#include <vector>

#include "pieces.hpp"
#include "symbols.hpp"

namespace bpe {

struct TrainOptions {
  uint32_t merges;
  uint64_t minimumCount;
  // byte strings that must not become symbols
  std::vector<std::string> forbidden;
};

// Learns merges from the pieces and empties the counter: its memory is needed. `learned` counts them as they come.
std::vector<Merge> learnMerges(PieceCounter& counter, const TrainOptions& options, std::atomic<int32_t>& learned);

}  // namespace bpe
