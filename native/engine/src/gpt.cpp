// GPT as GPT-2 has it: learned positions, pre-LayerNorm, causal attention, GELU (tanh form), head tied to the
// embedding.
//
// B sequences of T tokens are taken as R = B·T rows of C numbers. What the backward pass needs and is dear to compute
// again is kept for each layer (10·C numbers a token); LayerNorm outputs, GELU and attention probabilities are computed
// twice instead, which costs less than moving them through memory.
#include <algorithm>
#include <cmath>

#include "gpt.hpp"

namespace engine {
namespace {

// floats of logits that exist at a time
constexpr int kLogits = 1 << 16;

// What a layer keeps of its forward pass.
struct Kept {
  float* x;  // R × C, its input
  float *mean1, *rstd1;
  float* qkv;                // R × 3C
  float *largest, *inverse;  // B × heads × T, of attention's scores
  float* attended;           // R × C
  float* middle;             // R × C, after attention
  float *mean2, *rstd2;
  float* hidden;  // R × 4C, before GELU
};

struct GptWorkspace : Workspace {
  std::vector<Kept> layers;
  float *x, *mean, *rstd;        // after the last layer
  float *normal, *dnormal, *dx;  // R × C
  float* branch;                 // R × C
  float *wide, *dwide;           // R × 4C
  float* logits;                 // rows at a time × V
  float* attention;              // scratch of one head
  float* scratch;
};

class Gpt final : public Network {
 public:
  Gpt(const Config& config, const Kernels& kernels, const Slots& slots);

  std::unique_ptr<Workspace> workspace(int sequences, int length, bool training) const override;
  size_t workspaceSize(int sequences, int length, bool training) const override {
    GptWorkspace w;
    return place(w, nullptr, sequences, length, training);
  }
  int bestMicrobatch(int length) const override;
  double pass(Workspace&, const Pass&) const override;
  bool writesGradients() const override { return true; }
  std::unique_ptr<Decoder> decoder(int streams, int threads) const override {
    return makeGptDecoder(*this, {wte_, wpe_, blocks_, final_, heads_, bias_}, streams, threads);
  }

 private:
  enum Site { kAttention, kAttentionOut, kContract, kEmbedding };

  size_t place(GptWorkspace&, float* memory, int sequences, int length, bool training) const;
  int logitRows() const { return std::max(16, kLogits / config.vocabulary); }

  const float* at(size_t offset) const { return weights + offset; }
  const float* biasAt(size_t offset) const { return bias_ ? weights + offset : nullptr; }
  float* biasAt(float* gradients, size_t offset) const { return bias_ ? gradients + offset : nullptr; }
  MaskKey key(const Pass& p, int sequence, int layer, Site site) const {
    return {p.seed, p.step, static_cast<uint32_t>(p.firstSequence + sequence), static_cast<uint32_t>(layer * 4 + site)};
  }

  void linear(int R, const Linear& l, const float* x, float* out, const float* addend) const;
  void inputGradient(int R, const Linear& l, const float* dout, float* dx) const;
  void weightGradient(GptWorkspace& w, int R, const Linear& l, const float* x, const float* dout, const Pass& p) const;
  void normalizedBackward(GptWorkspace& w, const Pass& p, const Norm& norm, const Linear& linear, const float* x,
                          const float* mean, const float* rstd, const float* dout) const;
  void dropRows(const Pass& p, int layer, Site site, const float* x, float* out) const;
  void embed(GptWorkspace& w, const Pass& p) const;
  void embedBackward(GptWorkspace& w, const Pass& p) const;
  AttentionHead attentionHead(const Pass& p, const float* qkv, int layer, int sequence, int head) const;
  void attend(GptWorkspace& w, const Pass& p, int layer) const;
  void attendBackward(GptWorkspace& w, const Pass& p, int layer, const float* dattended, float* dqkv) const;
  void block(GptWorkspace& w, const Pass& p, int layer) const;
  void blockBackward(GptWorkspace& w, const Pass& p, int layer) const;
  double head(GptWorkspace& w, const Pass& p) const;

