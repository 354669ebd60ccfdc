// The architectures that there are. A new one is named here and nowhere else: addon.cpp hands on whatever settings it
// has, and everything in src/ is compiled.
#include <stdexcept>

#include "network.hpp"

namespace engine {

using Make = std::unique_ptr<Network>(const Config&, const Kernels&, const Slots&);
Make makeGpt, makeLstm;

namespace {

const struct {
  const char* name;  // as lib/models calls it
  Make* make;
} kArchitectures[] = {
    {"gpt", makeGpt},
    {"lstm", makeLstm},
};

}  // namespace

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const auto& a : kArchitectures) names.push_back(a.name);
  return names;
}

std::unique_ptr<Network> makeNetwork(const Config& config, const Kernels& kernels, const Slots& slots) {
  for (const auto& a : kArchitectures)
    if (config.architecture == a.name) return a.make(config, kernels, slots);
  std::string names;
  for (const auto& a : kArchitectures) names += (names.empty() ? "" : ", ") + std::string(a.name);
  throw std::runtime_error("the native engine has no architecture \"" + config.architecture + "\"; it has " + names);
}

}  // namespace engine
