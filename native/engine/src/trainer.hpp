// Trains and evaluates one model: owns its weights, gradients and AdamW moments, and the threads that work on them.
// The addon (addon/addon.cpp) makes one Trainer for each model.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "network.hpp"
#include "thread-pool.hpp"

namespace engine {

/// B = `sequences` sequences of T = `length` tokens. The caller owns all arrays.
struct Batch {
  /// (B,T) token ids. targets may be null if no loss is wanted.
  const uint32_t *inputs, *targets;
  int sequences, length;
  /// See Pass.
  const float* state = nullptr;
  float* stateAfter = nullptr;
};

/// A decoder step with at least this many multiply-adds is faster on all threads than on one.
constexpr size_t kMinSharedMultiplyAdds = 1 << 19;

/// Options of one training step. learningRate is the rate of this step; the schedule is in lib/engine.
struct StepOptions {
  double learningRate, beta1, beta2, epsilon, weightDecay;
  /// Largest norm of the gradient. 0: no clipping.
  double clip;
  /// Sequences that all threads together compute at a time. 0: the network chooses.
  int microbatch;
  uint32_t dropoutSeed;
};

/// Mean loss in nats per token, and norm of the gradient before clipping.
struct StepResult {
  double loss, gradientNorm;
};

/// Not thread-safe: callers on several threads hold `busy` while the trainer computes, reads or writes.
class Trainer {
 public:
  /// Throws std::runtime_error if the parameters do not fit the configuration, std::bad_alloc if memory is short.
  Trainer(const Config& config, const Kernels& kernels, ParameterTable table, int threads);

  /// Forward and backward pass, clipping, AdamW. If the loss or the norm is NaN or infinite, nothing is updated.
  StepResult trainStep(const Batch&, const StepOptions&);
  /// Mean loss in nats per token, without dropout.
  double loss(const Batch&);
  /// Returns the same loss, and writes its gradients to out (parameterCount()), in the order of the parameters, without
  /// padding.
  double gradients(const Batch&, float* out);
  /// Writes the loss of each token to out (B,T), in nats. Returns their mean.
  double tokenLosses(const Batch&, float* out);
  /// Writes the logits to out (B,T,V).
  void logits(const Batch&, float* out);
  /// Makes a decoder of `streams` independent streams. The trainer must outlive it.
  std::unique_ptr<Decoder> decoder(int streams);
  /// One decoder step: tokens (streams) → logits (streams,V). The results do not depend on the number of threads.
  void decode(Decoder&, int streams, const uint32_t* tokens, float* logits);

  enum class ParameterArray { weights, firstMoments, secondMoments };
  /// Copies an array of parameterCount() floats out or in, in the order of the parameters, without padding.
  void read(ParameterArray, float* out);
  void write(ParameterArray, const float* in);
  /// Number of updates so far.
  int64_t step() const { return step_; }
  void setStep(int64_t step) { step_ = step; }
  size_t parameterCount() const { return parameterCount_; }
  size_t stateWidth() const { return network_->stateWidth(); }

  /// Estimated peak memory, in bytes, of training on `batch` sequences of config.block tokens. Allocates none of it.
  /// For microbatch, see StepOptions.
  static double memory(const Config&, const Kernels&, const ParameterTable&, int threads, int batch, int microbatch);

  std::mutex busy;

 private:
  /// A part of one parameter: the unit by which threads divide the update.
  struct Chunk {
    size_t offset, size;
    bool decay;
  };
  /// Options of run(): whether to compute gradients and to apply dropout, the arrays for logits and for the losses of
  /// tokens (null: not wanted), and microbatch as in StepOptions.
  struct RunOptions {
    bool gradients = false, withDropout = false;
    uint32_t dropoutSeed = 0;
    float* logits = nullptr;
    float* losses = nullptr;
    int microbatch = 0;
  };
  /// Packs the weights if they have changed since they were packed.
  void ensurePacked();
  /// Makes sure that every thread has a large enough workspace, and a gradient array if gradients are wanted.
  void ensureBuffers(const Batch&, const RunOptions&, int sequencesPerPass);
  /// Allocates the moments, as zeros, if there are none.
  void ensureMoments();
  /// The array of all parameters of this kind, with padding.
  float* arrayOf(ParameterArray);
  /// Runs all sequences through the network. Returns the mean loss; the gradients of thread t are in gradients_[t].
  double run(const Batch&, const RunOptions&);
  /// One thread's part of run(). Returns the summed loss of its sequences.
  double runThread(int thread, const Batch&, const RunOptions&, int sequencesPerPass);
  /// Adds the gradients of all threads to those of thread 0, and computes chunkSquares_.
  void reduceGradients();
  /// Runs AdamW on all parameters with the gradients of thread 0. weightDecay applies to parameters with `decay`.
  void update(const AdamW&, float weightDecay);

  const ParameterTable table_;
  ThreadPool pool_;
  SpinBarrier barrier_;
  std::unique_ptr<Network> network_;
  size_t parameterCount_ = 0;
  std::vector<Chunk> chunks_;
  std::vector<double> chunkSquares_;  // Σ of squared gradients of each chunk
  AlignedBuffer weights_, firstMoments_, secondMoments_, panels_;
  std::vector<AlignedBuffer> gradients_;                // one array a thread
  std::vector<std::unique_ptr<Workspace>> workspaces_;  // one a thread
  bool packed_ = false;
  int64_t step_ = 0;
};

}  // namespace engine
