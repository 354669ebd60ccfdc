// Decodes an LSTM one token of each stream at a time.
//
// Each thread of a work group takes a range of the columns of the gates, then a range of the streams. The threads wait
// for each other twice a layer. No result depends on the number of threads.
//
// Shapes: B streams, E embedding width, H hidden width, I input width of a layer (E for the first, else H).
#include <algorithm>

#include "lstm.hpp"

namespace engine {
namespace {

/// The decoder of an LSTM. See Decoder for the contract of step().
class LstmDecoder final : public Decoder {
 public:
  LstmDecoder(const Network& network, const LstmParameters& parameters, int streams)
      : network_(network), parameters_(parameters), streams_(streams) {
    const size_t B = streams, H = network.config.width, L = network.config.layers;
    state_ = AlignedBuffer(2 * L * B * H);
    Arena counter;
    layoutBuffers(counter);
    buffers_ = AlignedBuffer(counter.used());
    Arena arena(buffers_.data());
    layoutBuffers(arena);
  }

  void reset() override { std::fill_n(state_.data(), state_.size(), 0.0f); }

  void step(const uint32_t* tokens, float* logits, const WorkGroup& group) override {
    const Kernels& k = network_.kernels;
    const int B = streams_, H = network_.config.width, E = parameters_.embedding.columns;
    const int V = network_.config.vocabulary;
    const size_t size = static_cast<size_t>(B) * H;
    const Range streams = group.range(B), panels = group.range(k.panels(4 * H));
    for (int b = streams.begin; b < streams.end; b++)
      std::copy_n(at(parameters_.embedding.offset) + static_cast<size_t>(tokens[b]) * E, E,
                  embedded_ + static_cast<size_t>(b) * E);
    group.sync();
    const float* x = embedded_;
    float* state = state_.data();
    for (const LstmLayer& l : parameters_.layers) {
      float *hidden = state, *cell = state + size;
      state += 2 * size;
      k.streamProduct(B, 4 * H, l.in, x, l.in, l.input.transposedPanels, panels.begin, panels.end, gates_, 4 * H,
                      {nullptr, 0, at(l.biasInput)});
      k.streamProduct(B, 4 * H, H, hidden, H, l.recurrent.transposedPanels, panels.begin, panels.end, gates_, 4 * H,
                      {gates_, 4 * H, at(l.biasRecurrent)});
      group.sync();
      const size_t first = static_cast<size_t>(streams.begin) * H;
      k.lstmCell(streams.end - streams.begin, H, gates_ + 4 * first, cell + first, cell + first, tanhCell_ + first,
                 hidden + first);
      group.sync();
      x = hidden;
    }
    const Range head = group.range(k.panels(V));
    k.streamProduct(B, V, H, x, H, parameters_.head.transposedPanels, head.begin, head.end, logits, V,
                    {nullptr, 0, at(parameters_.headBias)});
  }

 private:
  const float* at(size_t offset) const { return network_.weights + offset; }
  void layoutBuffers(Arena& arena) {
    const size_t B = streams_, H = network_.config.width;
    embedded_ = arena.allocate(B * parameters_.embedding.columns);
    gates_ = arena.allocate(4 * B * H);
    tanhCell_ = arena.allocate(B * H);
  }

  const Network& network_;
  const LstmParameters parameters_;
  const int streams_;
  float *embedded_, *gates_, *tanhCell_;  // (B,E), (B,4H), (B,H): shared by all threads
  AlignedBuffer state_;                   // (layers,2,B,H): hidden state, then cell
  AlignedBuffer buffers_;
};

}  // namespace

std::unique_ptr<Decoder> makeLstmDecoder(const Network& network, const LstmParameters& parameters, int streams) {
  return std::make_unique<LstmDecoder>(network, parameters, streams);
}

}  // namespace engine
