// Where a GPT's parameters are, for training (gpt.cpp) and decoding (gpt-decoder.cpp).
#pragma once
#include <memory>
#include <vector>

#include "network.hpp"

namespace engine {

struct Norm {
  size_t gain, bias;
};
struct Linear {
  Matrix weight;
  size_t bias;
};
struct Block {
  Norm norm1, norm2;
  Linear attention, attentionOut, expand, contract;
};

/// the network's own; they live as long as it does
struct GptParameters {
  const Matrix& wte;
  const size_t& wpe;
  const std::vector<Block>& blocks;
  const Norm& final;
  int heads;
  bool bias;
};

std::unique_ptr<Decoder> makeGptDecoder(const Network&, const GptParameters&, int streams, int threads);

}  // namespace engine
