// The table of architectures. A new architecture is registered here and nowhere else: addon.cpp passes on all settings
// of a model, and binding.gyp compiles every file in src/.
#include <stdexcept>

#include "network.hpp"

namespace engine {

using Make = std::unique_ptr<Network>(const Config&, const Kernels&, const ParameterTable&);
Make makeGpt, makeLstm;

namespace {

const struct {
  const char* name;  // its name in lib/models
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

std::unique_ptr<Network> makeNetwork(const Config& config, const Kernels& kernels, const ParameterTable& table) {
  for (const auto& a : kArchitectures)
    if (config.architecture == a.name) return a.make(config, kernels, table);
  std::string names;
  for (const auto& a : kArchitectures) names += (names.empty() ? "" : ", ") + std::string(a.name);
  throw std::runtime_error("the native engine has no architecture \"" + config.architecture + "\"; it has " + names);
}

}  // namespace engine
