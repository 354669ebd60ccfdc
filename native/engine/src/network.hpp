// What an architecture has to provide: where its parameters are, and a pass over some sequences. Everything else
// (threads, accumulation, clipping, AdamW) is Trainer's and the same for all.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../kernels/kernels.hpp"
#include "memory.hpp"
#include "team.hpp"

namespace engine {

/// A model's settings.
struct Config {
  /// one of architectures()
  std::string architecture;
  int vocabulary, block, layers, width;
  float dropout;
  /// those that not every architecture has, under the names that lib/models gives them: heads, bias, embedding, …
  std::map<std::string, double> own;

  /// throws std::runtime_error where there is none of this name
  double setting(const std::string& name) const;
  /// one that counts something; throws where it is no whole number of at least 1
  int count(const std::string& name) const;
};

/// A parameter's place in the one array that holds them all (and in those of gradients and moments).
struct Slot {
  std::string name;
  size_t offset, size;
  bool decay;
};

/// A network asked for a parameter that it was not given.
struct MissingParameter : std::runtime_error {
  MissingParameter(const std::string& name, size_t size)
      : std::runtime_error("the parameter " + name + " is missing"), name(name), size(size) {}
  const std::string name;
  const size_t size;
};

class Slots {
 public:
  void add(const std::string& name, size_t size, bool decay);
  /// throws MissingParameter when there is none of this name, std::runtime_error when it is not of this size
  size_t offset(const std::string& name, size_t size) const;
  const std::vector<Slot>& list() const { return list_; }
  size_t total() const { return total_; }

 private:
  std::vector<Slot> list_;
  std::map<std::string, size_t> index_;
  size_t total_ = 0;
};

/// A parameter matrix and its panels for x·W and for dy·Wᵀ.
struct Matrix {
  /// as stored: rows × columns
  int rows, columns;
  size_t offset;
  /// panels of the matrix as it is stored, and of its transpose
  float *panels = nullptr, *transposedPanels = nullptr;
};

/// Some sequences to take through the network.
struct Pass {
  /// token t of sequence s: inputs[s · length + t]
  const uint32_t *inputs, *targets;
  int sequences, length;
  /// the number of the first one within the batch: masks depend on it
  int firstSequence;
  /// accumulated into where not null; 1 / (B·T) of the batch scales the loss gradient
  float* gradients;
  /// these sequences are the first of a sum: where writesGradients(), gradients of matrices hold nothing yet
  bool first;
  float gradientScale;
  bool dropout;
  uint32_t seed, step;
  /// sequences × length × V where wanted instead of a loss
  float* logits;
  /// Where stateWidth() is not 0: what came before the sequences, null for zeros; what they leave behind goes into
  /// stateAfter where not null. Both are of the whole batch, an LSTM's layers × 2 × batch × width (hidden states, then
  /// cells)
  const float* state;
  float* stateAfter;
  int batch;
};

/// Buffers of one thread for passes of up to so many sequences of up to some length.
struct Workspace {
  virtual ~Workspace() = default;
  Floats memory;
  int sequences = 0, length = 0;
  bool training = false;
};

/// Streams that are fed a token each at a time.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// called by each thread of a team; tokens: one a stream, logits: streams × V
  virtual void step(const uint32_t* tokens, float* logits, const Team&) = 0;
  virtual void reset() = 0;
  /// no further token has a place
  virtual bool full() const { return false; }
};

class Network {
 public:
  Network(const Config& config, const Kernels& kernels) : config(config), kernels(kernels) {}
  virtual ~Network() = default;

  virtual std::unique_ptr<Workspace> workspace(int sequences, int length, bool training) const = 0;
  /// floats that such a workspace takes
  virtual size_t workspaceSize(int sequences, int length, bool training) const = 0;
  /// sequences of this length that are best taken at a time
  virtual int bestMicrobatch(int length) const = 0;
  /// floats that a sequence can carry from one window to the next
  virtual size_t stateWidth() const { return 0; }
  /// Σ of the losses of all tokens (0 when logits were asked for)
  virtual double pass(Workspace&, const Pass&) const = 0;
  /// whether a first pass writes the gradients of matrices_ instead of adding to zeros
  virtual bool writesGradients() const { return false; }
  /// before the first pass: clears the gradients that it adds to
  void clearGradients(float* gradients, const Slots&) const;
  /// for teams of up to so many threads
  virtual std::unique_ptr<Decoder> decoder(int streams, int threads) const = 0;

  size_t panelsSize() const;
  /// gives the matrices their place
  void placePanels(float* memory);
  /// brings the panels of matrices first, first + stride, … up to date
  void pack(int first, int stride) const;

  const Config config;
  const Kernels& kernels;
  const float* weights = nullptr;

 protected:
  std::vector<Matrix*> matrices_;
};

/// what Config::architecture may be
std::vector<std::string> architectures();
/// throws std::runtime_error where it is none of them, or a setting or parameter that it needs is missing
std::unique_ptr<Network> makeNetwork(const Config&, const Kernels&, const Slots&);

/// p as Philox's 16-bit numbers are compared with it
inline uint32_t dropoutThreshold(float p) { return static_cast<uint32_t>(p * 65536.0f + 0.5f); }

}  // namespace engine
