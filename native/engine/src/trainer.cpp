// A training step has three parallel sections:
//
//   1  Each thread runs its range of the sequences, some of them in each pass, into its own gradient array.
//   2  The gradient arrays are added up and the norm is computed. Each thread takes a range of the parameters.
//   3  AdamW, and the packing of weights before the next pass. Each thread takes a range again.
//
// Ranges depend on the number of threads alone, and sums are always taken in the same order. So the same number of
// threads gives the same bits.
#include "trainer.hpp"

#include <algorithm>
#include <cmath>

namespace engine {
namespace {

constexpr size_t kChunkSize = 16384;  // floats

/// Sequences that one thread computes in one pass. For microbatch, see StepOptions.
int sequencesPerPass(const Network& network, int sequences, int length, int threads, int microbatch) {
  const int largestRange = (sequences + threads - 1) / threads;
  const int wanted = microbatch > 0 ? (microbatch + threads - 1) / threads : network.bestSequencesPerPass(length);
  // Passes are as even as possible. Each pass reads every matrix, so 15 sequences and then 1 take as long as 16
  // and then 15.
  const int passes = (largestRange + wanted - 1) / wanted;
  return (largestRange + passes - 1) / passes;
}

/// The settings of update `step` (1, 2, …) that are the same for all parameters: all but weightDecay.
AdamW adamwSettings(const StepOptions& options, int64_t step, double gradientNorm) {
  AdamW s = {};
  s.learningRate = static_cast<float>(options.learningRate);
  s.beta1 = static_cast<float>(options.beta1);
  s.beta2 = static_cast<float>(options.beta2);
  s.epsilon = static_cast<float>(options.epsilon);
  s.correction1 = static_cast<float>(1 - std::pow(options.beta1, static_cast<double>(step)));
  s.correction2 = static_cast<float>(1 - std::pow(options.beta2, static_cast<double>(step)));
  // Clips as torch.nn.utils.clip_grad_norm_ does.
  s.gradientScale = options.clip > 0 ? static_cast<float>(std::min(1.0, options.clip / (gradientNorm + 1e-6))) : 1.0f;
  return s;
}

}  // namespace

Trainer::Trainer(const Config& config, const Kernels& kernels, ParameterTable table, int threads)
    : table_(std::move(table)), pool_(threads), barrier_(threads), network_(makeNetwork(config, kernels, table_)) {
  weights_ = AlignedBuffer(table_.total());
  for (const Parameter& parameter : table_.list()) {
    parameterCount_ += parameter.size;
    for (size_t i = 0; i < parameter.size; i += kChunkSize)
      chunks_.push_back({parameter.offset + i, std::min(kChunkSize, parameter.size - i), parameter.decay});
  }
  chunkSquares_.resize(chunks_.size());
  panels_ = AlignedBuffer(network_->panelsSize());
  network_->weights = weights_.data();
  network_->assignPanels(panels_.data());
  workspaces_.resize(threads);
  gradients_.resize(threads);
}

void Trainer::ensurePacked() {
  if (packed_) return;
  pool_.run([&](int thread) { network_->pack(thread, pool_.threads()); });
  packed_ = true;
}

void Trainer::ensureMoments() {
  if (firstMoments_.size() > 0) return;
  firstMoments_ = AlignedBuffer(table_.total());
  secondMoments_ = AlignedBuffer(table_.total());
}

void Trainer::ensureBuffers(const Batch& batch, const RunOptions& options, int perPass) {
  for (int thread = 0; thread < pool_.threads(); thread++) {
    auto& w = workspaces_[thread];
    if (!w || w->sequences < perPass || w->length < batch.length || (options.gradients && !w->training)) {
      const int sequences = w ? std::max(w->sequences, perPass) : perPass;
      const int length = w ? std::max(w->length, batch.length) : batch.length;
      const bool training = options.gradients || (w && w->training);
      w.reset();
      w = network_->workspace(sequences, length, training);
    }
    if (options.gradients && gradients_[thread].size() == 0) gradients_[thread] = AlignedBuffer(table_.total());
  }
}

double Trainer::run(const Batch& batch, const RunOptions& options) {
  const int threads = pool_.threads();
  const int perPass = sequencesPerPass(*network_, batch.sequences, batch.length, threads, options.microbatch);
  ensureBuffers(batch, options, perPass);
  ensurePacked();
  std::vector<double> losses(threads);
  pool_.run([&](int thread) { losses[thread] = runThread(thread, batch, options, perPass); });
  double loss = 0;
  for (const double l : losses) loss += l;
  return loss / (static_cast<double>(batch.sequences) * batch.length);
}

double Trainer::runThread(int thread, const Batch& batch, const RunOptions& options, int perPass) {
  float* gradients = options.gradients ? gradients_[thread].data() : nullptr;
  const Range range(batch.sequences, thread, pool_.threads());
  if (gradients && range.begin < range.end)
    network_->clearGradients(gradients, table_);
  else if (gradients)
    std::fill_n(gradients, table_.total(), 0.0f);
  double loss = 0;
  for (int s = range.begin; s < range.end; s += perPass) {
    const size_t token = static_cast<size_t>(s) * batch.length;
    Pass pass;
    pass.inputs = batch.inputs + token;
    pass.targets = batch.targets ? batch.targets + token : nullptr;
    pass.sequences = std::min(perPass, range.end - s);
    pass.length = batch.length;
    pass.firstSequence = s;
    pass.gradients = gradients;
    pass.overwriteGradients = s == range.begin;
    pass.gradientScale = 1.0f / (static_cast<float>(batch.sequences) * batch.length);
    pass.withDropout = options.withDropout && network_->config.dropout > 0;
    pass.seed = options.dropoutSeed;
    pass.step = static_cast<uint32_t>(step_);
    pass.logits = options.logits ? options.logits + token * network_->config.vocabulary : nullptr;
    pass.losses = options.losses ? options.losses + token : nullptr;
    pass.state = batch.state;
    pass.stateAfter = batch.stateAfter;
    pass.batch = batch.sequences;
    loss += network_->pass(*workspaces_[thread], pass);
  }
  return loss;
}

void Trainer::reduceGradients() {
  const int threads = pool_.threads();
  const Kernels& k = network_->kernels;
  pool_.run([&](int thread) {
    const Range range(chunks_.size(), thread, threads);
    for (int i = range.begin; i < range.end; i++) {
      const Chunk& chunk = chunks_[i];
      float* sum = gradients_[0].data() + chunk.offset;
      for (int other = 1; other < threads; other++)
        k.add(static_cast<long>(chunk.size), gradients_[other].data() + chunk.offset, sum);
      chunkSquares_[i] = k.sumOfSquares(static_cast<long>(chunk.size), sum);
    }
  });
}

void Trainer::update(const AdamW& settings, float weightDecay) {
  pool_.run([&](int thread) {
    const Range range(chunks_.size(), thread, pool_.threads());
    for (int i = range.begin; i < range.end; i++) {
      const Chunk& chunk = chunks_[i];
      AdamW s = settings;
      s.weightDecay = chunk.decay ? weightDecay : 0.0f;
      network_->kernels.adamw(static_cast<long>(chunk.size), weights_.data() + chunk.offset,
                              gradients_[0].data() + chunk.offset, firstMoments_.data() + chunk.offset,
                              secondMoments_.data() + chunk.offset, s);
    }
  });
  packed_ = false;
}

StepResult Trainer::trainStep(const Batch& batch, const StepOptions& options) {
  ensureMoments();
  RunOptions runOptions;
  runOptions.gradients = runOptions.withDropout = true;
  runOptions.dropoutSeed = options.dropoutSeed;
  runOptions.microbatch = options.microbatch;
  StepResult result;
  result.loss = run(batch, runOptions);
  reduceGradients();
  double squares = 0;
  for (const double s : chunkSquares_) squares += s;
  result.gradientNorm = std::sqrt(squares);
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradientNorm)) return result;

  step_++;
  update(adamwSettings(options, step_, result.gradientNorm), static_cast<float>(options.weightDecay));
  return result;
}

