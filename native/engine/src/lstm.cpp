// LSTM as torch.nn.LSTM has it: gates i f g o, two biases, dropout on the embedding, between layers and before the
// head, the state at the start of each window zero or given; head tied to the embedding where their widths agree.
//
// B sequences of T tokens are rows in the order of time: row t·B + b. So a time step is one product with B rows, and
// the gradients of the weights over all of time are one product each.
#include <algorithm>
#include <cmath>

#include "network.hpp"

namespace engine {
namespace {

// floats of logits that exist at a time
constexpr int kLogits = 1 << 16;

struct Layer {
  int in;
  Matrix input, recurrent;  // 4H × in, 4H × H
  size_t biasInput, biasRecurrent;
};

// What a layer keeps of its forward pass.
struct Kept {
  float* x;         // R × in
  float* gates;     // R × 4H, after their nonlinearities
  float* cell;      // R × H
  float* tanhCell;  // R × H
  float* hidden;    // R × H
};

/// What came before a layer's sequences: B × H, or null for zeros. Constants: no gradient flows into them.
struct Before {
  const float *hidden, *cell;
};

struct LstmWorkspace : Workspace {
  std::vector<Kept> layers;
  float* top;      // R × H: what the head sees
  float* dhidden;  // R × max(E, H)
  float* dx;       // R × max(E, H)
  float* dcell;    // B × H
  float* bias;     // 4H
  float* logits;
  float* scratch;
  std::vector<uint32_t> targets;
};

class Lstm final : public Network {
 public:
  Lstm(const Config& config, const Kernels& kernels, const Slots& slots);

  std::unique_ptr<Workspace> workspace(int sequences, int length, bool training) const override;
  size_t workspaceSize(int sequences, int length, bool training) const override {
    LstmWorkspace w;
    return place(w, nullptr, sequences, length, training);
  }
  int bestMicrobatch(int length) const override;
  size_t stateWidth() const override { return static_cast<size_t>(2) * config.layers * H_; }
  double pass(Workspace&, const Pass&) const override;
  bool writesGradients() const override { return true; }
  std::unique_ptr<Decoder> decoder(int streams, int threads) const override;

 private:
  friend class LstmDecoder;

  size_t place(LstmWorkspace&, float* memory, int sequences, int length, bool training) const;
  int logitRows() const { return std::max(16, kLogits / config.vocabulary); }
  const Matrix& headMatrix() const { return tied_ ? embedding_ : head_; }
  const float* at(size_t offset) const { return weights + offset; }
  void sumBiases(const Layer& l, float* bias) const {
    for (int j = 0; j < 4 * H_; j++) bias[j] = at(l.biasInput)[j] + at(l.biasRecurrent)[j];
  }
  /// where the pass's sequences stand in a state of the whole batch; which: 0 hidden, 1 cell
  size_t inState(const Pass& p, int layer, int which) const {
    return (static_cast<size_t>(2 * layer + which) * p.batch + p.firstSequence) * H_;
  }
  Before startOf(const Pass& p, int layer) const {
    if (!p.state) return {nullptr, nullptr};
    return {p.state + inState(p, layer, 0), p.state + inState(p, layer, 1)};
  }
  void keepState(const LstmWorkspace& w, const Pass& p, int layer) const;
  /// site 0: the embedding; site l + 1: what layer l gives
  void dropRows(const Pass& p, int site, int width, const float* x, float* out) const;
  void layer(LstmWorkspace& w, const Pass& p, int index) const;
  void layerBackward(LstmWorkspace& w, const Pass& p, int index) const;
  double head(LstmWorkspace& w, const Pass& p) const;

