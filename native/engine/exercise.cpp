// Drives everything below addon.cpp without Node, for the sanitizers: scripts/sanitize.ts builds and runs it. Models of odd
// shapes, in each instruction set, on one and three threads; it fails when a run does not repeat itself bit for bit.
#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "src/trainer.hpp"

using namespace engine;

namespace {

Slots slotsOf(const Config& c) {
  Slots slots;
  const auto add = [&](const std::string& name, size_t rows, size_t columns) {
    slots.add(name, rows * columns, columns > 1);
  };
  const size_t C = c.width, V = c.vocabulary, E = c.embedding;
  const auto linear = [&](const std::string& name, size_t in, size_t out) {
    add(name + ".weight", in, out);
    if (c.bias) add(name + ".bias", out, 1);
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", C, 1);
    if (c.bias) add(name + ".bias", C, 1);
  };
  if (c.gpt) {
    add("transformer.wte.weight", V, C);
    add("transformer.wpe.weight", c.block, C);
    for (int l = 0; l < c.layers; l++) {
      const std::string h = "transformer.h." + std::to_string(l);
      norm(h + ".ln_1");
      linear(h + ".attn.c_attn", C, 3 * C);
      linear(h + ".attn.c_proj", C, C);
      norm(h + ".ln_2");
      linear(h + ".mlp.c_fc", C, 4 * C);
      linear(h + ".mlp.c_proj", 4 * C, C);
    }
    norm("transformer.ln_f");
    return slots;
  }
  add("encoder.weight", V, E);
  for (int l = 0; l < c.layers; l++) {
    const std::string suffix = "_l" + std::to_string(l);
    add("rnn.weight_ih" + suffix, 4 * C, l == 0 ? E : C);
    add("rnn.weight_hh" + suffix, 4 * C, C);
    add("rnn.bias_ih" + suffix, 4 * C, 1);
    add("rnn.bias_hh" + suffix, 4 * C, 1);
  }
  if (E != C) add("decoder.weight", V, C);
  add("decoder.bias", V, 1);
  return slots;
}

std::vector<uint32_t> tokensOf(int count, int vocabulary, uint32_t salt) {
  std::vector<uint32_t> tokens(count);
  for (int i = 0; i < count; i++) tokens[i] = (i * (i + salt) * 7u + salt) % vocabulary;
  return tokens;
}

/// everything that a model does, once; the weights that it ends with
std::vector<float> exercise(const Config& config, const Kernels& kernels, int threads) {
  const Slots slots = slotsOf(config);
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
      if (!config.gpt) {
        std::vector<float> state(2 * config.layers * sequences * config.width), after(state.size(), NAN);
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
  Trainer::memory(config, kernels, slots, threads, 0);
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
  const Config configs[] = {
      {true, 37, 37, 2, 24, 3, true, 0, 0.1f},  {true, 300, 33, 1, 10, 1, false, 0, 0.0f},
      {true, 70, 70, 1, 66, 2, true, 0, 0.2f},  {false, 37, 19, 2, 19, 0, true, 11, 0.1f},
      {false, 300, 9, 3, 20, 0, true, 20, 0.0f}, {false, 41, 12, 1, 33, 0, true, 5, 0.2f},
  };
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
