// GPT in the form of GPT-2 (Radford et al. 2019): pre-LayerNorm, causal attention, GELU (tanh form). Positions are
// learned embeddings, or rotate queries and keys (Su et al. 2021). The head's weight is the token embedding. Forward
// and backward pass follow llm.c's train_gpt2.c part by part.
//
// Shapes: B sequences of T tokens are R = B·T rows of C numbers; NH heads; V tokens in the vocabulary.
// Memory: each layer stores only the activations that are expensive to recompute, 10·C floats a token. The backward
// pass recomputes LayerNorm outputs, GELU and attention probabilities, which costs less than moving them through
// memory.
#include <algorithm>
#include <cmath>

#include "gpt-workspace.hpp"
#include "gpt.hpp"

namespace engine {
namespace {

// The logits buffer holds about this many floats: the head works on a group of rows at a time.
constexpr int kLogits = 1 << 16;

/// The network of a GPT. See Network for the contracts.
class Gpt final : public Network {
 public:
  Gpt(const Config& config, const Kernels& kernels, const ParameterTable& table);

  std::unique_ptr<Workspace> workspace(int sequences, int length, bool training) const override;
  size_t workspaceSize(int sequences, int length, bool training) const override {
    GptWorkspace w;
    return w.layOut(nullptr, shape(sequences, length, training), kernels);
  }
  int bestSequencesPerPass(int length) const override;
  double pass(Workspace&, const Pass&) const override;
  bool overwritesMatrixGradients() const override { return true; }
  std::unique_ptr<Decoder> decoder(int streams, int threads) const override {
    return makeGptDecoder(*this, {wte_, wpe_, layers_, lnf_, heads_, bias_, rotary_}, streams, threads);
  }

 private:
  // Dropout sites of a layer. The numbers select the masks, so they must not change.
  enum Site { kAttention, kAttnProj, kFcProj, kEmbedding };

  GptWorkspace::Shape shape(int sequences, int length, bool training) const {
    return {config.layers, C_, heads_, config.vocabulary, logitRows(), sequences, length, training, rotary_};
  }
  int logitRows() const { return std::max(16, kLogits / config.vocabulary); }

  const float* at(size_t offset) const { return weights + offset; }
  const float* biasAt(size_t offset) const { return bias_ ? weights + offset : nullptr; }
  float* biasAt(float* gradients, size_t offset) const { return bias_ ? gradients + offset : nullptr; }
  MaskKey key(const Pass& p, int sequence, int layer, Site site) const {
    return {p.seed, p.step, static_cast<uint32_t>(p.firstSequence + sequence), static_cast<uint32_t>(layer * 4 + site)};
  }

  void linearForward(int R, const Linear& l, const float* x, float* out, const float* addend) const;
  void linearBackwardInput(int R, const Linear& l, const float* dout, float* dx) const;
  void linearBackwardWeight(GptWorkspace& w, int R, const Linear& l, const float* x, const float* dout,
                            const Pass& p) const;
  void layerNormForward(int R, const LayerNorm& ln, const float* x, float* out, float* mean, float* rstd) const;
  void layerNormLinearBackward(GptWorkspace& w, const Pass& p, const LayerNorm& ln, const Linear& linear,
                               const float* x, const float* mean, const float* rstd, const float* dout) const;
  void dropoutRows(const Pass& p, int layer, Site site, const float* x, float* out) const;
  void projectAndAdd(const Pass& p, int layer, Site site, const Linear& l, const float* x, const float* residual,
                     float* out) const;
  const float* branchGradient(GptWorkspace& w, const Pass& p, int layer, Site site) const;

  void embedForward(GptWorkspace& w, const Pass& p) const;
  void embedBackward(GptWorkspace& w, const Pass& p) const;
  void rotate(const GptWorkspace& w, const Pass& p, float direction, float* qkv) const;
  AttentionHead attentionHead(const Pass& p, const float* qkv, int layer, int sequence, int head) const;
  void attentionForward(GptWorkspace& w, const Pass& p, int layer) const;
  void attentionBackward(GptWorkspace& w, const Pass& p, int layer, const float* dattnOut, float* dqkv) const;
  void attentionBranchForward(GptWorkspace& w, const Pass& p, int layer) const;
  void attentionBranchBackward(GptWorkspace& w, const Pass& p, int layer) const;
  void mlpBranchForward(GptWorkspace& w, const Pass& p, int layer, float* out) const;
  void mlpBranchBackward(GptWorkspace& w, const Pass& p, int layer) const;
  double headForwardBackward(GptWorkspace& w, const Pass& p) const;

