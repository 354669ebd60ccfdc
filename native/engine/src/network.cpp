// The parts of the interface (network.hpp) that all architectures share: settings, the table of parameters, packing.
#include "network.hpp"

#include <algorithm>
#include <cmath>

namespace engine {

double Config::setting(const std::string& name) const {
  const auto found = settings.find(name);
  if (found == settings.end()) throw std::runtime_error("this " + architecture + " lacks the setting " + name);
  return found->second;
}

int Config::positiveInteger(const std::string& name) const {
  const double value = setting(name);
  if (!(value >= 1 && value <= 1 << 30 && value == std::floor(value)))
    throw std::runtime_error(name + " is not an integer of at least 1");
  return static_cast<int>(value);
}

bool Config::isSecond(const std::string& name, const std::string& first, const std::string& second) const {
  const auto found = words.find(name);
  if (found == words.end() || found->second == first) return false;
  if (found->second == second) return true;
  throw std::runtime_error(name + " is \"" + found->second + "\"; it must be \"" + first + "\" or \"" + second + "\"");
}

void ParameterTable::add(const std::string& name, size_t size, bool decay) {
  index_[name] = list_.size();
  list_.push_back({name, total_, size, decay});
  total_ += (size + 15) / 16 * 16;
}

size_t ParameterTable::offset(const std::string& name, size_t size) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw MissingParameter(name, size);
  const Parameter& parameter = list_[found->second];
  if (parameter.size != size)
    throw std::runtime_error("the parameter " + name + " has " + std::to_string(parameter.size) +
                             " numbers; it must have " + std::to_string(size));
  return parameter.offset;
}

void Network::clearGradients(float* gradients, const ParameterTable& table) const {
  for (const Parameter& parameter : table.list()) {
    const auto isParameter = [&](const Matrix* m) { return m->offset == parameter.offset; };
    if (!overwritesMatrixGradients() || std::none_of(matrices_.begin(), matrices_.end(), isParameter))
      std::fill_n(gradients + parameter.offset, parameter.size, 0.0f);
  }
}

size_t Network::panelsSize() const {
  size_t size = 0;
  for (const Matrix* m : matrices_)
    size += kernels.packedSize(m->rows, m->columns) + kernels.packedSize(m->columns, m->rows) + 32;
  return size;
}

void Network::assignPanels(float* memory) {
  Arena arena(memory);
  for (Matrix* m : matrices_) {
    m->panels = arena.allocate(kernels.packedSize(m->rows, m->columns));
    m->transposedPanels = arena.allocate(kernels.packedSize(m->columns, m->rows));
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
