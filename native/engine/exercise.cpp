// Drives everything below addon.cpp without Node, for the sanitizers: scripts/sanitize.ts builds and runs it. Models of odd
// shapes, in each instruction set, on one and three threads; it fails when a run does not repeat itself bit for bit.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <memory>
#include <vector>

#include "src/trainer.hpp"

using namespace engine;

namespace {

using Own = std::map<std::string, double>;

/// the parameters that the network asks for; every other one decays
Slots slotsOf(const Config& config, const Kernels& kernels) {
  Slots slots;
  for (;;) try {
      makeNetwork(config, kernels, slots);
      return slots;
    } catch (const MissingParameter& missing) {
      slots.add(missing.name, missing.size, slots.list().size() % 2 == 0);
    }
}

std::vector<uint32_t> tokensOf(int count, int vocabulary, uint32_t salt) {
  std::vector<uint32_t> tokens(count);
  for (int i = 0; i < count; i++) tokens[i] = (i * (i + salt) * 7u + salt) % vocabulary;
  return tokens;
}

/// everything that a model does, once; the weights that it ends with
std::vector<float> exercise(const Config& config, const Kernels& kernels, int threads) {
  const Slots slots = slotsOf(config, kernels);
  Trainer trainer(config, kernels, slots, threads);
  std::vector<float> weights(trainer.parameters());
  uint32_t random = 1;
  for (float& w : weights) {
    random = random * 1664525u + 1013904223u;
    w = (static_cast<float>(random >> 8) / 16777216.0f - 0.5f) * 0.4f;
  }
  trainer.write(Trainer::State::weights, weights.data());
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
      std::vector<float> gradients(trainer.parameters()), logits(static_cast<size_t>(sequences) * length * V);
      trainer.loss(batch);
      trainer.gradients(batch, gradients.data());
      trainer.logits(batch, logits.data());
      const auto decoder = trainer.decoder(sequences);
      logits.resize(static_cast<size_t>(sequences) * V);
      for (int t = 0; t < length; t++) trainer.decode(*decoder, sequences, inputs.data() + t, logits.data());
      decoder->reset();
    }
  Trainer::memory(config, kernels, slots, threads, 5, 0);
  trainer.read(Trainer::State::weights, weights.data());
  // so many streams that threads share the work
  const int streams = static_cast<int>(kSharedWork / trainer.parameters()) + 1;
  const auto decoder = trainer.decoder(streams);
  std::vector<float> logits(static_cast<size_t>(streams) * V);
  for (uint32_t t = 0; t < 3; t++) {
    trainer.decode(*decoder, streams, tokensOf(streams, V, t).data(), logits.data());
    weights.insert(weights.end(), logits.begin(), logits.end());
  }
  return weights;
}

}  // namespace

int main() {
  const auto gpt = [](int heads, bool bias) { return Own{{"heads", heads}, {"bias", bias}}; };
  const auto lstm = [](int embedding) { return Own{{"embedding", embedding}}; };
  // vocabulary, block, layers, width, dropout
  const Config configs[] = {
      {"gpt", 37, 37, 2, 24, 0.1f, gpt(3, true)}, {"gpt", 300, 33, 1, 10, 0.0f, gpt(1, false)},
      {"gpt", 70, 70, 1, 66, 0.2f, gpt(2, true)}, {"lstm", 37, 19, 2, 19, 0.1f, lstm(11)},
      {"lstm", 300, 9, 3, 20, 0.0f, lstm(20)},    {"lstm", 41, 12, 1, 33, 0.2f, lstm(5)},
  };
  for (const std::string& name : architectures())
    if (std::none_of(std::begin(configs), std::end(configs), [&](const Config& c) { return c.architecture == name; })) {
      std::printf("no configuration of a %s is exercised\n", name.c_str());
      return 1;
    }
  for (const char* set : {"generic", "avx2", "avx512"}) {
    const Kernels* chosen = chooseKernels(set);
    if (!chosen) {
      std::printf("%s: not on this CPU\n", set);
      continue;
    }
    for (const Kernels* kernels : {chosen->fp32, chosen->bf16})
      for (const int threads : {1, 3})
        for (const Config& config : configs) {
          const auto first = exercise(config, *kernels, threads), second = exercise(config, *kernels, threads);
          if (first.empty() || first != second) {
            std::printf("%s, %d threads: a run did not repeat itself\n", set, threads);
            return 1;
          }
        }
    std::printf("%s: done\n", set);
  }
}
