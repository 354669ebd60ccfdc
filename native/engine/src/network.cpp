#include "network.hpp"

#include <algorithm>
#include <cmath>

namespace engine {

double Config::setting(const std::string& name) const {
  const auto found = own.find(name);
  if (found == own.end()) throw std::runtime_error("this " + architecture + " lacks the setting " + name);
  return found->second;
}

int Config::count(const std::string& name) const {
  const double value = setting(name);
  if (!(value >= 1 && value <= 1 << 30 && value == std::floor(value)))
    throw std::runtime_error(name + " is no whole number of at least 1");
  return static_cast<int>(value);
}

void Slots::add(const std::string& name, size_t size, bool decay) {
  index_[name] = list_.size();
  list_.push_back({name, total_, size, decay});
  total_ += (size + 15) / 16 * 16;
}

size_t Slots::offset(const std::string& name, size_t size) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw MissingParameter(name, size);
  const Slot& slot = list_[found->second];
  if (slot.size != size)
    throw std::runtime_error("the parameter " + name + " has " + std::to_string(slot.size) + " numbers; it must have " +
                             std::to_string(size));
  return slot.offset;
}

void Network::clearGradients(float* gradients, const Slots& slots) const {
  for (const Slot& slot : slots.list()) {
    const auto isSlot = [&](const Matrix* m) { return m->offset == slot.offset; };
    if (!writesGradients() || std::none_of(matrices_.begin(), matrices_.end(), isSlot))
      std::fill_n(gradients + slot.offset, slot.size, 0.0f);
  }
}

size_t Network::panelsSize() const {
  size_t size = 0;
  for (const Matrix* m : matrices_)
    size += kernels.packedSize(m->rows, m->columns) + kernels.packedSize(m->columns, m->rows) + 32;
  return size;
}

void Network::placePanels(float* memory) {
  Arena arena(memory);
  for (Matrix* m : matrices_) {
    m->panels = arena.take(kernels.packedSize(m->rows, m->columns));
    m->transposedPanels = arena.take(kernels.packedSize(m->columns, m->rows));
  }
}

void Network::pack(int first, int stride) const {
  for (size_t i = first; i < matrices_.size(); i += stride) {
    const Matrix& m = *matrices_[i];
    kernels.pack(m.rows, m.columns, weights + m.offset, m.columns, m.panels);
    kernels.packTransposed(m.columns, m.rows, weights + m.offset, m.columns, m.transposedPanels);
  }
}

}  // namespace engine
