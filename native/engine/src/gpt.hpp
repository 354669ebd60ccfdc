// Offsets of the parameters of a GPT, for training (gpt.cpp) and decoding (gpt-decoder.cpp). Part names follow llm.c:
// ln1, qkv, attnProj, ln2, fc, fcProj, lnf, wte, wpe.
#pragma once
#include <memory>
#include <vector>

#include "network.hpp"

namespace engine {

/// Offsets of a LayerNorm's weight (C) and bias (C).
struct LayerNorm {
  size_t weight, bias;
};
/// A linear layer out = x·W + b: weight (in,out), offset of bias (out).
struct Linear {
  Matrix weight;
  size_t bias;
};
/// One transformer layer. Weights: qkv (C,3C), attnProj (C,C), fc (C,4C), fcProj (4C,C).
struct GptLayer {
  LayerNorm ln1, ln2;
  Linear qkv, attnProj, fc, fcProj;
};

/// References into the network that owns them; valid as long as the network lives.
struct GptParameters {
  const Matrix& wte;  // (V,C): token embedding, and head
  const size_t& wpe;  // offset of the position embedding (block,C); unused if positions are rotary
  const std::vector<GptLayer>& layers;
  const LayerNorm& lnf;  // final LayerNorm
  int heads;
  bool bias;    // whether Linear and LayerNorm have biases
  bool rotary;  // whether queries and keys are rotated by their position; then there is no wpe
};

/// A decoder of `streams` sequences for work groups of up to `threads` threads. The network must outlive it.
std::unique_ptr<Decoder> makeGptDecoder(const Network&, const GptParameters&, int streams, int threads);

}  // namespace engine