  Matrix wte_;
  size_t wpe_;
  std::vector<Block> blocks_;
  Norm final_;
  const int C_, heads_, headWidth_;
  const float scale_;
  const bool bias_;
  /// attention's products are of fp32 whatever those of the weights are: they are short, and rounding would cost more
  const Kernels& exact_;
};

Gpt::Gpt(const Config& config, const Kernels& kernels, const Slots& slots)
    : Network(config, kernels),
      C_(config.width),
      heads_(config.count("heads")),
      headWidth_(C_ / heads_),
      scale_(1.0f / std::sqrt(static_cast<float>(headWidth_))),
      bias_(config.setting("bias") != 0),
      exact_(*kernels.fp32) {
  if (C_ % heads_ != 0) throw std::runtime_error("heads do not divide the width");
  const auto vector = [&](const std::string& name, int size) { return bias_ ? slots.offset(name, size) : 0; };
  const auto norm = [&](const std::string& name) {
    return Norm{slots.offset(name + ".weight", C_), vector(name + ".bias", C_)};
  };
  const auto linear = [&](const std::string& name, int in, int out) {
    Linear l;
    l.weight = Matrix{in, out, slots.offset(name + ".weight", static_cast<size_t>(in) * out)};
    l.bias = vector(name + ".bias", out);
    return l;
  };
  wte_ = Matrix{config.vocabulary, C_,
                slots.offset("transformer.wte.weight", static_cast<size_t>(config.vocabulary) * C_)};
  wpe_ = slots.offset("transformer.wpe.weight", static_cast<size_t>(config.block) * C_);
  for (int i = 0; i < config.layers; i++) {
    const std::string h = "transformer.h." + std::to_string(i);
    blocks_.push_back({norm(h + ".ln_1"), norm(h + ".ln_2"), linear(h + ".attn.c_attn", C_, 3 * C_),
                       linear(h + ".attn.c_proj", C_, C_), linear(h + ".mlp.c_fc", C_, 4 * C_),
                       linear(h + ".mlp.c_proj", 4 * C_, C_)});
  }
  final_ = norm("transformer.ln_f");
  matrices_.push_back(&wte_);
  for (Block& b : blocks_)
    for (Linear* l : {&b.attention, &b.attentionOut, &b.expand, &b.contract}) matrices_.push_back(&l->weight);
}

// ── buffers ────────────────────────────────────────────────────────────────────────────────────────────────────────

size_t Gpt::place(GptWorkspace& w, float* memory, int sequences, int T, bool training) const {
  Arena arena(memory);
  const size_t R = static_cast<size_t>(sequences) * T, C = C_;
  w.layers.resize(config.layers);
  for (int i = 0; i < config.layers; i++) {
    // without a backward pass one layer's buffers serve all
    if (i > 0 && !training) {
      w.layers[i] = w.layers[0];
      continue;
    }
    Kept& k = w.layers[i];
    k.x = arena.take(R * C);
    k.mean1 = arena.take(R);
    k.rstd1 = arena.take(R);
    k.qkv = arena.take(R * 3 * C);
    k.largest = arena.take(R * heads_);
    k.inverse = arena.take(R * heads_);
    k.attended = arena.take(R * C);
    k.middle = arena.take(R * C);
    k.mean2 = arena.take(R);
    k.rstd2 = arena.take(R);
    k.hidden = arena.take(R * 4 * C);
  }
  w.x = training ? arena.take(R * C) : w.layers[0].x;
  w.mean = arena.take(R);
  w.rstd = arena.take(R);
  w.normal = arena.take(R * C);
  w.dnormal = arena.take(training ? R * C : 0);
  w.dx = arena.take(training ? R * C : 0);
  w.branch = arena.take(R * C);
  w.wide = arena.take(R * 4 * C);
  w.dwide = arena.take(training ? R * 4 * C : 0);
  w.logits = arena.take(static_cast<size_t>(std::min<size_t>(logitRows(), R)) * config.vocabulary);
  w.attention = arena.take(exact_.attentionScratch(headWidth_, T));
  w.scratch = arena.take(kernels.gradientScratch());
  return arena.used();
}

std::unique_ptr<Workspace> Gpt::workspace(int sequences, int length, bool training) const {
  auto w = std::make_unique<GptWorkspace>();
  w->memory = Floats(place(*w, nullptr, sequences, length, training));
  place(*w, w->memory.data(), sequences, length, training);
  w->sequences = sequences;
  w->length = length;
  w->training = training;
  return w;
}

// Enough rows for the products to run at speed, few enough for a layer to stay in the second-level cache.
int Gpt::bestMicrobatch(int length) const { return std::max(1, 128 / length); }

// ── pieces ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/// out = x·W + b (+ addend)
void Gpt::linear(int R, const Linear& l, const float* x, float* out, const float* addend) const {
  kernels.product(R, l.weight.columns, l.weight.rows, x, l.weight.rows, l.weight.panels, l.weight.rows, out,
                  l.weight.columns, {addend, l.weight.columns, biasAt(l.bias)});
}

/// dx = dout·Wᵀ
void Gpt::inputGradient(int R, const Linear& l, const float* dout, float* dx) const {
  const int in = l.weight.rows, out = l.weight.columns;
  kernels.product(R, in, out, dout, out, l.weight.transposedPanels, out, dx, in, {});
}

/// dW += xᵀ·dout, db += Σ dout
void Gpt::weightGradient(GptWorkspace& w, int R, const Linear& l, const float* x, const float* dout,
                         const Pass& p) const {
  const int in = l.weight.rows, out = l.weight.columns;
  kernels.accumulateGradient(in, out, R, x, in, dout, out, p.gradients + l.weight.offset, out, p.first, w.scratch);
  if (bias_) kernels.addColumnSums(R, out, dout, out, p.gradients + l.bias);
}

/// w.dx += the gradient, through `linear` and the LayerNorm of x before it, of dout
void Gpt::normalizedBackward(GptWorkspace& w, const Pass& p, const Norm& norm, const Linear& linear, const float* x,
                             const float* mean, const float* rstd, const float* dout) const {
  const int R = p.sequences * p.length;
  inputGradient(R, linear, dout, w.dnormal);
  kernels.layerNormBackward(R, C_, x, at(norm.gain), biasAt(norm.bias), mean, rstd, w.dnormal, w.dx, w.dx,
                            p.gradients + norm.gain, biasAt(p.gradients, norm.bias), w.normal);
  weightGradient(w, R, linear, w.normal, dout, p);
}

void Gpt::dropRows(const Pass& p, int layer, Site site, const float* x, float* out) const {
  const long size = static_cast<long>(p.length) * C_;
  for (int s = 0; s < p.sequences; s++)
    kernels.dropout(size, x + s * size, out + s * size, dropoutThreshold(config.dropout), key(p, s, layer, site));
}

void Gpt::embed(GptWorkspace& w, const Pass& p) const {
  float* x = w.layers[0].x;
  for (int r = 0; r < p.sequences * p.length; r++) {
    const float* token = at(wte_.offset) + static_cast<size_t>(p.inputs[r]) * C_;
    const float* position = at(wpe_) + static_cast<size_t>(r % p.length) * C_;
    for (int c = 0; c < C_; c++) x[static_cast<size_t>(r) * C_ + c] = token[c] + position[c];
  }
  if (p.dropout) dropRows(p, 0, kEmbedding, x, x);
}

void Gpt::embedBackward(GptWorkspace& w, const Pass& p) const {
  if (p.dropout) dropRows(p, 0, kEmbedding, w.dx, w.dx);
  for (int r = 0; r < p.sequences * p.length; r++) {
    const float* d = w.dx + static_cast<size_t>(r) * C_;
    kernels.add(C_, d, p.gradients + wte_.offset + static_cast<size_t>(p.inputs[r]) * C_);
    kernels.add(C_, d, p.gradients + wpe_ + static_cast<size_t>(r % p.length) * C_);
  }
}

AttentionHead Gpt::attentionHead(const Pass& p, const float* qkv, int layer, int s, int h) const {
  const float* q = qkv + static_cast<size_t>(s) * p.length * 3 * C_ + h * headWidth_;
  return {p.length,   headWidth_,
          q,          q + C_,
          q + 2 * C_, 3 * C_,
          scale_,     p.dropout ? dropoutThreshold(config.dropout) : 0,
          h,          key(p, s, layer, kAttention)};
}

void Gpt::attend(GptWorkspace& w, const Pass& p, int layer) const {
  const Kept& k = w.layers[layer];
  for (int s = 0; s < p.sequences; s++)
    for (int h = 0; h < heads_; h++) {
      const size_t queries = (static_cast<size_t>(s) * heads_ + h) * p.length;
      const size_t row = static_cast<size_t>(s) * p.length * C_ + h * headWidth_;
      exact_.attend(attentionHead(p, k.qkv, layer, s, h), k.attended + row, C_, k.largest + queries,
                    k.inverse + queries, w.attention);
    }
}

void Gpt::attendBackward(GptWorkspace& w, const Pass& p, int layer, const float* dattended, float* dqkv) const {
  const Kept& k = w.layers[layer];
  for (int s = 0; s < p.sequences; s++)
    for (int h = 0; h < heads_; h++) {
      const size_t queries = (static_cast<size_t>(s) * heads_ + h) * p.length;
      const size_t row = static_cast<size_t>(s) * p.length * C_ + h * headWidth_;
      float* dq = dqkv + static_cast<size_t>(s) * p.length * 3 * C_ + h * headWidth_;
      exact_.attendBackward(attentionHead(p, k.qkv, layer, s, h), k.attended + row, dattended + row, C_,
                            k.largest + queries, k.inverse + queries, dq, dq + C_, dq + 2 * C_, w.attention);
    }
}

// ── a layer ────────────────────────────────────────────────────────────────────────────────────────────────────────

void Gpt::block(GptWorkspace& w, const Pass& p, int layer) const {
  const Block& b = blocks_[layer];
  const Kept& k = w.layers[layer];
  float* next = layer + 1 < config.layers ? w.layers[layer + 1].x : w.x;
  const int R = p.sequences * p.length;
  const long size = static_cast<long>(R) * C_;

  kernels.layerNorm(R, C_, k.x, at(b.norm1.gain), biasAt(b.norm1.bias), w.normal, k.mean1, k.rstd1);
  linear(R, b.attention, w.normal, k.qkv, nullptr);
  attend(w, p, layer);
  if (p.dropout) {
    linear(R, b.attentionOut, k.attended, k.middle, nullptr);
    dropRows(p, layer, kAttentionOut, k.middle, k.middle);
    kernels.add(size, k.x, k.middle);
  } else {
    linear(R, b.attentionOut, k.attended, k.middle, k.x);
  }

  kernels.layerNorm(R, C_, k.middle, at(b.norm2.gain), biasAt(b.norm2.bias), w.normal, k.mean2, k.rstd2);
  linear(R, b.expand, w.normal, k.hidden, nullptr);
  kernels.gelu(4 * size, k.hidden, w.wide);
  if (p.dropout) {
    linear(R, b.contract, w.wide, next, nullptr);
    dropRows(p, layer, kContract, next, next);
    kernels.add(size, k.middle, next);
  } else {
    linear(R, b.contract, w.wide, next, k.middle);
  }
}

/// w.dx: in, the gradient of what the layer gave; out, of what it was given
void Gpt::blockBackward(GptWorkspace& w, const Pass& p, int layer) const {
  const Block& b = blocks_[layer];
  const Kept& k = w.layers[layer];
  const int R = p.sequences * p.length;
  const long size = static_cast<long>(R) * C_;
  const auto branchGradient = [&](Site site) -> const float* {
    if (!p.dropout) return w.dx;
    dropRows(p, layer, site, w.dx, w.branch);
    return w.branch;
  };

  const float* dout = branchGradient(kContract);
  inputGradient(R, b.contract, dout, w.dwide);
  kernels.geluBackward(4 * size, k.hidden, w.wide, w.dwide);
  weightGradient(w, R, b.contract, w.wide, dout, p);
  normalizedBackward(w, p, b.norm2, b.expand, k.middle, k.mean2, k.rstd2, w.dwide);

  dout = branchGradient(kAttentionOut);
  inputGradient(R, b.attentionOut, dout, w.dnormal);
  weightGradient(w, R, b.attentionOut, k.attended, dout, p);
  float* dqkv = w.dwide;
  attendBackward(w, p, layer, w.dnormal, dqkv);
  normalizedBackward(w, p, b.norm1, b.attention, k.x, k.mean1, k.rstd1, dqkv);
}

// ── the whole ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// Logits, loss and, where gradients are wanted, dnormal; some rows at a time, since V may be large.
double Gpt::head(GptWorkspace& w, const Pass& p) const {
  const int R = p.sequences * p.length, V = config.vocabulary;
  kernels.layerNorm(R, C_, w.x, at(final_.gain), biasAt(final_.bias), w.normal, w.mean, w.rstd);
  double loss = 0;
  for (int r = 0; r < R; r += logitRows()) {
    const int rows = std::min(logitRows(), R - r);
    const float* x = w.normal + static_cast<size_t>(r) * C_;
    float* logits = p.logits ? p.logits + static_cast<size_t>(r) * V : w.logits;
    kernels.product(rows, V, C_, x, C_, wte_.transposedPanels, C_, logits, V, {});
    if (p.logits) continue;
    loss += kernels.crossEntropy(rows, V, logits, p.targets + r, p.gradients ? p.gradientScale : 0.0f);
    if (!p.gradients) continue;
    kernels.product(rows, C_, V, logits, V, wte_.panels, V, w.dnormal + static_cast<size_t>(r) * C_, C_, {});
    kernels.accumulateGradient(V, C_, rows, logits, V, x, C_, p.gradients + wte_.offset, C_, p.first && r == 0,
                               w.scratch);
  }
  return loss;
}

double Gpt::pass(Workspace& workspace, const Pass& p) const {
  auto& w = static_cast<GptWorkspace&>(workspace);
  const int R = p.sequences * p.length;
  embed(w, p);
  for (int layer = 0; layer < config.layers; layer++) block(w, p, layer);
  const double loss = head(w, p);
  if (!p.gradients) return loss;
  kernels.layerNormBackward(R, C_, w.x, at(final_.gain), nullptr, w.mean, w.rstd, w.dnormal, nullptr, w.dx,
                            p.gradients + final_.gain, biasAt(p.gradients, final_.bias), nullptr);
  for (int layer = config.layers - 1; layer >= 0; layer--) blockBackward(w, p, layer);
  embedBackward(w, p);
  return loss;
}

}  // namespace

std::unique_ptr<Network> makeGpt(const Config& config, const Kernels& kernels, const Slots& slots) {
  return std::make_unique<Gpt>(config, kernels, slots);
}

}  // namespace engine