  Matrix embedding_, head_;
  size_t headBias_;
  std::vector<Layer> layers_;
  const int H_, E_;
  const bool tied_;
};

Lstm::Lstm(const Config& config, const Kernels& kernels, const Slots& slots)
    : Network(config, kernels), H_(config.width), E_(config.count("embedding")), tied_(E_ == H_) {
  const auto matrix = [&](const std::string& name, int rows, int columns) {
    return Matrix{rows, columns, slots.offset(name, static_cast<size_t>(rows) * columns)};
  };
  embedding_ = matrix("encoder.weight", config.vocabulary, E_);
  if (!tied_) head_ = matrix("decoder.weight", config.vocabulary, H_);
  headBias_ = slots.offset("decoder.bias", config.vocabulary);
  for (int i = 0; i < config.layers; i++) {
    const std::string l = "_l" + std::to_string(i);
    const int in = i == 0 ? E_ : H_;
    layers_.push_back({in, matrix("rnn.weight_ih" + l, 4 * H_, in), matrix("rnn.weight_hh" + l, 4 * H_, H_),
                       slots.offset("rnn.bias_ih" + l, 4 * H_), slots.offset("rnn.bias_hh" + l, 4 * H_)});
  }
  matrices_.push_back(tied_ ? &embedding_ : &head_);
  for (Layer& l : layers_)
    for (Matrix* m : {&l.input, &l.recurrent}) matrices_.push_back(m);
}

// ── buffers ────────────────────────────────────────────────────────────────────────────────────────────────────────

size_t Lstm::place(LstmWorkspace& w, float* memory, int sequences, int T, bool training) const {
  Arena arena(memory);
  const size_t R = static_cast<size_t>(sequences) * T, H = H_;
  const bool drops = training && config.dropout > 0;
  w.layers.resize(config.layers);
  for (int i = 0; i < config.layers; i++) {
    Kept& k = w.layers[i];
    k.x = i == 0 || drops ? arena.take(R * layers_[i].in) : w.layers[i - 1].hidden;
    // without a backward pass the gates of one layer serve all, and its states every other one
    if (i > 0 && !training) {
      k.gates = w.layers[0].gates;
      k.cell = w.layers[0].cell;
      k.tanhCell = w.layers[0].tanhCell;
    } else {
      k.gates = arena.take(R * 4 * H);
      k.cell = arena.take(R * H);
      k.tanhCell = arena.take(R * H);
    }
    k.hidden = i > 1 && !training ? w.layers[i - 2].hidden : arena.take(R * H);
  }
  w.top = drops ? arena.take(R * H) : w.layers.back().hidden;
  const size_t widest = std::max(E_, H_);
  w.dhidden = arena.take(training ? R * widest : 0);
  w.dx = arena.take(training ? R * widest : 0);
  w.dcell = arena.take(training ? sequences * H : 0);
  w.bias = arena.take(4 * H);
  w.logits = arena.take(std::min<size_t>(logitRows(), R) * config.vocabulary);
  w.scratch = arena.take(kernels.gradientScratch());
  return arena.used();
}

std::unique_ptr<Workspace> Lstm::workspace(int sequences, int length, bool training) const {
  auto w = std::make_unique<LstmWorkspace>();
  w->memory = Floats(place(*w, nullptr, sequences, length, training));
  place(*w, w->memory.data(), sequences, length, training);
  w->targets.resize(static_cast<size_t>(sequences) * length);
  w->sequences = sequences;
  w->length = length;
  w->training = training;
  return w;
}

// As many rows a time step as keep the products busy, while a thread's buffers stay below 512 MB: the recurrent matrix
// is read again at each step, however few rows there are.
int Lstm::bestMicrobatch(int length) const {
  const double each = static_cast<double>(workspaceSize(1, length, true)) * sizeof(float);
  return std::max(4, std::min(32, static_cast<int>((512 << 20) / each)));
}

// ── pieces ─────────────────────────────────────────────────────────────────────────────────────────────────────────

void Lstm::dropRows(const Pass& p, int site, int width, const float* x, float* out) const {
  for (int b = 0; b < p.sequences; b++)
    kernels.dropoutRows(p.length, width, x + static_cast<size_t>(b) * width, out + static_cast<size_t>(b) * width,
                        static_cast<long>(p.sequences) * width, 0, dropoutThreshold(config.dropout),
                        {p.seed, p.step, static_cast<uint32_t>(p.firstSequence + b), static_cast<uint32_t>(site)});
}

void Lstm::layer(LstmWorkspace& w, const Pass& p, int index) const {
  const Layer& l = layers_[index];
  const Kept& k = w.layers[index];
  const int B = p.sequences, T = p.length, H = H_, R = B * T;
  const Before start = startOf(p, index);
  sumBiases(l, w.bias);
  kernels.product(R, 4 * H, l.in, k.x, l.in, l.input.transposedPanels, l.in, k.gates, 4 * H, {nullptr, 0, w.bias});
  for (int t = 0; t < T; t++) {
    const size_t now = static_cast<size_t>(t) * B * H, before = now - static_cast<size_t>(B) * H;
    float* gates = k.gates + 4 * now;
    const float* hidden = t > 0 ? k.hidden + before : start.hidden;
    if (hidden)
      kernels.product(B, 4 * H, H, hidden, H, l.recurrent.transposedPanels, H, gates, 4 * H, {gates, 4 * H, nullptr});
    kernels.lstmCell(B, H, gates, t > 0 ? k.cell + before : start.cell, k.cell + now, k.tanhCell + now, k.hidden + now);
  }
}

/// into stateAfter, what the last time step left
void Lstm::keepState(const LstmWorkspace& w, const Pass& p, int layer) const {
  const Kept& k = w.layers[layer];
  const size_t size = static_cast<size_t>(p.sequences) * H_, last = (p.length - 1) * size;
  std::copy_n(k.hidden + last, size, p.stateAfter + inState(p, layer, 0));
  std::copy_n(k.cell + last, size, p.stateAfter + inState(p, layer, 1));
}

/// w.dhidden: in, the gradient of what the layer gave; out, of what it was given
void Lstm::layerBackward(LstmWorkspace& w, const Pass& p, int index) const {
  const Layer& l = layers_[index];
  const Kept& k = w.layers[index];
  const int B = p.sequences, T = p.length, H = H_, R = B * T;
  const Before start = startOf(p, index);
  std::fill_n(w.dcell, static_cast<size_t>(B) * H, 0.0f);
  std::fill_n(w.bias, 4 * H, 0.0f);
  float* dgates = k.gates;
  for (int t = T - 1; t >= 0; t--) {
    const size_t now = static_cast<size_t>(t) * B * H, before = now - static_cast<size_t>(B) * H;
    kernels.lstmCellBackward(B, H, dgates + 4 * now, t > 0 ? k.cell + before : start.cell, k.tanhCell + now,
                             w.dhidden + now, w.dcell);
    // while they are in a cache
    kernels.addColumnSums(B, 4 * H, dgates + 4 * now, 4 * H, w.bias);
    if (t > 0)
      kernels.product(B, H, 4 * H, dgates + 4 * now, 4 * H, l.recurrent.panels, 4 * H, w.dhidden + before, H,
                      {w.dhidden + before, H, nullptr});
  }
  float* g = p.gradients;
  kernels.accumulateGradient(4 * H, l.in, R, dgates, 4 * H, k.x, l.in, g + l.input.offset, l.in, p.first, w.scratch);
  bool first = p.first;
  const auto recurrentGradient = [&](int rows, const float* dgates, const float* hidden) {
    kernels.accumulateGradient(4 * H, H, rows, dgates, 4 * H, hidden, H, g + l.recurrent.offset, H, first, w.scratch);
    first = false;
  };
  if (T > 1) recurrentGradient(R - B, dgates + static_cast<size_t>(B) * 4 * H, k.hidden);
  if (start.hidden) recurrentGradient(B, dgates, start.hidden);
  if (first) std::fill_n(g + l.recurrent.offset, static_cast<size_t>(4 * H) * H, 0.0f);
  kernels.add(4 * H, w.bias, g + l.biasInput);
  kernels.add(4 * H, w.bias, g + l.biasRecurrent);
  kernels.product(R, l.in, 4 * H, dgates, 4 * H, l.input.panels, 4 * H, w.dx, l.in, {});
  std::swap(w.dx, w.dhidden);
}

// ── the whole ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// Logits, loss and, where gradients are wanted, dhidden; some rows at a time, since V may be large.
double Lstm::head(LstmWorkspace& w, const Pass& p) const {
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
    loss += kernels.crossEntropy(rows, V, w.logits, w.targets.data() + r, p.gradients ? p.gradientScale : 0.0f);
    if (!p.gradients) continue;
    kernels.product(rows, H, V, w.logits, V, head.panels, V, w.dhidden + static_cast<size_t>(r) * H, H, {});
    kernels.accumulateGradient(V, H, rows, w.logits, V, x, H, p.gradients + head.offset, H, p.first && r == 0,
                               w.scratch);
    kernels.addColumnSums(rows, V, w.logits, V, p.gradients + headBias_);
  }
  return loss;
}

double Lstm::pass(Workspace& workspace, const Pass& p) const {
  auto& w = static_cast<LstmWorkspace&>(workspace);
  const int B = p.sequences, T = p.length;
  for (int t = 0; t < T; t++)
    for (int b = 0; b < B; b++) {
      const size_t token = static_cast<size_t>(b) * T + t;
      std::copy_n(at(embedding_.offset) + static_cast<size_t>(p.inputs[token]) * E_, E_,
                  w.layers[0].x + (static_cast<size_t>(t) * B + b) * E_);
      if (p.targets) w.targets[static_cast<size_t>(t) * B + b] = p.targets[token];
    }
  if (p.dropout) dropRows(p, 0, E_, w.layers[0].x, w.layers[0].x);
  for (int i = 0; i < config.layers; i++) {
    layer(w, p, i);
    if (p.stateAfter) keepState(w, p, i);
    float* out = i + 1 < config.layers ? w.layers[i + 1].x : w.top;
    if (p.dropout)
      dropRows(p, i + 1, H_, w.layers[i].hidden, out);
    else if (out != w.layers[i].hidden)
      std::copy_n(w.layers[i].hidden, static_cast<size_t>(B) * T * H_, out);
  }
  const double loss = head(w, p);
  if (!p.gradients) return loss;
  for (int i = config.layers - 1; i >= 0; i--) {
    if (p.dropout) dropRows(p, i + 1, H_, w.dhidden, w.dhidden);
    layerBackward(w, p, i);
  }
  if (p.dropout) dropRows(p, 0, E_, w.dhidden, w.dhidden);
  for (int t = 0; t < T; t++)
    for (int b = 0; b < B; b++)
      kernels.add(E_, w.dhidden + (static_cast<size_t>(t) * B + b) * E_,
                  p.gradients + embedding_.offset + static_cast<size_t>(p.inputs[static_cast<size_t>(b) * T + t]) * E_);
  return loss;
}

// ── one token at a time ────────────────────────────────────────────────────────────────────────────────────────────

/// Each thread of a team takes its share of the columns of the gates, then of the streams; they meet twice a layer.
class LstmDecoder final : public Decoder {
 public:
  LstmDecoder(const Lstm& lstm, int streams) : lstm_(lstm), streams_(streams) {
    const size_t B = streams, H = lstm.H_, L = lstm.config.layers;
    state_ = Floats(2 * L * B * H);
    Arena plan;
    place(plan);
    buffers_ = Floats(plan.used());
    Arena arena(buffers_.data());
    place(arena);
  }

