// Divides the buffers; gpt-workspace.hpp describes them.
#include "gpt-workspace.hpp"

#include <algorithm>

namespace engine {

size_t GptWorkspace::layOut(float* memory, const Shape& shape, const Kernels& kernels) {
  Arena arena(memory);
  const size_t T = shape.length, R = shape.sequences * T, C = shape.width;
  const int headWidth = shape.width / shape.heads;
  layers.resize(shape.layers);
  for (int i = 0; i < shape.layers; i++) {
    // Without a backward pass, all layers share the buffers of the first.
    if (i > 0 && !shape.training) {
      layers[i] = layers[0];
      continue;
    }
    GptActivations& a = layers[i];
    a.x = arena.allocate(R * C);
    a.ln1Mean = arena.allocate(R);
    a.ln1Rstd = arena.allocate(R);
    a.qkv = arena.allocate(R * 3 * C);
    a.rowMax = arena.allocate(R * shape.heads);
    a.rowSumInv = arena.allocate(R * shape.heads);
    a.attnOut = arena.allocate(R * C);
    a.residual = arena.allocate(R * C);
    a.ln2Mean = arena.allocate(R);
    a.ln2Rstd = arena.allocate(R);
    a.fch = arena.allocate(R * 4 * C);
  }
  x = shape.training ? arena.allocate(R * C) : layers[0].x;
  lnfMean = arena.allocate(R);
  lnfRstd = arena.allocate(R);
  lnOut = arena.allocate(R * C);
  dlnOut = arena.allocate(shape.training ? R * C : 0);
  dx = arena.allocate(shape.training ? R * C : 0);
  dbranch = arena.allocate(R * C);
  fchGelu = arena.allocate(R * 4 * C);
  dfch = arena.allocate(shape.training ? R * 4 * C : 0);
  logits = arena.allocate(std::min<size_t>(shape.logitRows, R) * shape.vocabulary);
  attentionScratch = arena.allocate(kernels.fp32->attentionScratch(headWidth, shape.length));
  gradientScratch = arena.allocate(kernels.gradientScratch());
  if (shape.rotary) rotary.allocate(arena, T, headWidth);
  return arena.used();
}

}  // namespace engine