double Trainer::loss(const Batch& batch) { return run(batch, {}); }

double Trainer::gradients(const Batch& batch, float* out) {
  RunOptions options;
  options.gradients = true;
  const double loss = run(batch, options);
  reduceGradients();
  for (const Parameter& p : table_.list()) out = std::copy_n(gradients_[0].data() + p.offset, p.size, out);
  return loss;
}

double Trainer::tokenLosses(const Batch& batch, float* out) {
  RunOptions options;
  options.losses = out;
  return run(batch, options);
}

void Trainer::logits(const Batch& batch, float* out) {
  RunOptions options;
  options.logits = out;
  run(batch, options);
}

std::unique_ptr<Decoder> Trainer::decoder(int streams) { return network_->decoder(streams, pool_.threads()); }

void Trainer::decode(Decoder& decoder, int streams, const uint32_t* tokens, float* logits) {
  ensurePacked();
  if (pool_.threads() == 1 || parameterCount_ * streams < kMinSharedMultiplyAdds)
    return decoder.step(tokens, logits, {});
  pool_.run([&](int thread) { decoder.step(tokens, logits, {thread, pool_.threads(), &barrier_}); });
}

float* Trainer::arrayOf(ParameterArray which) {
  if (which == ParameterArray::weights) return weights_.data();
  ensureMoments();
  return which == ParameterArray::firstMoments ? firstMoments_.data() : secondMoments_.data();
}

void Trainer::read(ParameterArray which, float* out) {
  const float* from = arrayOf(which);
  for (const Parameter& p : table_.list()) out = std::copy_n(from + p.offset, p.size, out);
}

void Trainer::write(ParameterArray which, const float* in) {
  float* to = arrayOf(which);
  for (const Parameter& p : table_.list()) {
    std::copy_n(in, p.size, to + p.offset);
    in += p.size;
  }
  if (which == ParameterArray::weights) packed_ = false;
}

double Trainer::memory(const Config& config, const Kernels& kernels, const ParameterTable& table, int threads,
                       int batch, int microbatch) {
  const auto network = makeNetwork(config, kernels, table);
  const int sequences = sequencesPerPass(*network, batch, config.block, threads, microbatch);
  const double shared = 3.0 * table.total() + network->panelsSize();
  const double perThread = static_cast<double>(table.total()) + network->workspaceSize(sequences, config.block, true);
  return sizeof(float) * (shared + threads * perThread);
}

}  // namespace engine
