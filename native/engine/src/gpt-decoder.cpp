// Decodes a GPT one token of each stream at a time, with a cache of the keys and values of earlier tokens.
//
// A step reads every weight once, and takes little longer than reading them. The threads of a work group share the
// columns of each product and the heads of attention. They wait for each other five times a layer, because each then
// needs the results of the others. Each thread computes LayerNorm for itself, which is cheaper than waiting. No result
// depends on the number of threads.
//
// Shapes: B streams, C width, D = C / NH head width, T = block.
#include <algorithm>
#include <cmath>

#include "gpt.hpp"
#include "rotary-table.hpp"

namespace engine {
namespace {

/// The decoder of a GPT. See Decoder for the contract of step().
class GptDecoder final : public Decoder {
 public:
  GptDecoder(const Network& network, const GptParameters& parameters, int streams, int threads)
      : network_(network), kernels_(network.kernels), parameters_(parameters), streams_(streams) {
    const Config& c = network.config;
    const size_t heads = parameters.heads, D = c.width / heads, T = c.block;
    keysSize_ = D * kernels_.paddedTokens(T);
    headSize_ = keysSize_ + T * kernels_.valueRowSize(D);
    cache_ = AlignedBuffer(headSize_ * heads * streams * c.layers);
    threadBuffers_.resize(threads);
    buffers_ = AlignedBuffer(layoutBuffers(nullptr));
    layoutBuffers(buffers_.data());
    if (parameters.rotary) rotary_.fill(c.block, D);
  }

  void reset() override { position_ = 0; }
  bool full() const override { return position_ == network_.config.block; }

  void step(const uint32_t* tokens, float* logits, const WorkGroup& group) override {
    const int C = network_.config.width, V = network_.config.vocabulary, position = position_;
    const ThreadBuffers& own = threadBuffers_[group.thread];
    embed(tokens, position, group);
    group.sync();
    for (size_t index = 0; index < parameters_.layers.size(); index++) {
      const GptLayer& layer = parameters_.layers[index];
      layerNorm(layer.ln1, own.lnOut);
      linear(layer.qkv, own.lnOut, qkv_, nullptr, group);
      group.sync();
      attention(index, position, own.scores, group);
      group.sync();
      linear(layer.attnProj, attnOut_, x_, x_, group);
      group.sync();
      layerNorm(layer.ln2, own.lnOut);
      const Range columns = linear(layer.fc, own.lnOut, fch_, nullptr, group);
      for (int b = 0; b < streams_; b++) {
        float* part = fch_ + static_cast<size_t>(b) * 4 * C + columns.begin;
        kernels_.gelu(columns.end - columns.begin, part, part);
      }
      group.sync();
      linear(layer.fcProj, fch_, x_, x_, group);
      group.sync();
    }
    layerNorm(parameters_.lnf, own.lnOut);
    const Range panels = group.range(kernels_.panels(V));
    kernels_.streamProduct(streams_, V, C, own.lnOut, C, parameters_.wte.transposedPanels, panels.begin, panels.end,
                           logits, V, {});
    // Every thread has read position_ before the last sync().
    if (group.thread == 0) position_ = position + 1;
  }

 private:
  // Buffers of one thread.
  struct ThreadBuffers {
    float* lnOut;   // (B,C)
    float* scores;  // (paddedTokens(T))
  };

  /// Assigns all buffers within `memory`; with null memory it only counts. Returns the floats needed.
  size_t layoutBuffers(float* memory) {
    Arena arena(memory);
    const size_t size = static_cast<size_t>(streams_) * network_.config.width;
    x_ = arena.allocate(size);
    qkv_ = arena.allocate(3 * size);
    attnOut_ = arena.allocate(size);
    fch_ = arena.allocate(4 * size);
    for (ThreadBuffers& own : threadBuffers_) {
      own.lnOut = arena.allocate(size);
      own.scores = arena.allocate(kernels_.paddedTokens(network_.config.block));
    }
    if (parameters_.rotary) rotary_.allocate(arena, network_.config.block, network_.config.width / parameters_.heads);
    return arena.used();
  }

