// A network with its weights, gradients and moments, and the threads that work on them.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "network.hpp"
#include "pool.hpp"

namespace engine {

/// inputs and, where a loss is wanted, targets: sequences × length tokens
struct Batch {
  const uint32_t *inputs, *targets;
  int sequences, length;
  /// as Pass has them
  const float* state = nullptr;
  float* stateAfter = nullptr;
};

/// multiply-adds of a decoder's step from which on threads that share them are faster than one alone
constexpr size_t kSharedWork = 1 << 19;

struct StepOptions {
  double learningRate, beta1, beta2, epsilon, weightDecay;
  /// 0: never
  double clip;
  /// sequences that all threads take at a time together; 0: the network's choice
  int microbatch;
  uint32_t dropoutSeed;
};

struct StepResult {
  double loss, gradientNorm;
};

class Trainer {
 public:
  Trainer(const Config& config, const Kernels& kernels, Slots slots, int threads);

  /// Forward, backward, clip, AdamW. Where loss or norm is not finite, nothing is updated.
  StepResult trainStep(const Batch&, const StepOptions&);
  /// mean over tokens, without dropout
  double loss(const Batch&);
  /// and gradients, parameters one after the other
  double gradients(const Batch&, float* out);
  /// sequences × length × V
  void logits(const Batch&, float* out);
  std::unique_ptr<Decoder> decoder(int streams);
  /// a token of each of its streams; the same numbers for any number of threads
  void decode(Decoder&, int streams, const uint32_t* tokens, float* logits);

  enum class State { weights, first, second };
  /// parameters one after the other
  void read(State, float* out);
  void write(State, const float* in);
  int64_t step() const { return step_; }
  void setStep(int64_t step) { step_ = step; }
  size_t parameters() const { return parameters_; }
  size_t stateWidth() const { return network_->stateWidth(); }

  /// bytes at the peak of training on batches of so many sequences of config.block tokens; microbatch as in StepOptions
  static double memory(const Config&, const Kernels&, const Slots&, int threads, int batch, int microbatch);

  std::mutex busy;

 private:
  /// weights may have changed since they were packed
  void prepare();
  /// a stretch of a parameter: what threads share the work of an update by
  struct Piece {
    size_t offset, size;
    bool decay;
  };
  struct Plan {
    bool gradients = false, dropout = false;
    uint32_t dropoutSeed = 0;
    float* logits = nullptr;
    int microbatch = 0;
  };
  float* state(State);
  /// the mean loss; gradients of thread t are in gradients_[t]
  double run(const Batch&, const Plan&);
  void reduce();

  const Slots slots_;
  Pool pool_;
  Meeting meeting_;
  std::unique_ptr<Network> network_;
  size_t parameters_ = 0;
  std::vector<Piece> pieces_;
  std::vector<double> pieceSquares_;
  Floats weights_, first_, second_, panels_;
  std::vector<Floats> gradients_;
  std::vector<std::unique_ptr<Workspace>> workspaces_;
  bool packed_ = false;
  int64_t step_ = 0;
};

}  // namespace engine
