// The interface that an architecture implements: the offsets of its parameters, a forward and backward pass over some
// sequences, and a decoder. Trainer does the rest for all architectures: threads, accumulation, clipping, AdamW.
//
// See lstm.cpp for an example, and native/README.md for the steps to add an architecture.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../kernels/kernels.hpp"
#include "memory.hpp"
#include "work-group.hpp"

namespace engine {

/// Settings of a model.
struct Config {
  /// One of architectures().
  std::string architecture;
  /// `block`: the longest window in tokens.
  int vocabulary, block, layers, width;
  /// Dropout probability, at least 0 and below 1.
  float dropout;
  /// Settings that not every architecture has, under their names in lib/models: heads, bias, embedding, …
  std::map<std::string, double> settings;
  /// Those whose values are words: positions, …
  std::map<std::string, std::string> words;

  /// The setting `name`. Throws std::runtime_error if it is missing.
  double setting(const std::string& name) const;
  /// The setting `name`, an integer of at least 1. Throws std::runtime_error if it is missing or is another number.
  int positiveInteger(const std::string& name) const;
  /// The setting `name`, one of two words. Returns whether it is `second`; a missing one is `first`. Throws
  /// std::runtime_error if it is another word.
  bool isSecond(const std::string& name, const std::string& first, const std::string& second) const;
};

/// Place of a parameter, in floats, within the array of all parameters. Gradients and moments have the same layout.
struct Parameter {
  std::string name;
  size_t offset, size;
  /// Whether AdamW applies weight decay to it.
  bool decay;
};

/// A network needs a parameter that is not in the table.
struct MissingParameter : std::runtime_error {
  MissingParameter(const std::string& name, size_t size)
      : std::runtime_error("the parameter " + name + " is missing"), name(name), size(size) {}
  const std::string name;
  const size_t size;
};

/// The parameters of a model by name, in the order in which JavaScript passes them.
class ParameterTable {
 public:
  /// Appends a parameter. Its offset is aligned to 16 floats (64 bytes).
  void add(const std::string& name, size_t size, bool decay);
  /// The offset of a parameter of `size` floats. Throws MissingParameter if the name is unknown, std::runtime_error if
  /// the parameter has another size.
  size_t offset(const std::string& name, size_t size) const;
  const std::vector<Parameter>& list() const { return list_; }
  /// Floats of all parameters, with padding.
  size_t total() const { return total_; }

 private:
  std::vector<Parameter> list_;
  std::map<std::string, size_t> index_;
  size_t total_ = 0;
};

/// A parameter matrix W (rows,columns), row-major, and its packed copies.
struct Matrix {
  int rows, columns;
  /// Offset of W within the parameters.
  size_t offset;
  /// Panels of W, for x·W, and of Wᵀ, for dy·Wᵀ. Owned by Trainer.
  float *panels = nullptr, *transposedPanels = nullptr;
};

/// Arguments of one pass of one thread over B = `sequences` sequences of T = `length` tokens.
struct Pass {
  /// (B,T) token ids. targets may be null if logits are wanted.
  const uint32_t *inputs, *targets;
  int sequences, length;
  /// Index of the first sequence within the batch. Dropout masks depend on it.
  int firstSequence;
  /// Gradients of all parameters, accumulated into. Null: no backward pass.
  float* gradients;
  /// True for a thread's first pass of a step. If overwritesMatrixGradients(), matrix gradients are then
  /// uninitialised, and the pass must write them instead of adding to them.
  bool overwriteGradients;
  /// 1 / tokens of the whole batch: the factor of the loss gradient.
  float gradientScale;
  bool withDropout;
  /// Key of the dropout masks.
  uint32_t seed, step;
  /// (B,T,V) output. If not null, the pass computes logits instead of a loss.
  float* logits;
  /// (B,T) output: the loss of each token, in nats. Null: not wanted. Only without gradients.
  float* losses;
  /// For networks with stateWidth() > 0: the state before the sequences (null: zeros), and the state after them (null:
  /// not wanted). Both cover the whole batch: (layers,2,batch,H) for an LSTM, hidden states then cells.
  const float* state;
  float* stateAfter;
  /// Sequences of the whole batch.
  int batch;
};

/// Buffers of one thread, for passes of up to `sequences` sequences of up to `length` tokens.
struct Workspace {
  virtual ~Workspace() = default;
  AlignedBuffer memory;
  int sequences = 0, length = 0;
  /// Whether it has buffers for the backward pass.
  bool training = false;
};

/// Decodes B independent streams, one token of each at a time.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// tokens (B) → logits (B,V). Every thread of the work group calls it with the same arguments.
  virtual void step(const uint32_t* tokens, float* logits, const WorkGroup&) = 0;
  /// Returns to the state before the first token.
  virtual void reset() = 0;
  /// Whether the context is full, so that step() must not be called.
  virtual bool full() const { return false; }
};

