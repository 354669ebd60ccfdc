// The kernels that everything else is built from: one table of functions for each instruction set, all compiled from
// the same source in kernels/. Model code sees only this table. Matrices are row-major; sizes are in elements.
#pragma once
#include <cstddef>
#include <cstdint>

namespace engine {

/// Which dropout mask: Philox is keyed by (seed, step) and counts (element, sequence, site).
struct MaskKey {
  uint32_t seed, step, sequence, site;
};

/// One head of one sequence, for attention: `length` queries, keys and values of `width` numbers, rows `stride` apart.
struct AttentionHead {
  int length, width;
  const float *q, *k, *v;
  long stride;
  /// scores are q·k times this
  float scale;
  /// threshold of dropout, 0 for none; `number` tells the masks of heads apart
  uint32_t dropout;
  int number;
  MaskKey mask;
};

struct AdamW {
  float learningRate, beta1, beta2, epsilon, weightDecay;
  /// 1 − βᵗ
  float correction1, correction2;
  /// what gradients are multiplied with first: the clipping factor
  float gradientScale;
};

/// What a product is added to: C = A·B + addend + bias. With addend = C it accumulates.
struct Epilogue {
  const float* addend = nullptr;
  long addendStride = 0;
  /// one value a column
  const float* bias = nullptr;
};

/// what a gradient product takes at a time: rows of A and B, columns of A, and, at most, columns of B
constexpr int kGradientRows = 256, kGradientColumns = 528, kGradientVectors = 64;

/// queries, and keys, that attention takes at a time
constexpr int kAttentionBlock = 64;

/// rows that panels are padded to whole blocks of, where products take pairs of them (kernels/pairs.hpp)
constexpr int kPairBlock = 32;

struct Kernels {
  const char* name;
  /// columns that packed matrices are padded to, two panels
  int panel;
  /// bytes of a number in panels: 4, or 2 where products round what they multiply to bf16. They add in fp32 either way.
  int numberSize;
  /// rows that panels are padded to whole blocks of
  int packedBlock;
  /// the same kernels with products of fp32, and of bf16
  const Kernels *fp32, *bf16;

  // ── products ─────────────────────────────────────────────────────────────────────────────────────────────────
  /// B (K × N, rows `stride` apart) into panels of half `panel` columns, padded with zeros; `packed` has packedSize(K,
  /// N) floats
  void (*pack)(int K, int N, const float* B, long stride, float* packed);
  /// the transpose of B (N × K) into panels
  void (*packTransposed)(int K, int N, const float* B, long stride, float* packed);
  /// C (M × N) = A·B + …; B was packed with panels of packedRows ≥ K rows, of which the first K are used
  void (*product)(int M, int N, int K, const float* A, long strideA, const float* packedB, int packedRows, float* C,
                  long strideC, Epilogue epilogue);
  /// C (M × N) += Aᵀ·B for A (K × M) and B (K × N): the gradient of a weight. Where it is the first of its sum, what C
  /// held does not count. scratch: gradientScratch() floats
  void (*accumulateGradient)(int M, int N, int K, const float* A, long strideA, const float* B, long strideB, float* C,
                             long strideC, bool first, float* scratch);

  // ── decoding ─────────────────────────────────────────────────────────────────────────────────────────────────
  /// product for few rows: the columns of panels first … end − 1 only, each panel read once, from end to end;
  /// packedRows is K
  void (*streamProduct)(int M, int N, int K, const float* A, long strideA, const float* packedB, int first, int end,
                        float* C, long strideC, Epilogue epilogue);
  /// a token's key and value (D numbers each) into what is kept of a head: keys in panels of `panel` tokens, values as
  /// rows of keptRow(D) floats
  void (*keepToken)(int position, int D, const float* key, const float* value, float* keys, float* values);
  /// out = softmax(scale · q·K)·V for the one query q and the `count` tokens kept first; scores: room for
  /// keptTokens(count)
  void (*attendToKept)(int count, int D, float scale, const float* q, const float* keys, const float* values,
                       float* scores, float* out);

  // ── attention ────────────────────────────────────────────────────────────────────────────────────────────────
  /// out = causal softmax(scale · q·kᵀ)·v. For each query, `largest` is the largest of its scores, as a power of two,
  /// and `inverse` 1 / the sum of theirs relative to it. scratch: attentionScratch(width, length) floats
  void (*attend)(const AttentionHead&, float* out, long outStride, float* largest, float* inverse, float* scratch);
  /// from what attend gave and its gradient to those of queries, keys and values, which are as far apart as these
  /// themselves
  void (*attendBackward)(const AttentionHead&, const float* out, const float* dout, long outStride,
                         const float* largest, const float* inverse, float* dq, float* dk, float* dv, float* scratch);

  // ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────
  /// out = (x − mean)/√(var + 1e-5) · gain + bias, a row at a time; mean and 1/√… kept where asked for
  void (*layerNorm)(int rows, int C, const float* x, const float* gain, const float* bias, float* out, float* mean,
                    float* rstd);
  /// dx = the gradient through LayerNorm of dout (+ addend, which may be dx); dgain and dbias (may be null) accumulate.
  /// What layerNorm gave goes into `out` once more, where that is not null
  void (*layerNormBackward)(int rows, int C, const float* x, const float* gain, const float* bias, const float* mean,
                            const float* rstd, const float* dout, const float* addend, float* dx, float* dgain,
                            float* dbias, float* out);
  /// sums[j] += Σᵢ x(i, j)
  void (*addColumnSums)(int rows, int N, const float* x, long stride, float* sums);
  /// Σ of −log softmax(logits)[target] over rows; the logits become (softmax − onehot) · scale where scale ≠ 0
  double (*crossEntropy)(int rows, int V, float* logits, const uint32_t* targets, float scale);

  // ── elements ─────────────────────────────────────────────────────────────────────────────────────────────────
  /// GELU in its tanh form
  void (*gelu)(long n, const float* x, float* out);
  /// out = gelu(x), dout becomes dx
  void (*geluBackward)(long n, const float* x, float* out, float* dout);
  void (*add)(long n, const float* x, float* sum);
  /// out = x / (1 − p) where the mask keeps it, else 0; threshold = p · 65536. In place allowed.
  void (*dropout)(long n, const float* x, float* out, uint32_t threshold, MaskKey key);
  /// the same for the rows of one head's attention: key.sequence's mask row firstRow + r
  void (*dropoutRows)(int rows, int keys, const float* x, float* out, long stride, uint32_t firstRow,
                      uint32_t threshold, MaskKey key);
  /// One time step of B streams: gates (B × 4H: i f g o, before their nonlinearities) in place; previousCell may be
  /// null
  void (*lstmCell)(int B, int H, float* gates, const float* previousCell, float* cell, float* tanhCell, float* hidden);
  /// gates become their gradients before the nonlinearities; dcell: gradient from the next step in, to the previous out
  void (*lstmCellBackward)(int B, int H, float* gates, const float* previousCell, const float* tanhCell,
                           const float* dhidden, float* dcell);
  double (*sumOfSquares)(long n, const float* x);
  void (*adamw)(long n, float* w, const float* g, float* m, float* v, AdamW settings);
  /// for the bench: n rounds of multiply-adds on registers alone, as many as keep the units busy; returns the
  /// operations
  double (*multiplyAdds)(long n);
  /// for tests
  void (*exp)(long n, const float* x, float* out);
  void (*tanh)(long n, const float* x, float* out);
  void (*sigmoid)(long n, const float* x, float* out);

  int panels(long N) const { return static_cast<int>((N + panel - 1) / panel); }
  /// `panel` is two vectors
  size_t keptRow(size_t D) const { return (D + panel / 2 - 1) / (panel / 2) * (panel / 2); }
  size_t keptTokens(size_t T) const { return packedColumns(T); }
  long packedColumns(long N) const { return (N + panel - 1) / panel * panel; }
  size_t gradientScratch() const {
    return static_cast<size_t>(kGradientRows) * (kGradientVectors + kGradientColumns) + 64;
  }
  size_t attentionScratch(size_t D, size_t T) const {
    return 3 * kAttentionBlock * kAttentionBlock + D * (3 * kAttentionBlock + 2 * (T + panel));
  }
  /// floats that the panels of a K × N matrix take
  size_t packedSize(long K, long N) const {
    const long rows = (K + packedBlock - 1) / packedBlock * packedBlock;
    return (static_cast<size_t>(packedColumns(N)) * rows * numberSize + 3) / 4;
  }
};

const Kernels& genericKernels();
#ifdef ENGINE_X64
const Kernels& avx2Kernels();
const Kernels& avx512Kernels();
/// Those of AVX-512 with other products of bf16. Null where the compiler did not know the instructions.
const Kernels* avx512bf16Kernels();
const Kernels* amxKernels();
#endif

/// The best that this CPU has, or the one named (generic, avx2, avx512, avx512bf16, amx), with products of fp32. Null
/// when the CPU lacks it or there is no such name.
const Kernels* chooseKernels(const char* name);

}  // namespace engine
