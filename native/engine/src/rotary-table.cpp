// The angles; rotary-table.hpp describes them.
#include "rotary-table.hpp"

#include <cmath>

namespace engine {

void RotaryTable::allocate(Arena& arena, size_t length, size_t D) {
  cosines = arena.allocate(length * (D / 2));
  sines = arena.allocate(length * (D / 2));
}

void RotaryTable::fill(int length, int D) const {
  const int half = D / 2;
  for (int i = 0; i < half; i++) {
    const double frequency = std::pow(10000.0, -2.0 * i / D);
    for (int position = 0; position < length; position++) {
      cosines[static_cast<size_t>(position) * half + i] = static_cast<float>(std::cos(position * frequency));
      sines[static_cast<size_t>(position) * half + i] = static_cast<float>(std::sin(position * frequency));
    }
  }
}

}  // namespace engine