  void reset() override { std::fill_n(state_.data(), state_.size(), 0.0f); }

  void step(const uint32_t* tokens, float* logits, const Team& team) override {
    const Kernels& k = lstm_.kernels;
    const int B = streams_, H = lstm_.H_, E = lstm_.E_, V = lstm_.config.vocabulary;
    const size_t size = static_cast<size_t>(B) * H;
    const Share streams = team.share(B), panels = team.share(k.panels(4 * H));
    for (int b = streams.begin; b < streams.end; b++)
      std::copy_n(lstm_.at(lstm_.embedding_.offset) + static_cast<size_t>(tokens[b]) * E, E,
                  embedded_ + static_cast<size_t>(b) * E);
    team.meet();
    const float* x = embedded_;
    float* state = state_.data();
    for (const Layer& l : lstm_.layers_) {
      float *hidden = state, *cell = state + size;
      state += 2 * size;
      k.streamProduct(B, 4 * H, l.in, x, l.in, l.input.transposedPanels, panels.begin, panels.end, gates_, 4 * H,
                      {nullptr, 0, lstm_.at(l.biasInput)});
      k.streamProduct(B, 4 * H, H, hidden, H, l.recurrent.transposedPanels, panels.begin, panels.end, gates_, 4 * H,
                      {gates_, 4 * H, lstm_.at(l.biasRecurrent)});
      team.meet();
      const size_t first = static_cast<size_t>(streams.begin) * H;
      k.lstmCell(streams.end - streams.begin, H, gates_ + 4 * first, cell + first, cell + first, tanhCell_ + first,
                 hidden + first);
      team.meet();
      x = hidden;
    }
    const Share head = team.share(k.panels(V));
    k.streamProduct(B, V, H, x, H, lstm_.headMatrix().transposedPanels, head.begin, head.end, logits, V,
                    {nullptr, 0, lstm_.at(lstm_.headBias_)});
  }

 private:
  void place(Arena& arena) {
    const size_t B = streams_, H = lstm_.H_;
    embedded_ = arena.take(B * lstm_.E_);
    gates_ = arena.take(4 * B * H);
    tanhCell_ = arena.take(B * H);
  }

  const Lstm& lstm_;
  const int streams_;
  float *embedded_, *gates_, *tanhCell_;
  Floats state_, buffers_;
};

std::unique_ptr<Decoder> Lstm::decoder(int streams, int) const { return std::make_unique<LstmDecoder>(*this, streams); }

}  // namespace

std::unique_ptr<Network> makeLstm(const Config& config, const Kernels& kernels, const Slots& slots) {
  return std::make_unique<Lstm>(config, kernels, slots);
}

}  // namespace engine
