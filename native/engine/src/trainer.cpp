// A step is three rounds of the pool:
//
//   1  each thread takes its share of the sequences, a microbatch at a time, into gradients of its own
//   2  gradients are added up and their norm taken, each thread a share of the parameters
//   3  AdamW and packing, likewise
//
// Shares are fixed by the number of threads alone, and sums are always in the same order: the same threads, the same
// bits.
#include "trainer.hpp"

#include <algorithm>
#include <cmath>

namespace engine {
namespace {

constexpr size_t kPiece = 16384;

/// sequences a thread takes at a time
int eachMicrobatch(const Network& network, int sequences, int length, int threads, int microbatch) {
  const int share = (sequences + threads - 1) / threads;
  const int wanted = microbatch > 0 ? (microbatch + threads - 1) / threads : network.bestMicrobatch(length);
  // as even as they can be: 15 and 1 take as long as 16 and 15
  const int passes = (share + wanted - 1) / wanted;
  return (share + passes - 1) / passes;
}

}  // namespace

Trainer::Trainer(const Config& config, const Kernels& kernels, Slots slots, int threads)
    : slots_(std::move(slots)), pool_(threads), meeting_(threads), network_(makeNetwork(config, kernels, slots_)) {
  weights_ = Floats(slots_.total());
  for (const Slot& slot : slots_.list()) {
    parameters_ += slot.size;
    for (size_t i = 0; i < slot.size; i += kPiece)
      pieces_.push_back({slot.offset + i, std::min(kPiece, slot.size - i), slot.decay});
  }
  pieceSquares_.resize(pieces_.size());
  panels_ = Floats(network_->panelsSize());
  network_->weights = weights_.data();
  network_->placePanels(panels_.data());
  workspaces_.resize(threads);
  gradients_.resize(threads);
}

void Trainer::prepare() {
  if (packed_) return;
  pool_.run([&](int thread) { network_->pack(thread, pool_.threads()); });
  packed_ = true;
}

double Trainer::run(const Batch& batch, const Plan& plan) {
  const int threads = pool_.threads();
  const int each = eachMicrobatch(*network_, batch.sequences, batch.length, threads, plan.microbatch);
  for (int thread = 0; thread < threads; thread++) {
    auto& w = workspaces_[thread];
    if (!w || w->sequences < each || w->length < batch.length || (plan.gradients && !w->training)) {
      const int sequences = w ? std::max(w->sequences, each) : each;
      const int length = w ? std::max(w->length, batch.length) : batch.length;
      const bool training = plan.gradients || (w && w->training);
      w.reset();
      w = network_->workspace(sequences, length, training);
    }
    if (plan.gradients && gradients_[thread].size() == 0) gradients_[thread] = Floats(slots_.total());
  }
  prepare();

  std::vector<double> losses(threads);
  pool_.run([&](int thread) {
    float* gradients = plan.gradients ? gradients_[thread].data() : nullptr;
    const Share share(batch.sequences, thread, threads);
    if (gradients && share.begin < share.end)
      network_->clearGradients(gradients, slots_);
    else if (gradients)
      std::fill_n(gradients, slots_.total(), 0.0f);
    for (int s = share.begin; s < share.end; s += each) {
      const size_t token = static_cast<size_t>(s) * batch.length;
      Pass pass;
      pass.inputs = batch.inputs + token;
      pass.targets = batch.targets ? batch.targets + token : nullptr;
      pass.sequences = std::min(each, share.end - s);
      pass.length = batch.length;
      pass.firstSequence = s;
      pass.gradients = gradients;
      pass.first = s == share.begin;
      pass.gradientScale = 1.0f / (static_cast<float>(batch.sequences) * batch.length);
      pass.dropout = plan.dropout && network_->config.dropout > 0;
      pass.seed = plan.dropoutSeed;
      pass.step = static_cast<uint32_t>(step_);
      pass.logits = plan.logits ? plan.logits + token * network_->config.vocabulary : nullptr;
      pass.state = batch.state;
      pass.stateAfter = batch.stateAfter;
      pass.batch = batch.sequences;
      losses[thread] += network_->pass(*workspaces_[thread], pass);
    }
  });
  double loss = 0;
  for (const double l : losses) loss += l;
  return loss / (static_cast<double>(batch.sequences) * batch.length);
}

/// gradients of all threads into those of the first, and the squares of each piece
void Trainer::reduce() {
  const int threads = pool_.threads();
  const Kernels& k = network_->kernels;
  pool_.run([&](int thread) {
    const Share share(pieces_.size(), thread, threads);
    for (int i = share.begin; i < share.end; i++) {
      const Piece& piece = pieces_[i];
      float* sum = gradients_[0].data() + piece.offset;
      for (int other = 1; other < threads; other++)
        k.add(static_cast<long>(piece.size), gradients_[other].data() + piece.offset, sum);
      pieceSquares_[i] = k.sumOfSquares(static_cast<long>(piece.size), sum);
    }
  });
}

StepResult Trainer::trainStep(const Batch& batch, const StepOptions& options) {
  if (first_.size() == 0) {
    first_ = Floats(slots_.total());
    second_ = Floats(slots_.total());
  }
  StepResult result;
  Plan plan;
  plan.gradients = plan.dropout = true;
  plan.dropoutSeed = options.dropoutSeed;
  plan.microbatch = options.microbatch;
  result.loss = run(batch, plan);
  reduce();
  double squares = 0;
  for (const double s : pieceSquares_) squares += s;
  result.gradientNorm = std::sqrt(squares);
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradientNorm)) return result;

  step_++;
  AdamW settings;
  settings.learningRate = static_cast<float>(options.learningRate);
  settings.beta1 = static_cast<float>(options.beta1);
  settings.beta2 = static_cast<float>(options.beta2);
  settings.epsilon = static_cast<float>(options.epsilon);
  settings.correction1 = static_cast<float>(1 - std::pow(options.beta1, static_cast<double>(step_)));
  settings.correction2 = static_cast<float>(1 - std::pow(options.beta2, static_cast<double>(step_)));
  // as torch.nn.utils.clip_grad_norm_
  settings.gradientScale =
      options.clip > 0 ? static_cast<float>(std::min(1.0, options.clip / (result.gradientNorm + 1e-6))) : 1.0f;
  const int threads = pool_.threads();
  pool_.run([&](int thread) {
    const Share share(pieces_.size(), thread, threads);
    for (int i = share.begin; i < share.end; i++) {
      const Piece& piece = pieces_[i];
      AdamW s = settings;
      s.weightDecay = piece.decay ? static_cast<float>(options.weightDecay) : 0.0f;
      network_->kernels.adamw(static_cast<long>(piece.size), weights_.data() + piece.offset,
                              gradients_[0].data() + piece.offset, first_.data() + piece.offset,
                              second_.data() + piece.offset, s);
    }
  });
  packed_ = false;
  return result;
}

