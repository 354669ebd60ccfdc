// LSTM in the form of torch.nn.LSTM (Hochreiter and Schmidhuber 1997; Gers et al. 2000): gates i f g o, two biases.
// Dropout on the embedding, between layers and before the head. The state at the start of a window is zero or passed by
// the caller. The head's weight is the embedding if their widths agree (E = H).
//
// Shapes: B sequences of T tokens are R = B·T rows in time-major order, row t·B + b. So a time step is one product with
// B rows, and the gradient of a weight over all of time is one product. E: embedding width, H: hidden width, I: input
// width of a layer (E for the first, else H), V: vocabulary.
#include <algorithm>
#include <cmath>

#include "lstm.hpp"

namespace engine {
namespace {

// The logits buffer holds about this many floats: the head works on a group of rows at a time.
constexpr int kLogits = 1 << 16;

// Numbers that the forward pass of one layer stores for its backward pass.
struct Activations {
  float* x;         // (R,I)
  float* gates;     // (R,4H): i f g o after their nonlinearities; the backward pass turns them into dgates
  float* cell;      // (R,H)
  float* tanhCell;  // (R,H)
  float* hidden;    // (R,H)
};

/// State of a layer before a pass: (B,H) each, or null for zeros. No gradient flows into it.
struct InitialState {
  const float *hidden, *cell;
};

/// Buffers of one thread for a pass over R rows.
struct LstmWorkspace : Workspace {
  std::vector<Activations> layers;
  float* top;      // (R,H): input of the head
  float* dhidden;  // (R,max(E,H)): gradient of a layer's output
  float* dx;       // (R,max(E,H)): gradient of a layer's input
  float* dcell;    // (B,H)
  float* bias;     // (4H): biasInput + biasRecurrent, and their gradient
  float* logits;   // (min(logitRows, R),V)
  float* gradientScratch;
  std::vector<uint32_t> targets;  // (R), time-major
};

/// The network of an LSTM. See Network for the contracts.
class Lstm final : public Network {
 public:
  Lstm(const Config& config, const Kernels& kernels, const ParameterTable& table);

  std::unique_ptr<Workspace> workspace(int sequences, int length, bool training) const override;
  size_t workspaceSize(int sequences, int length, bool training) const override {
    LstmWorkspace w;
    return layoutBuffers(w, nullptr, sequences, length, training);
  }
  int bestSequencesPerPass(int length) const override;
  size_t stateWidth() const override { return static_cast<size_t>(2) * config.layers * H_; }
  double pass(Workspace&, const Pass&) const override;
  bool overwritesMatrixGradients() const override { return true; }
  std::unique_ptr<Decoder> decoder(int streams, int) const override {
    return makeLstmDecoder(*this, {embedding_, headMatrix(), headBias_, layers_}, streams);
  }

 private:
  size_t layoutBuffers(LstmWorkspace&, float* memory, int sequences, int length, bool training) const;
  int logitRows() const { return std::max(16, kLogits / config.vocabulary); }
  const Matrix& headMatrix() const { return tied_ ? embedding_ : head_; }
  const float* at(size_t offset) const { return weights + offset; }
  void sumBiases(const LstmLayer& l, float* bias) const {
    for (int j = 0; j < 4 * H_; j++) bias[j] = at(l.biasInput)[j] + at(l.biasRecurrent)[j];
  }
  /// Offset of this pass's first sequence within a state (layers,2,batch,H). part: 0 hidden, 1 cell.
  size_t stateOffset(const Pass& p, int layer, int part) const {
    return (static_cast<size_t>(2 * layer + part) * p.batch + p.firstSequence) * H_;
  }
  InitialState initialState(const Pass& p, int layer) const {
    if (!p.state) return {nullptr, nullptr};
    return {p.state + stateOffset(p, layer, 0), p.state + stateOffset(p, layer, 1)};
  }
  void saveState(const LstmWorkspace& w, const Pass& p, int layer) const;
  void dropoutRows(const Pass& p, int site, int width, const float* x, float* out) const;
  void embedForward(LstmWorkspace& w, const Pass& p) const;
  void embedBackward(LstmWorkspace& w, const Pass& p) const;
  void layerForward(LstmWorkspace& w, const Pass& p, int index) const;
  void layerBackward(LstmWorkspace& w, const Pass& p, int index) const;
  void cellsBackward(LstmWorkspace& w, const Pass& p, int index) const;
  void layerWeightsBackward(LstmWorkspace& w, const Pass& p, int index) const;
  double headForwardBackward(LstmWorkspace& w, const Pass& p) const;

