// Angles of rotary positions (Su et al. 2021), for training and decoding.
#pragma once
#include "memory.hpp"

namespace engine {

/// Angles of rotary positions: for positions 0 … length − 1 and i < D/2, the cosine and sine of position ·
/// 10000^(−2i/D).
struct RotaryTable {
  float *cosines = nullptr, *sines = nullptr;  // (length,D/2)

  /// Assigns the buffers for heads of width D.
  void allocate(Arena& arena, size_t length, size_t D);
  /// Computes the values of all positions.
  void fill(int length, int D) const;
};

}  // namespace engine