  Matrix wte_;
  size_t wpe_ = 0;
  std::vector<GptLayer> layers_;
  LayerNorm lnf_;
  const int C_, heads_, headWidth_;
  const float scale_;
  const bool bias_, rotary_;
  /// Attention always uses fp32 products: they are short, and rounding to bf16 would cost more than it saves.
  const Kernels& fp32_;
};

Gpt::Gpt(const Config& config, const Kernels& kernels, const ParameterTable& table)
    : Network(config, kernels),
      C_(config.width),
      heads_(config.positiveInteger("heads")),
      headWidth_(C_ / heads_),
      scale_(1.0f / std::sqrt(static_cast<float>(headWidth_))),
      bias_(config.setting("bias") != 0),
      rotary_(config.isSecond("positions", "learned", "rotary")),
      fp32_(*kernels.fp32) {
  if (C_ % heads_ != 0) throw std::runtime_error("heads do not divide the width");
  if (rotary_ && headWidth_ % 2 != 0) throw std::runtime_error("rotary positions need heads of an even width");
  const auto vector = [&](const std::string& name, int size) { return bias_ ? table.offset(name, size) : 0; };
  const auto layerNorm = [&](const std::string& name) {
    return LayerNorm{table.offset(name + ".weight", C_), vector(name + ".bias", C_)};
  };
  const auto linear = [&](const std::string& name, int in, int out) {
    Linear l;
    l.weight = Matrix{in, out, table.offset(name + ".weight", static_cast<size_t>(in) * out)};
    l.bias = vector(name + ".bias", out);
    return l;
  };
  const size_t V = config.vocabulary;
  wte_ = Matrix{config.vocabulary, C_, table.offset("transformer.wte.weight", V * C_)};
  if (!rotary_) wpe_ = table.offset("transformer.wpe.weight", static_cast<size_t>(config.block) * C_);
  for (int i = 0; i < config.layers; i++) {
    const std::string h = "transformer.h." + std::to_string(i);
    layers_.push_back({layerNorm(h + ".ln_1"), layerNorm(h + ".ln_2"), linear(h + ".attn.c_attn", C_, 3 * C_),
                       linear(h + ".attn.c_proj", C_, C_), linear(h + ".mlp.c_fc", C_, 4 * C_),
                       linear(h + ".mlp.c_proj", 4 * C_, C_)});
  }
  lnf_ = layerNorm("transformer.ln_f");
  matrices_.push_back(&wte_);
  for (GptLayer& b : layers_)
    for (Linear* l : {&b.qkv, &b.attnProj, &b.fc, &b.fcProj}) matrices_.push_back(&l->weight);
}

// ── buffers ────────────────────────────────────────────────────────────────────────────────────────────────────────

std::unique_ptr<Workspace> Gpt::workspace(int sequences, int length, bool training) const {
  auto w = std::make_unique<GptWorkspace>();
  w->memory = AlignedBuffer(w->layOut(nullptr, shape(sequences, length, training), kernels));
  w->layOut(w->memory.data(), shape(sequences, length, training), kernels);
  if (rotary_) w->rotary.fill(length, headWidth_);
  w->sequences = sequences;
  w->length = length;
  w->training = training;
  return w;
}

// 128 rows are enough for products to run at full speed, and few enough for a layer's activations to stay in the L2
// cache.
int Gpt::bestSequencesPerPass(int length) const { return std::max(1, 128 / length); }

// ── linear layers, LayerNorm and dropout ───────────────────────────────────────────────────────────────────────────

/// x (R,in), weight (in,out), bias (out), addend (R,out) or null → out (R,out) = x·W + b + addend. out may be addend.
void Gpt::linearForward(int R, const Linear& l, const float* x, float* out, const float* addend) const {
  kernels.product(R, l.weight.columns, l.weight.rows, x, l.weight.rows, l.weight.panels, l.weight.rows, out,
                  l.weight.columns, {addend, l.weight.columns, biasAt(l.bias)});
}

/// dout (R,out), weight (in,out) → dx (R,in) = dout·Wᵀ. Overwrites dx.
void Gpt::linearBackwardInput(int R, const Linear& l, const float* dout, float* dx) const {
  const int in = l.weight.rows, out = l.weight.columns;
  kernels.product(R, in, out, dout, out, l.weight.transposedPanels, out, dx, in, {});
}

/// x (R,in), dout (R,out) → dW (in,out) += xᵀ·dout, db (out) += Σ over rows of dout
void Gpt::linearBackwardWeight(GptWorkspace& w, int R, const Linear& l, const float* x, const float* dout,
                               const Pass& p) const {
  const int in = l.weight.rows, out = l.weight.columns;
  kernels.accumulateGradient(in, out, R, x, in, dout, out, p.gradients + l.weight.offset, out, p.overwriteGradients,
                             w.gradientScratch);
  if (bias_) kernels.addColumnSums(R, out, dout, out, p.gradients + l.bias);
}

/// x (R,C) → out (R,C), mean (R), rstd (R)
void Gpt::layerNormForward(int R, const LayerNorm& ln, const float* x, float* out, float* mean, float* rstd) const {
  kernels.layerNorm(R, C_, x, at(ln.weight), biasAt(ln.bias), out, mean, rstd);
}

/// Backward of linear(LayerNorm(x)). x (R,C), mean (R), rstd (R), dout (R,out) → w.dx (R,C) += dx, and the gradients of
/// both. Overwrites w.dlnOut, and w.lnOut with the recomputed output of the LayerNorm.
void Gpt::layerNormLinearBackward(GptWorkspace& w, const Pass& p, const LayerNorm& ln, const Linear& linear,
                                  const float* x, const float* mean, const float* rstd, const float* dout) const {
  const int R = p.sequences * p.length;
  linearBackwardInput(R, linear, dout, w.dlnOut);
  kernels.layerNormBackward(R, C_, x, at(ln.weight), biasAt(ln.bias), mean, rstd, w.dlnOut, w.dx, w.dx,
                            p.gradients + ln.weight, biasAt(p.gradients, ln.bias), w.lnOut);
  linearBackwardWeight(w, R, linear, w.lnOut, dout, p);
}

/// Dropout with the masks of this site: x (R,C) → out (R,C). x may be out.
void Gpt::dropoutRows(const Pass& p, int layer, Site site, const float* x, float* out) const {
  const long size = static_cast<long>(p.length) * C_;
  for (int s = 0; s < p.sequences; s++)
    kernels.dropout(size, x + s * size, out + s * size, dropoutThreshold(config.dropout), key(p, s, layer, site));
}

/// End of a branch. x (R,in), residual (R,C) → out (R,C) = residual + dropout(x·W + b)
void Gpt::projectAndAdd(const Pass& p, int layer, Site site, const Linear& l, const float* x, const float* residual,
                        float* out) const {
  const int R = p.sequences * p.length;
  if (p.withDropout) {
    linearForward(R, l, x, out, nullptr);
    dropoutRows(p, layer, site, out, out);
    kernels.add(static_cast<long>(R) * C_, residual, out);
  } else {
    linearForward(R, l, x, out, residual);
  }
}

/// Returns the gradient of a branch's output (R,C): w.dx, with the dropout mask of that output applied.
const float* Gpt::branchGradient(GptWorkspace& w, const Pass& p, int layer, Site site) const {
  if (!p.withDropout) return w.dx;
  dropoutRows(p, layer, site, w.dx, w.dbranch);
  return w.dbranch;
}

// ── embedding ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// inputs (B,T), wte (V,C), wpe (block,C) → x (B,T,C) of the first layer
void Gpt::embedForward(GptWorkspace& w, const Pass& p) const {
  float* x = w.layers[0].x;
  for (int r = 0; r < p.sequences * p.length; r++) {
    float* row = x + static_cast<size_t>(r) * C_;
    std::copy_n(at(wte_.offset) + static_cast<size_t>(p.inputs[r]) * C_, C_, row);
    if (!rotary_) kernels.add(C_, at(wpe_) + static_cast<size_t>(r % p.length) * C_, row);
  }
  if (p.withDropout) dropoutRows(p, 0, kEmbedding, x, x);
}

/// w.dx (B,T,C) → dwte (V,C) +=, dwpe (block,C) += if positions are learned
void Gpt::embedBackward(GptWorkspace& w, const Pass& p) const {
  if (p.withDropout) dropoutRows(p, 0, kEmbedding, w.dx, w.dx);
  for (int r = 0; r < p.sequences * p.length; r++) {
    const float* d = w.dx + static_cast<size_t>(r) * C_;
    kernels.add(C_, d, p.gradients + wte_.offset + static_cast<size_t>(p.inputs[r]) * C_);
    if (!rotary_) kernels.add(C_, d, p.gradients + wpe_ + static_cast<size_t>(r % p.length) * C_);
  }
}

// ── attention ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// qkv (B,T,3C): rotates each q and k, in place, by its position in the window (direction 1), or back (−1).
void Gpt::rotate(const GptWorkspace& w, const Pass& p, float direction, float* qkv) const {
  if (!rotary_) return;
  for (int s = 0; s < p.sequences; s++)
    kernels.rotate(p.length, 2 * heads_, headWidth_, w.rotary.cosines, w.rotary.sines, direction,
                   qkv + static_cast<size_t>(s) * p.length * 3 * C_, 3 * C_);
}

/// Head h of sequence s within qkv (B,T,3C). A row holds q, k and v one after the other, each (NH,headWidth).
AttentionHead Gpt::attentionHead(const Pass& p, const float* qkv, int layer, int s, int h) const {
  const float* q = qkv + static_cast<size_t>(s) * p.length * 3 * C_ + h * headWidth_;
  const uint32_t threshold = p.withDropout ? dropoutThreshold(config.dropout) : 0;
  const MaskKey maskKey = key(p, s, layer, kAttention);
  return {p.length, headWidth_, q, q + C_, q + 2 * C_, 3 * C_, scale_, threshold, h, maskKey};
}

/// qkv (B,T,3C) → attnOut (B,T,C), rowMax (B,NH,T), rowSumInv (B,NH,T)
void Gpt::attentionForward(GptWorkspace& w, const Pass& p, int layer) const {
  const GptActivations& a = w.layers[layer];
  for (int s = 0; s < p.sequences; s++)
    for (int h = 0; h < heads_; h++) {
      const size_t queries = (static_cast<size_t>(s) * heads_ + h) * p.length;
      const size_t row = static_cast<size_t>(s) * p.length * C_ + h * headWidth_;
      fp32_.attention(attentionHead(p, a.qkv, layer, s, h), a.attnOut + row, C_, a.rowMax + queries,
                      a.rowSumInv + queries, w.attentionScratch);
    }
}

/// dattnOut (B,T,C) and the forward pass's qkv, attnOut, rowMax, rowSumInv → dqkv (B,T,3C). Overwrites dqkv.
void Gpt::attentionBackward(GptWorkspace& w, const Pass& p, int layer, const float* dattnOut, float* dqkv) const {
  const GptActivations& a = w.layers[layer];
  for (int s = 0; s < p.sequences; s++)
    for (int h = 0; h < heads_; h++) {
      const size_t queries = (static_cast<size_t>(s) * heads_ + h) * p.length;
      const size_t row = static_cast<size_t>(s) * p.length * C_ + h * headWidth_;
      float* dq = dqkv + static_cast<size_t>(s) * p.length * 3 * C_ + h * headWidth_;
      fp32_.attentionBackward(attentionHead(p, a.qkv, layer, s, h), a.attnOut + row, dattnOut + row, C_,
                              a.rowMax + queries, a.rowSumInv + queries, dq, dq + C_, dq + 2 * C_, w.attentionScratch);
    }
}

// ── the two branches of a layer ────────────────────────────────────────────────────────────────────────────────────

/// x (R,C) → residual (R,C) = x + dropout(attnProj(attention(qkv(ln1(x)))))
void Gpt::attentionBranchForward(GptWorkspace& w, const Pass& p, int layer) const {
  const GptLayer& l = layers_[layer];
  const GptActivations& a = w.layers[layer];
  const int R = p.sequences * p.length;
  layerNormForward(R, l.ln1, a.x, w.lnOut, a.ln1Mean, a.ln1Rstd);
  linearForward(R, l.qkv, w.lnOut, a.qkv, nullptr);
  rotate(w, p, 1, a.qkv);
  attentionForward(w, p, layer);
  projectAndAdd(p, layer, kAttnProj, l.attnProj, a.attnOut, a.x, a.residual);
}

/// w.dx (R,C): on entry the gradient of residual, on return the gradient of x
void Gpt::attentionBranchBackward(GptWorkspace& w, const Pass& p, int layer) const {
  const GptLayer& l = layers_[layer];
  const GptActivations& a = w.layers[layer];
  const int R = p.sequences * p.length;
  const float* dout = branchGradient(w, p, layer, kAttnProj);
  float *dattnOut = w.dlnOut, *dqkv = w.dfch;
  linearBackwardInput(R, l.attnProj, dout, dattnOut);
  linearBackwardWeight(w, R, l.attnProj, a.attnOut, dout, p);
  attentionBackward(w, p, layer, dattnOut, dqkv);
  rotate(w, p, -1, dqkv);
  layerNormLinearBackward(w, p, l.ln1, l.qkv, a.x, a.ln1Mean, a.ln1Rstd, dqkv);
}

/// residual (R,C) → out (R,C) = residual + dropout(fcProj(gelu(fc(ln2(residual)))))
void Gpt::mlpBranchForward(GptWorkspace& w, const Pass& p, int layer, float* out) const {
  const GptLayer& l = layers_[layer];
  const GptActivations& a = w.layers[layer];
  const int R = p.sequences * p.length;
  layerNormForward(R, l.ln2, a.residual, w.lnOut, a.ln2Mean, a.ln2Rstd);
  linearForward(R, l.fc, w.lnOut, a.fch, nullptr);
  kernels.gelu(4L * R * C_, a.fch, w.fchGelu);
  projectAndAdd(p, layer, kFcProj, l.fcProj, w.fchGelu, a.residual, out);
}

/// w.dx (R,C): on entry the gradient of the layer's output, on return the gradient of residual
void Gpt::mlpBranchBackward(GptWorkspace& w, const Pass& p, int layer) const {
  const GptLayer& l = layers_[layer];
  const GptActivations& a = w.layers[layer];
  const int R = p.sequences * p.length;
  const float* dout = branchGradient(w, p, layer, kFcProj);
  linearBackwardInput(R, l.fcProj, dout, w.dfch);
  // Recomputes fchGelu; dfch becomes the gradient before GELU.
  kernels.geluBackward(4L * R * C_, a.fch, w.fchGelu, w.dfch);
  linearBackwardWeight(w, R, l.fcProj, w.fchGelu, dout, p);
  layerNormLinearBackward(w, p, l.ln2, l.fc, a.residual, a.ln2Mean, a.ln2Rstd, w.dfch);
}

// ── the whole network ──────────────────────────────────────────────────────────────────────────────────────────────

/// w.x (R,C) → logits (R,V) and the summed loss. If gradients are wanted, it also adds to dwte and writes w.dlnOut
/// (R,C), the gradient of lnf's output. Works on logitRows() rows at a time, because V may be large.
double Gpt::headForwardBackward(GptWorkspace& w, const Pass& p) const {
  const int R = p.sequences * p.length, V = config.vocabulary;
  layerNormForward(R, lnf_, w.x, w.lnOut, w.lnfMean, w.lnfRstd);
  double loss = 0;
  for (int r = 0; r < R; r += logitRows()) {
    const int rows = std::min(logitRows(), R - r);
    const float* x = w.lnOut + static_cast<size_t>(r) * C_;
    float* logits = p.logits ? p.logits + static_cast<size_t>(r) * V : w.logits;
    kernels.product(rows, V, C_, x, C_, wte_.transposedPanels, C_, logits, V, {});
    if (p.logits) continue;
    if (p.losses) {
      for (int i = r; i < r + rows; i++)
        loss += p.losses[i] = tokenLoss(logits + static_cast<size_t>(i - r) * V, p.targets[i]);
      continue;
    }
    loss += kernels.crossEntropy(rows, V, logits, p.targets + r, p.gradients ? p.gradientScale : 0.0f);
    if (!p.gradients) continue;
    const float* dlogits = logits;  // crossEntropy overwrites the logits with their gradient
    kernels.product(rows, C_, V, dlogits, V, wte_.panels, V, w.dlnOut + static_cast<size_t>(r) * C_, C_, {});
    kernels.accumulateGradient(V, C_, rows, dlogits, V, x, C_, p.gradients + wte_.offset, C_,
                               p.overwriteGradients && r == 0, w.gradientScratch);
  }
  return loss;
}

double Gpt::pass(Workspace& workspace, const Pass& p) const {
  auto& w = static_cast<GptWorkspace&>(workspace);
  const int R = p.sequences * p.length;
  embedForward(w, p);
  for (int layer = 0; layer < config.layers; layer++) {
    attentionBranchForward(w, p, layer);
    mlpBranchForward(w, p, layer, layer + 1 < config.layers ? w.layers[layer + 1].x : w.x);
  }
  const double loss = headForwardBackward(w, p);
  if (!p.gradients) return loss;
  kernels.layerNormBackward(R, C_, w.x, at(lnf_.weight), nullptr, w.lnfMean, w.lnfRstd, w.dlnOut, nullptr, w.dx,
                            p.gradients + lnf_.weight, biasAt(p.gradients, lnf_.bias), nullptr);
  for (int layer = config.layers - 1; layer >= 0; layer--) {
    mlpBranchBackward(w, p, layer);
    attentionBranchBackward(w, p, layer);
  }
  embedBackward(w, p);
  return loss;
}

}  // namespace

std::unique_ptr<Network> makeGpt(const Config& config, const Kernels& kernels, const ParameterTable& table) {
  return std::make_unique<Gpt>(config, kernels, table);
}

}  // namespace engine