  Matrix embedding_, head_;  // (V,E), (V,H)
  size_t headBias_;          // offset of (V)
  std::vector<LstmLayer> layers_;
  const int H_, E_;
  const bool tied_;
};

Lstm::Lstm(const Config& config, const Kernels& kernels, const ParameterTable& table)
    : Network(config, kernels), H_(config.width), E_(config.positiveInteger("embedding")), tied_(E_ == H_) {
  const auto matrix = [&](const std::string& name, int rows, int columns) {
    return Matrix{rows, columns, table.offset(name, static_cast<size_t>(rows) * columns)};
  };
  embedding_ = matrix("encoder.weight", config.vocabulary, E_);
  if (!tied_) head_ = matrix("decoder.weight", config.vocabulary, H_);
  headBias_ = table.offset("decoder.bias", config.vocabulary);
  for (int i = 0; i < config.layers; i++) {
    const std::string l = "_l" + std::to_string(i);
    const int in = i == 0 ? E_ : H_;
    layers_.push_back({in, matrix("rnn.weight_ih" + l, 4 * H_, in), matrix("rnn.weight_hh" + l, 4 * H_, H_),
                       table.offset("rnn.bias_ih" + l, 4 * H_), table.offset("rnn.bias_hh" + l, 4 * H_)});
  }
  matrices_.push_back(tied_ ? &embedding_ : &head_);
  for (LstmLayer& l : layers_)
    for (Matrix* m : {&l.input, &l.recurrent}) matrices_.push_back(m);
}

// ── buffers ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Assigns the workspace's buffers within `memory`; with null memory it only counts. Returns the floats needed.
size_t Lstm::layoutBuffers(LstmWorkspace& w, float* memory, int sequences, int T, bool training) const {
  Arena arena(memory);
  const size_t R = static_cast<size_t>(sequences) * T, H = H_;
  const bool withDropout = training && config.dropout > 0;
  w.layers.resize(config.layers);
  for (int i = 0; i < config.layers; i++) {
    Activations& a = w.layers[i];
    a.x = i == 0 || withDropout ? arena.allocate(R * layers_[i].in) : w.layers[i - 1].hidden;
    // Without a backward pass, all layers share one buffer of gates and one of cells, and alternate between two buffers
    // of hidden states.
    if (i > 0 && !training) {
      a.gates = w.layers[0].gates;
      a.cell = w.layers[0].cell;
      a.tanhCell = w.layers[0].tanhCell;
    } else {
      a.gates = arena.allocate(R * 4 * H);
      a.cell = arena.allocate(R * H);
      a.tanhCell = arena.allocate(R * H);
    }
    a.hidden = i > 1 && !training ? w.layers[i - 2].hidden : arena.allocate(R * H);
  }
  w.top = withDropout ? arena.allocate(R * H) : w.layers.back().hidden;
  const size_t widest = std::max(E_, H_);
  w.dhidden = arena.allocate(training ? R * widest : 0);
  w.dx = arena.allocate(training ? R * widest : 0);
  w.dcell = arena.allocate(training ? sequences * H : 0);
  w.bias = arena.allocate(4 * H);
  w.logits = arena.allocate(std::min<size_t>(logitRows(), R) * config.vocabulary);
  w.gradientScratch = arena.allocate(kernels.gradientScratch());
  return arena.used();
}

std::unique_ptr<Workspace> Lstm::workspace(int sequences, int length, bool training) const {
  auto w = std::make_unique<LstmWorkspace>();
  w->memory = AlignedBuffer(layoutBuffers(*w, nullptr, sequences, length, training));
  layoutBuffers(*w, w->memory.data(), sequences, length, training);
  w->targets.resize(static_cast<size_t>(sequences) * length);
  w->sequences = sequences;
  w->length = length;
  w->training = training;
  return w;
}

// Chooses enough rows for the products of a time step to run at full speed, and keeps a thread's buffers below 512 MB.
// Few rows are slow, because each time step reads the whole recurrent matrix again.
int Lstm::bestSequencesPerPass(int length) const {
  const double each = static_cast<double>(workspaceSize(1, length, true)) * sizeof(float);
  return std::max(4, std::min(32, static_cast<int>((512 << 20) / each)));
}

// ── dropout and embedding ──────────────────────────────────────────────────────────────────────────────────────────

/// x (T,B,width) → out (T,B,width). site 0: the embedding; site l + 1: the output of layer l. x may be out.
void Lstm::dropoutRows(const Pass& p, int site, int width, const float* x, float* out) const {
  for (int b = 0; b < p.sequences; b++)
    kernels.dropoutRows(p.length, width, x + static_cast<size_t>(b) * width, out + static_cast<size_t>(b) * width,
                        static_cast<long>(p.sequences) * width, 0, dropoutThreshold(config.dropout),
                        {p.seed, p.step, static_cast<uint32_t>(p.firstSequence + b), static_cast<uint32_t>(site)});
}

/// inputs (B,T), embedding (V,E) → x (T,B,E) of the first layer. Also copies targets (B,T) to w.targets (T,B).
void Lstm::embedForward(LstmWorkspace& w, const Pass& p) const {
  const int B = p.sequences, T = p.length;
  for (int t = 0; t < T; t++)
    for (int b = 0; b < B; b++) {
      const size_t token = static_cast<size_t>(b) * T + t;
      std::copy_n(at(embedding_.offset) + static_cast<size_t>(p.inputs[token]) * E_, E_,
                  w.layers[0].x + (static_cast<size_t>(t) * B + b) * E_);
      if (p.targets) w.targets[static_cast<size_t>(t) * B + b] = p.targets[token];
    }
  if (p.withDropout) dropoutRows(p, 0, E_, w.layers[0].x, w.layers[0].x);
}

/// w.dhidden (T,B,E), the gradient of the first layer's input → dembedding (V,E) +=
void Lstm::embedBackward(LstmWorkspace& w, const Pass& p) const {
  const int B = p.sequences, T = p.length;
  if (p.withDropout) dropoutRows(p, 0, E_, w.dhidden, w.dhidden);
  for (int t = 0; t < T; t++)
    for (int b = 0; b < B; b++)
      kernels.add(E_, w.dhidden + (static_cast<size_t>(t) * B + b) * E_,
                  p.gradients + embedding_.offset + static_cast<size_t>(p.inputs[static_cast<size_t>(b) * T + t]) * E_);
}

// ── a layer ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// x (T,B,I) → gates (T,B,4H), cell, tanhCell, hidden (T,B,H) of layer `index`
void Lstm::layerForward(LstmWorkspace& w, const Pass& p, int index) const {
  const LstmLayer& l = layers_[index];
  const Activations& a = w.layers[index];
  const int B = p.sequences, T = p.length, H = H_, R = B * T;
  const InitialState start = initialState(p, index);
  sumBiases(l, w.bias);
  kernels.product(R, 4 * H, l.in, a.x, l.in, l.input.transposedPanels, l.in, a.gates, 4 * H, {nullptr, 0, w.bias});
  for (int t = 0; t < T; t++) {
    const size_t now = static_cast<size_t>(t) * B * H, before = now - static_cast<size_t>(B) * H;
    float* gates = a.gates + 4 * now;
    const float* hidden = t > 0 ? a.hidden + before : start.hidden;
    if (hidden)
      kernels.product(B, 4 * H, H, hidden, H, l.recurrent.transposedPanels, H, gates, 4 * H, {gates, 4 * H, nullptr});
    kernels.lstmCell(B, H, gates, t > 0 ? a.cell + before : start.cell, a.cell + now, a.tanhCell + now, a.hidden + now);
  }
}

/// hidden and cell (B,H) of the last time step → p.stateAfter
void Lstm::saveState(const LstmWorkspace& w, const Pass& p, int layer) const {
  const Activations& a = w.layers[layer];
  const size_t size = static_cast<size_t>(p.sequences) * H_, last = (p.length - 1) * size;
  std::copy_n(a.hidden + last, size, p.stateAfter + stateOffset(p, layer, 0));
  std::copy_n(a.cell + last, size, p.stateAfter + stateOffset(p, layer, 1));
}

/// Backpropagation through time. w.dhidden (T,B,H) → dgates (T,B,4H), which overwrites the gates, and w.bias (4H), the
/// sum of dgates over all rows. Overwrites w.dhidden.
void Lstm::cellsBackward(LstmWorkspace& w, const Pass& p, int index) const {
  const LstmLayer& l = layers_[index];
  const Activations& a = w.layers[index];
  const int B = p.sequences, T = p.length, H = H_;
  const InitialState start = initialState(p, index);
  std::fill_n(w.dcell, static_cast<size_t>(B) * H, 0.0f);
  std::fill_n(w.bias, 4 * H, 0.0f);
  float* dgates = a.gates;
  for (int t = T - 1; t >= 0; t--) {
    const size_t now = static_cast<size_t>(t) * B * H, before = now - static_cast<size_t>(B) * H;
    kernels.lstmCellBackward(B, H, dgates + 4 * now, t > 0 ? a.cell + before : start.cell, a.tanhCell + now,
                             w.dhidden + now, w.dcell);
    // dgates are summed here, because they are still in a cache.
    kernels.addColumnSums(B, 4 * H, dgates + 4 * now, 4 * H, w.bias);
    if (t > 0)
      kernels.product(B, H, 4 * H, dgates + 4 * now, 4 * H, l.recurrent.panels, 4 * H, w.dhidden + before, H,
                      {w.dhidden + before, H, nullptr});
  }
}

/// dgates (T,B,4H), x (T,B,I), hidden (T,B,H), w.bias (4H) → the gradients of both weights (4H,I), (4H,H) and both
/// biases
void Lstm::layerWeightsBackward(LstmWorkspace& w, const Pass& p, int index) const {
  const LstmLayer& l = layers_[index];
  const Activations& a = w.layers[index];
  const int B = p.sequences, T = p.length, H = H_, R = B * T;
  const InitialState start = initialState(p, index);
  const float* dgates = a.gates;
  float* g = p.gradients;
  kernels.accumulateGradient(4 * H, l.in, R, dgates, 4 * H, a.x, l.in, g + l.input.offset, l.in, p.overwriteGradients,
                             w.gradientScratch);
  bool overwrite = p.overwriteGradients;
  const auto recurrentGradient = [&](int rows, const float* dgates, const float* hidden) {
    kernels.accumulateGradient(4 * H, H, rows, dgates, 4 * H, hidden, H, g + l.recurrent.offset, H, overwrite,
                               w.gradientScratch);
    overwrite = false;
  };
  // The gates of time t depend on the hidden state of time t − 1, so row t of dgates is multiplied with row t − 1 of
  // hidden.
  if (T > 1) recurrentGradient(R - B, dgates + static_cast<size_t>(B) * 4 * H, a.hidden);
  if (start.hidden) recurrentGradient(B, dgates, start.hidden);
  if (overwrite) std::fill_n(g + l.recurrent.offset, static_cast<size_t>(4 * H) * H, 0.0f);
  kernels.add(4 * H, w.bias, g + l.biasInput);
  kernels.add(4 * H, w.bias, g + l.biasRecurrent);
}

/// w.dhidden: on entry (T,B,H), the gradient of the layer's output; on return (T,B,I), the gradient of its input
void Lstm::layerBackward(LstmWorkspace& w, const Pass& p, int index) const {
  const LstmLayer& l = layers_[index];
  const int R = p.sequences * p.length, H = H_;
  cellsBackward(w, p, index);
  layerWeightsBackward(w, p, index);
  const float* dgates = w.layers[index].gates;
  kernels.product(R, l.in, 4 * H, dgates, 4 * H, l.input.panels, 4 * H, w.dx, l.in, {});
  std::swap(w.dx, w.dhidden);
}

// ── the whole network ──────────────────────────────────────────────────────────────────────────────────────────────

/// w.top (R,H) → logits (R,V) and the summed loss. If gradients are wanted, it also computes those of the head and
/// w.dhidden (R,H). Works on logitRows() rows at a time, because V may be large.
double Lstm::headForwardBackward(LstmWorkspace& w, const Pass& p) const {
  const int B = p.sequences, T = p.length, R = B * T, V = config.vocabulary, H = H_;
  const Matrix& head = headMatrix();
  double loss = 0;
  for (int r = 0; r < R; r += logitRows()) {
    const int rows = std::min(logitRows(), R - r);
    const float* x = w.top + static_cast<size_t>(r) * H;
    kernels.product(rows, V, H, x, H, head.transposedPanels, H, w.logits, V, {nullptr, 0, at(headBias_)});
    if (p.logits) {
      for (int i = 0; i < rows; i++) {
        const int t = (r + i) / B, b = (r + i) % B;
        std::copy_n(w.logits + static_cast<size_t>(i) * V, V, p.logits + (static_cast<size_t>(b) * T + t) * V);
      }
      continue;
    }
    if (p.losses) {
      for (int i = r; i < r + rows; i++)
        loss += p.losses[static_cast<size_t>(i % B) * T + i / B] =
            tokenLoss(w.logits + static_cast<size_t>(i - r) * V, w.targets[i]);
      continue;
    }
    loss += kernels.crossEntropy(rows, V, w.logits, w.targets.data() + r, p.gradients ? p.gradientScale : 0.0f);
    if (!p.gradients) continue;
    const float* dlogits = w.logits;  // crossEntropy overwrites the logits with their gradient
    kernels.product(rows, H, V, dlogits, V, head.panels, V, w.dhidden + static_cast<size_t>(r) * H, H, {});
    kernels.accumulateGradient(V, H, rows, dlogits, V, x, H, p.gradients + head.offset, H,
                               p.overwriteGradients && r == 0, w.gradientScratch);
    kernels.addColumnSums(rows, V, dlogits, V, p.gradients + headBias_);
  }
  return loss;
}

double Lstm::pass(Workspace& workspace, const Pass& p) const {
  auto& w = static_cast<LstmWorkspace&>(workspace);
  const size_t size = static_cast<size_t>(p.sequences) * p.length * H_;
  embedForward(w, p);
  for (int i = 0; i < config.layers; i++) {
    layerForward(w, p, i);
    if (p.stateAfter) saveState(w, p, i);
    float* out = i + 1 < config.layers ? w.layers[i + 1].x : w.top;
    if (p.withDropout)
      dropoutRows(p, i + 1, H_, w.layers[i].hidden, out);
    else if (out != w.layers[i].hidden)
      std::copy_n(w.layers[i].hidden, size, out);
  }
  const double loss = headForwardBackward(w, p);
  if (!p.gradients) return loss;
  for (int i = config.layers - 1; i >= 0; i--) {
    if (p.withDropout) dropoutRows(p, i + 1, H_, w.dhidden, w.dhidden);
    layerBackward(w, p, i);
  }
  embedBackward(w, p);
  return loss;
}

}  // namespace

std::unique_ptr<Network> makeLstm(const Config& config, const Kernels& kernels, const ParameterTable& table) {
  return std::make_unique<Lstm>(config, kernels, table);
}

}  // namespace engine