  const float* at(size_t offset) const { return network_.weights + offset; }
  const float* biasAt(size_t offset) const { return parameters_.bias ? at(offset) : nullptr; }

  /// tokens (B) → x_ (B,C) of this thread's streams
  void embed(const uint32_t* tokens, int position, const WorkGroup& group) {
    const int C = network_.config.width;
    const Range streams = group.range(streams_);
    for (int b = streams.begin; b < streams.end; b++) {
      float* x = x_ + static_cast<size_t>(b) * C;
      std::copy_n(at(parameters_.wte.offset) + static_cast<size_t>(tokens[b]) * C, C, x);
      if (!parameters_.rotary) kernels_.add(C, at(parameters_.wpe) + static_cast<size_t>(position) * C, x);
    }
  }

  /// x_ (B,C) → out (B,C)
  void layerNorm(const LayerNorm& ln, float* out) const {
    kernels_.layerNorm(streams_, network_.config.width, x_, at(ln.weight), biasAt(ln.bias), out, nullptr, nullptr);
  }

  /// x (B,in) → this thread's columns of out (B,out) = x·W + b (+ addend (B,out)). Returns those columns.
  Range linear(const Linear& l, const float* x, float* out, const float* addend, const WorkGroup& group) const {
    const int in = l.weight.rows, columns = l.weight.columns;
    const Range panels = group.range(kernels_.panels(columns));
    kernels_.streamProduct(streams_, columns, in, x, in, l.weight.panels, panels.begin, panels.end, out, columns,
                           {addend, columns, biasAt(l.bias)});
    Range range = panels;
    range.begin = panels.begin * kernels_.panel;
    range.end = std::min(columns, panels.end * kernels_.panel);
    return range;
  }

  /// qkv_ (B,3C) → this thread's heads of attnOut_ (B,C). Adds the token's key and value to the cache; a rotary key is
  /// rotated first.
  void attention(size_t layer, int position, float* scores, const WorkGroup& group) {
    const Config& c = network_.config;
    const int C = c.width, heads = parameters_.heads, D = C / heads;
    const float scale = 1.0f / std::sqrt(static_cast<float>(D));
    const Range range = group.range(static_cast<size_t>(streams_) * heads);
    for (int i = range.begin; i < range.end; i++) {
      const int b = i / heads, h = i % heads;
      float* q = qkv_ + static_cast<size_t>(b) * 3 * C + h * D;
      float* keys = cache_.data() + (layer * streams_ * heads + i) * headSize_;
      float* values = keys + keysSize_;
      if (parameters_.rotary) {
        const size_t row = static_cast<size_t>(position) * (D / 2);
        for (float* x : {q, q + C}) kernels_.rotate(1, 1, D, rotary_.cosines + row, rotary_.sines + row, 1, x, D);
      }
      kernels_.appendToCache(position, D, q + C, q + 2 * C, keys, values);
      kernels_.attentionDecode(position + 1, D, scale, q, keys, values, scores,
                               attnOut_ + static_cast<size_t>(b) * C + h * D);
    }
  }

  const Network& network_;
  const Kernels& kernels_;
  const GptParameters parameters_;
  const int streams_;
  int position_ = 0;
  // Sizes in floats within the cache of one head: the keys, and the keys and values together.
  size_t keysSize_, headSize_;
  float *x_, *qkv_, *attnOut_, *fch_;  // (B,C), (B,3C), (B,C), (B,4C): shared by all threads
  std::vector<ThreadBuffers> threadBuffers_;
  RotaryTable rotary_;   // of `block` positions; only if positions are rotary
  AlignedBuffer cache_;  // (layers,B,NH) heads of headSize_ floats
  AlignedBuffer buffers_;
};

}  // namespace

std::unique_ptr<Decoder> makeGptDecoder(const Network& network, const GptParameters& parameters, int streams,
                                        int threads) {
  return std::make_unique<GptDecoder>(network, parameters, streams, threads);
}

}  // namespace engine
