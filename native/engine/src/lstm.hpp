// Offsets of the parameters of an LSTM, for training (lstm.cpp) and decoding (lstm-decoder.cpp). Names follow
// torch.nn.LSTM. E: embedding width, H: hidden width, I: input width of a layer (E for the first, else H).
#pragma once
#include <memory>
#include <vector>

#include "network.hpp"

namespace engine {

/// The parameters of one layer.
struct LstmLayer {
  int in;                           // I
  Matrix input, recurrent;          // (4H,I), (4H,H)
  size_t biasInput, biasRecurrent;  // offsets of (4H) each
};

/// References into the network that owns them; valid as long as the network lives.
struct LstmParameters {
  const Matrix& embedding;  // (V,E)
  const Matrix& head;       // (V,H); the embedding if it is tied
  const size_t& headBias;   // offset of (V)
  const std::vector<LstmLayer>& layers;
};

/// A decoder of `streams` sequences. The network must outlive it.
std::unique_ptr<Decoder> makeLstmDecoder(const Network&, const LstmParameters&, int streams);

}  // namespace engine
