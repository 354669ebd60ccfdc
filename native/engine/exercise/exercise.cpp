// Runs everything below addon.cpp without Node, for the sanitizers and emulators (scripts/sanitize.ts, emulate-*.ts):
// models of odd shapes, in each instruction set, on one and three threads. It fails if a run does not repeat itself bit
// for bit, if a product differs from its definition, or if gradients differ from those of the generic kernels.
//
//   exercise [SET…]      generic, avx2, …; default: all that this CPU has. A named set must be available.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <memory>
#include <vector>

#include "exercise-products.hpp"
#include "src/trainer.hpp"

using namespace engine;

namespace {

using Settings = std::map<std::string, double>;

/// The parameters that the network needs. Every second one has weight decay.
ParameterTable tableOf(const Config& config, const Kernels& kernels) {
  ParameterTable table;
  for (;;) try {
      makeNetwork(config, kernels, table);
      return table;
    } catch (const MissingParameter& missing) {
      table.add(missing.name, missing.size, table.list().size() % 2 == 0);
    }
}

/// Deterministic tokens below `vocabulary`. `salt` selects one of several sequences.
std::vector<uint32_t> tokensOf(int count, int vocabulary, uint32_t salt) {
  std::vector<uint32_t> tokens(count);
  for (int i = 0; i < count; i++) tokens[i] = (i * (i + salt) * 7u + salt) % vocabulary;
  return tokens;
}

/// Writes pseudo-random weights from −0.2 to 0.2.
void writeWeights(Trainer& trainer) {
  std::vector<float> weights(trainer.parameterCount());
  uint32_t random = 1;
  for (float& w : weights) {
    random = random * 1664525u + 1013904223u;
    w = (static_cast<float>(random >> 8) / 16777216.0f - 0.5f) * 0.4f;
  }
  trainer.write(Trainer::ParameterArray::weights, weights.data());
}

/// Runs everything that a model does once. Returns the final weights.
std::vector<float> exercise(const Config& config, const Kernels& kernels, int threads) {
  const ParameterTable table = tableOf(config, kernels);
  Trainer trainer(config, kernels, table, threads);
  writeWeights(trainer);
  const int V = config.vocabulary;
  for (const int length : {config.block, 1, config.block / 2 + 1})
    for (const int sequences : {1, 5}) {
      const auto inputs = tokensOf(sequences * length, V, 1), targets = tokensOf(sequences * length, V, 5);
      const Batch batch{inputs.data(), targets.data(), sequences, length};
      const StepOptions options{1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0, sequences == 5 ? 2 : 0, 7};
      if (!std::isfinite(trainer.trainStep(batch, options).loss)) return {};
      if (trainer.stateWidth() > 0) {
        std::vector<float> state(sequences * trainer.stateWidth()), after(state.size(), NAN);
        Batch carried = batch;
        carried.state = state.data();
        carried.stateAfter = after.data();
        for (int window = 0; window < 2; window++, state = after, carried.state = state.data()) {
          if (!std::isfinite(trainer.trainStep(carried, options).loss)) return {};
          for (const float x : after)
            if (!std::isfinite(x)) return {};
        }
        trainer.loss(carried);
      }
      std::vector<float> gradients(trainer.parameterCount()), logits(static_cast<size_t>(sequences) * length * V);
      trainer.loss(batch);
      trainer.gradients(batch, gradients.data());
      trainer.logits(batch, logits.data());
      trainer.tokenLosses(batch, logits.data());
      const auto decoder = trainer.decoder(sequences);
      logits.resize(static_cast<size_t>(sequences) * V);
      for (int t = 0; t < length; t++) trainer.decode(*decoder, sequences, inputs.data() + t, logits.data());
      decoder->reset();
    }
  Trainer::memory(config, kernels, table, threads, 5, 0);
  std::vector<float> weights(trainer.parameterCount());
  trainer.read(Trainer::ParameterArray::weights, weights.data());
  // With this many streams, the threads share the work.
  const int streams = static_cast<int>(kMinSharedMultiplyAdds / trainer.parameterCount()) + 1;
  const auto decoder = trainer.decoder(streams);
  std::vector<float> logits(static_cast<size_t>(streams) * V);
  for (uint32_t t = 0; t < 3; t++) {
    trainer.decode(*decoder, streams, tokensOf(streams, V, t).data(), logits.data());
    weights.insert(weights.end(), logits.begin(), logits.end());
  }
  return weights;
}

/// Gradients of one batch, at the initial weights.
std::vector<float> gradientsOf(const Config& config, const Kernels& kernels) {
  Trainer trainer(config, kernels, tableOf(config, kernels), 1);
  writeWeights(trainer);
  const auto inputs = tokensOf(4 * config.block, config.vocabulary, 1),
             targets = tokensOf(4 * config.block, config.vocabulary, 5);
  std::vector<float> gradients(trainer.parameterCount());
  trainer.gradients({inputs.data(), targets.data(), 4, config.block}, gradients.data());
  return gradients;
}

/// Distance of two vectors, relative to the length of the second.
double distance(const std::vector<float>& x, const std::vector<float>& y) {
  double apart = 0, length = 0;
  for (size_t i = 0; i < x.size(); i++) {
    apart += (double(x[i]) - y[i]) * (double(x[i]) - y[i]);
    length += double(y[i]) * y[i];
  }
  return std::sqrt(apart / length);
}

Settings gpt(int heads, bool bias) { return {{"heads", heads}, {"bias", bias}}; }
const std::map<std::string, std::string> rotary = {{"positions", "rotary"}};
Settings lstm(int embedding) { return {{"embedding", embedding}}; }

// vocabulary, block, layers, width, dropout
const Config configs[] = {
    {"gpt", 37, 37, 2, 24, 0.1f, gpt(3, true)},
    {"gpt", 300, 33, 1, 10, 0.0f, gpt(1, false)},
    {"gpt", 70, 70, 1, 66, 0.2f, gpt(2, true)},
    {"lstm", 37, 19, 2, 19, 0.1f, lstm(11)},
    {"lstm", 300, 9, 3, 20, 0.0f, lstm(20)},
    {"lstm", 41, 12, 1, 33, 0.2f, lstm(5)},
    {"gpt", 37, 70, 2, 66, 0.2f, gpt(3, true), rotary},
    {"gpt", 37, 9, 1, 36, 0.0f, gpt(1, false), rotary},
};

/// Tests the kernels of a set in one precision. Prints the result, and returns whether it is right.
bool isRight(const char* set, const Kernels& kernels) {
  const bool exact = kernels.elementSize == 4;
  const double error = ProductErrors(kernels).worst();
  double furthest = 0;
  const Kernels& generic = exact ? genericKernels() : *genericKernels().bf16;
  for (const Config& config : configs)
    furthest = std::fmax(furthest, distance(gradientsOf(config, kernels), gradientsOf(config, generic)));
  std::printf("%s, %s by %s: products within %.1e, gradients within %.1e of the generic ones\n", set,
              exact ? "fp32" : "bf16", kernels.name, error, furthest);
  std::fflush(stdout);
  if (!(error < 4e-6) || !(furthest < (exact ? 1e-5 : 1e-2))) {
    std::printf("%s: too far\n", set);
    return false;
  }
  for (const int threads : {1, 3})
    for (const Config& config : configs) {
      const auto first = exercise(config, kernels, threads), second = exercise(config, kernels, threads);
      if (first.empty() || first != second) {
        std::printf("%s, %d threads: a second run gave other bits\n", set, threads);
        return false;
      }
    }
  return true;
}

}  // namespace

int main(int count, char** names) {
  for (const std::string& name : architectures())
    if (std::none_of(std::begin(configs), std::end(configs), [&](const Config& c) { return c.architecture == name; })) {
      std::printf("no configuration of a %s is exercised\n", name.c_str());
      return 1;
    }
  const bool named = count > 1;
  std::vector<const char*> sets(names + 1, names + count);
  if (!named) sets = {"generic", "avx2", "avx512", "avx512bf16", "amx"};
  std::vector<decltype(Kernels::product)> tried;
  for (const char* set : sets) {
    const Kernels* chosen = chooseKernels(set);
    if (!chosen) {
      std::printf("%s: not on this CPU\n", set);
      if (named) return 1;
      continue;
    }
    for (const Kernels* kernels : {chosen->fp32, chosen->bf16}) {
      // Several sets have the same fp32 products.
      if (std::find(tried.begin(), tried.end(), kernels->product) != tried.end()) continue;
      if (!isRight(set, *kernels)) return 1;
      tried.push_back(kernels->product);
    }
  }
  std::printf("the best here: %s, in bf16 %s\n", chooseKernels("")->fp32->name, chooseKernels("")->bf16->name);
}