double Trainer::loss(const Batch& batch) { return run(batch, {}); }

double Trainer::gradients(const Batch& batch, float* out) {
  Plan plan;
  plan.gradients = true;
  const double loss = run(batch, plan);
  reduce();
  for (const Slot& slot : slots_.list()) out = std::copy_n(gradients_[0].data() + slot.offset, slot.size, out);
  return loss;
}

void Trainer::logits(const Batch& batch, float* out) {
  Plan plan;
  plan.logits = out;
  run(batch, plan);
}

std::unique_ptr<Decoder> Trainer::decoder(int streams) { return network_->decoder(streams, pool_.threads()); }

void Trainer::decode(Decoder& decoder, int streams, const uint32_t* tokens, float* logits) {
  prepare();
  if (pool_.threads() == 1 || parameters_ * streams < kSharedWork) return decoder.step(tokens, logits, {});
  pool_.run([&](int thread) { decoder.step(tokens, logits, {thread, pool_.threads(), &meeting_}); });
}

float* Trainer::state(State which) {
  if (which == State::weights) return weights_.data();
  if (first_.size() == 0) {
    first_ = Floats(slots_.total());
    second_ = Floats(slots_.total());
  }
  return which == State::first ? first_.data() : second_.data();
}

void Trainer::read(State which, float* out) {
  const float* from = state(which);
  for (const Slot& slot : slots_.list()) out = std::copy_n(from + slot.offset, slot.size, out);
}

void Trainer::write(State which, const float* in) {
  float* to = state(which);
  for (const Slot& slot : slots_.list()) {
    std::copy_n(in, slot.size, to + slot.offset);
    in += slot.size;
  }
  if (which == State::weights) packed_ = false;
}

double Trainer::memory(const Config& config, const Kernels& kernels, const Slots& slots, int threads, int batch,
                       int microbatch) {
  const auto network = makeNetwork(config, kernels, slots);
  const int each = eachMicrobatch(*network, batch, config.block, threads, microbatch);
  const double state = 3.0 * slots.total() + network->panelsSize();
  const double perThread = static_cast<double>(slots.total()) + network->workspaceSize(each, config.block, true);
  return sizeof(float) * (state + threads * perThread);
}

}  // namespace engine