/// A model architecture. It reads weights and panels owned by Trainer. All const methods may run on several threads.
class Network {
 public:
  Network(const Config& config, const Kernels& kernels) : config(config), kernels(kernels) {}
  virtual ~Network() = default;

  /// Allocates the buffers of one thread for passes of up to `sequences` sequences of up to `length` tokens. training:
  /// with those of the backward pass.
  virtual std::unique_ptr<Workspace> workspace(int sequences, int length, bool training) const = 0;
  /// Size of such a workspace in floats. Allocates nothing.
  virtual size_t workspaceSize(int sequences, int length, bool training) const = 0;
  /// Number of sequences of this length per pass at which a thread is fastest.
  virtual int bestSequencesPerPass(int length) const = 0;
  /// Size in floats of the state that a sequence carries from one window to the next.
  virtual size_t stateWidth() const { return 0; }
  /// Forward pass, and backward pass if gradients are wanted. Returns the summed loss of all tokens in nats, or 0 if
  /// logits are wanted.
  virtual double pass(Workspace&, const Pass&) const = 0;
  /// Whether a pass with overwriteGradients writes the gradients of matrices_ instead of adding to them.
  virtual bool overwritesMatrixGradients() const { return false; }
  /// Clears the gradients to which a pass with overwriteGradients adds. It overwrites those of matrices_ if
  /// overwritesMatrixGradients().
  void clearGradients(float* gradients, const ParameterTable&) const;
  /// Makes a decoder for work groups of up to `threads` threads. The network must outlive it.
  virtual std::unique_ptr<Decoder> decoder(int streams, int threads) const = 0;

  /// Floats of the panels of all matrices.
  size_t panelsSize() const;
  /// Assigns the panels of all matrices within `memory`, panelsSize() floats.
  void assignPanels(float* memory);
  /// Packs the current weights of matrices first, first + stride, … into their panels.
  void pack(int first, int stride) const;

  const Config config;
  const Kernels& kernels;
  /// All parameters, as ParameterTable places them. Set by Trainer.
  const float* weights = nullptr;

 protected:
  /// The loss of one token in nats, from its logits (V), which are overwritten.
  float tokenLoss(float* logits, uint32_t target) const {
    return static_cast<float>(kernels.crossEntropy(1, config.vocabulary, logits, &target, 0));
  }
  /// The matrices to pack, filled by the constructor.
  std::vector<Matrix*> matrices_;
};

/// The values that Config::architecture may have.
std::vector<std::string> architectures();
/// Makes the network of an architecture. Throws std::runtime_error if the architecture is unknown, or if a setting or
/// parameter that it needs is missing.
std::unique_ptr<Network> makeNetwork(const Config&, const Kernels&, const ParameterTable&);

/// Dropout probability p as the threshold that Philox's 16-bit numbers are compared with: p rounded to 1/65536.
inline uint32_t dropoutThreshold(float p) { return static_cast<uint32_t>(p * 65536.0f + 0.5f); }

}  // namespace engine
