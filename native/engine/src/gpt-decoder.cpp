// A GPT fed a token of each stream at a time, with the keys and values of what was fed.
//
// A step reads every weight once, and takes little longer than that takes: the threads of a team share the columns of
// each product and the heads of attention, and meet five times a layer, where one needs what the others made. LayerNorm
// is cheaper done by each for itself. No number depends on how many threads there are.
#include <algorithm>
#include <cmath>

#include "gpt.hpp"

namespace engine {
namespace {

class GptDecoder final : public Decoder {
 public:
  GptDecoder(const Network& network, const GptParameters& parameters, int streams, int threads)
      : network_(network), kernels_(network.kernels), parameters_(parameters), streams_(streams) {
    const Config& c = network.config;
    const size_t heads = parameters.heads, D = c.width / heads, T = c.block;
    keysSize_ = D * kernels_.keptTokens(T);
    headSize_ = keysSize_ + T * kernels_.keptRow(D);
    kept_ = Floats(headSize_ * heads * streams * c.layers);
    own_.resize(threads);
    buffers_ = Floats(place(nullptr));
    place(buffers_.data());
  }

  void reset() override { position_ = 0; }
  bool full() const override { return position_ == network_.config.block; }

  void step(const uint32_t* tokens, float* logits, const Team& team) override {
    const int C = network_.config.width, V = network_.config.vocabulary, position = position_;
    const Own& own = own_[team.thread];
    embed(tokens, position, team);
    team.meet();
    for (size_t layer = 0; layer < parameters_.blocks.size(); layer++) {
      const Block& block = parameters_.blocks[layer];
      normalize(block.norm1, own.normal);
      linear(block.attention, own.normal, qkv_, nullptr, team);
      team.meet();
      attend(layer, position, own.scores, team);
      team.meet();
      linear(block.attentionOut, attended_, x_, x_, team);
      team.meet();
      normalize(block.norm2, own.normal);
      const Share columns = linear(block.expand, own.normal, wide_, nullptr, team);
      for (int b = 0; b < streams_; b++) {
        float* part = wide_ + static_cast<size_t>(b) * 4 * C + columns.begin;
        kernels_.gelu(columns.end - columns.begin, part, part);
      }
      team.meet();
      linear(block.contract, wide_, x_, x_, team);
      team.meet();
    }
    normalize(parameters_.final, own.normal);
    const Share panels = team.share(kernels_.panels(V));
    kernels_.streamProduct(streams_, V, C, own.normal, C, parameters_.wte.transposedPanels, panels.begin, panels.end,
                           logits, V, {});
    // all have read it: the team has met since
    if (team.thread == 0) position_ = position + 1;
  }

 private:
  // what a thread needs for itself
  struct Own {
    float* normal;  // B × C
    float* scores;  // T
  };

  size_t place(float* memory) {
    Arena arena(memory);
    const size_t size = static_cast<size_t>(streams_) * network_.config.width;
    x_ = arena.take(size);
    qkv_ = arena.take(3 * size);
    attended_ = arena.take(size);
    wide_ = arena.take(4 * size);
    for (Own& own : own_) {
      own.normal = arena.take(size);
      own.scores = arena.take(kernels_.keptTokens(network_.config.block));
    }
    return arena.used();
  }

  const float* at(size_t offset) const { return network_.weights + offset; }
  const float* biasAt(size_t offset) const { return parameters_.bias ? at(offset) : nullptr; }

  void embed(const uint32_t* tokens, int position, const Team& team) {
    const int C = network_.config.width;
    const Share streams = team.share(streams_);
    for (int b = streams.begin; b < streams.end; b++) {
      float* x = x_ + static_cast<size_t>(b) * C;
      std::copy_n(at(parameters_.wte.offset) + static_cast<size_t>(tokens[b]) * C, C, x);
      kernels_.add(C, at(parameters_.wpe) + static_cast<size_t>(position) * C, x);
    }
  }

  void normalize(const Norm& norm, float* normal) const {
    kernels_.layerNorm(streams_, network_.config.width, x_, at(norm.gain), biasAt(norm.bias), normal, nullptr, nullptr);
  }

  /// the team member's columns of out = x·W + b (+ addend)
  Share linear(const Linear& l, const float* x, float* out, const float* addend, const Team& team) const {
    const int in = l.weight.rows, columns = l.weight.columns;
    const Share panels = team.share(kernels_.panels(columns));
    kernels_.streamProduct(streams_, columns, in, x, in, l.weight.panels, panels.begin, panels.end, out, columns,
                           {addend, columns, biasAt(l.bias)});
    Share share = panels;
    share.begin = panels.begin * kernels_.panel;
    share.end = std::min(columns, panels.end * kernels_.panel);
    return share;
  }

  void attend(size_t layer, int position, float* scores, const Team& team) {
    const Config& c = network_.config;
    const int C = c.width, heads = parameters_.heads, D = C / heads;
    const float scale = 1.0f / std::sqrt(static_cast<float>(D));
    const Share share = team.share(static_cast<size_t>(streams_) * heads);
    for (int i = share.begin; i < share.end; i++) {
      const int b = i / heads, h = i % heads;
      const float* q = qkv_ + static_cast<size_t>(b) * 3 * C + h * D;
      float* keys = kept_.data() + (layer * streams_ * heads + i) * headSize_;
      float* values = keys + keysSize_;
      kernels_.keepToken(position, D, q + C, q + 2 * C, keys, values);
      kernels_.attendToKept(position + 1, D, scale, q, keys, values, scores,
                            attended_ + static_cast<size_t>(b) * C + h * D);
    }
  }

  const Network& network_;
  const Kernels& kernels_;
  const GptParameters parameters_;
  const int streams_;
  int position_ = 0;
  // floats of a head's keys, and of its keys and values
  size_t keysSize_, headSize_;
  float *x_, *qkv_, *attended_, *wide_;
  std::vector<Own> own_;
  Floats kept_, buffers_;
};

}  // namespace

std::unique_ptr<Decoder> makeGptDecoder(const Network& network, const GptParameters& parameters, int streams,
                                        int threads) {
  return std::make_unique<GptDecoder>(network, parameters, streams, threads);
}

}  // namespace engine
