// The table of kernels: all computation of the engine. There is one table for each instruction set, compiled from the
// same sources in kernels/. Model code (src/) calls only this table.
//
// Conventions: matrices are row-major fp32; sizes and strides are in elements; a stride is the distance from one row to
// the next. The caller owns all arrays. Arrays must not overlap unless a comment allows it. M, N, K, A, B, C as in
// BLAS.
#pragma once
#include <cstddef>
#include <cstdint>

namespace engine {

/// Selects a dropout mask: Philox is keyed by (seed, step) and counts (element, sequence, site).
struct MaskKey {
  uint32_t seed, step, sequence, site;
};

/// One head of one sequence: q, k and v are (length,width), with rows `stride` apart.
struct AttentionHead {
  int length, width;
  const float *q, *k, *v;
  long stride;
  /// Factor of the scores: a score is scale · q·k.
  float scale;
  /// dropoutThreshold: the result of dropoutThreshold(); 0 means no dropout. head: index of the head, so that each head
  /// has its own mask.
  uint32_t dropoutThreshold;
  int head;
  MaskKey maskKey;
};

/// Settings of one AdamW update (Loshchilov and Hutter 2019) of one parameter.
struct AdamW {
  float learningRate, beta1, beta2, epsilon, weightDecay;
  /// 1 − β1ᵗ and 1 − β2ᵗ for update t.
  float correction1, correction2;
  /// Factor of the gradients: the clipping factor.
  float gradientScale;
};

/// The terms that are added to a product: C = A·B + addend + bias. addend (M,N) may be C, to accumulate.
struct Epilogue {
  const float* addend = nullptr;
  long addendStride = 0;
  /// (N)
  const float* bias = nullptr;
};

/// Largest sizes of the packed parts of a gradient product: rows of A and B, columns of A, and columns of B.
constexpr int kGradientRows = 256, kGradientColumns = 528, kGradientVectors = 64;

/// Number of queries, and of keys, in one attention tile. Dropout masks depend on it.
constexpr int kAttentionBlock = 64;

/// Heads of this width have kernels of their own on AVX2 and AVX-512 (kernels/attention-vectors.hpp).
constexpr int kVectorHead = 8;

/// Panels are padded to multiples of this many rows where products use pairs of rows (kernels/pairs.hpp).
constexpr int kPairBlock = 32;

/// The kernels of one instruction set, with products of one precision.
struct Kernels {
  const char* name;
  /// Columns of a pair of panels: packed matrices are padded to a multiple of it.
  int panel;
  /// Bytes of a number in panels: 4, or 2 if products round A and B to bf16. Sums are fp32 in both cases.
  int elementSize;
  /// Panels are padded to a multiple of this many rows.
  int packedBlock;
  /// The same kernels with fp32 products, and with bf16 products.
  const Kernels *fp32, *bf16;

  // ── products ─────────────────────────────────────────────────────────────────────────────────────────────────
  /// B (K,N) → packed, packedSize(K, N) floats: panels of panel/2 columns, padded with zeros.
  void (*pack)(int K, int N, const float* B, long stride, float* packed);
  /// B (N,K) → packed, packedSize(K, N) floats: panels of Bᵀ.
  void (*packTransposed)(int K, int N, const float* B, long stride, float* packed);
  /// A (M,K), packedB (packedRows,N) → C (M,N) = A·B + addend + bias. Uses the first K ≤ packedRows rows of B.
  void (*product)(int M, int N, int K, const float* A, long strideA, const float* packedB, int packedRows, float* C,
                  long strideC, Epilogue epilogue);
  /// Gradient of a weight: A (K,M), B (K,N) → C (M,N) += Aᵀ·B, or C = Aᵀ·B if `overwrite`. scratch: gradientScratch()
  /// floats.
  void (*accumulateGradient)(int M, int N, int K, const float* A, long strideA, const float* B, long strideB, float* C,
                             long strideC, bool overwrite, float* scratch);

  // ── decoding ─────────────────────────────────────────────────────────────────────────────────────────────────
  /// product() for few rows: computes only the columns of panel pairs firstPanel … endPanel − 1 and reads each panel
  /// once, from end to end. packedRows is K.
  void (*streamProduct)(int M, int N, int K, const float* A, long strideA, const float* packedB, int firstPanel,
                        int endPanel, float* C, long strideC, Epilogue epilogue);
  /// Appends a token to the cache of a head. key (D), value (D) → keys: panels of `panel` tokens, [panel][D][token];
  /// values: rows of valueRowSize(D) floats.
  void (*appendToCache)(int position, int D, const float* key, const float* value, float* keys, float* values);
  /// Attention of one query to the first `count` tokens of a cache. q (D) → out (D) = softmax(scale · q·K)·V. scores:
  /// scratch of paddedTokens(count) floats.
  void (*attentionDecode)(int count, int D, float scale, const float* q, const float* keys, const float* values,
                          float* scores, float* out);

  // ── attention ────────────────────────────────────────────────────────────────────────────────────────────────
  /// Causal attention of one head. q, k, v (T,D) → out (T,D) = softmax(scale · q·kᵀ)·v, rows outStride apart. For the
  /// backward pass it also stores rowMax (T), the largest score of a query times log2(e), and rowSumInv (T), 1 / Σ
  /// 2^(score − rowMax). scratch: attentionScratch(width, length) floats.
  void (*attention)(const AttentionHead&, float* out, long outStride, float* rowMax, float* rowSumInv, float* scratch);
  /// Attention backward: given out and dout (T,D), computes dq, dk, dv (T,D). They use the same strides as q, k, v.
  /// Overwrites dq, dk, dv. scratch as above.
  void (*attentionBackward)(const AttentionHead&, const float* out, const float* dout, long outStride,
                            const float* rowMax, const float* rowSumInv, float* dq, float* dk, float* dv,
                            float* scratch);

  /// Rotary positions: rotates x (rows,heads,D), rows `stride` apart, in place. Row r uses cosines (rows,D/2) and sines
  /// (rows,D/2), which fillRotaryTable() makes. direction: 1, or −1 for the inverse, which the backward pass needs.
  void (*rotate)(int rows, int heads, int D, const float* cosines, const float* sines, float direction, float* x,
                 long stride);

  // ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────
  /// x (rows,C), weight (C), bias (C) or null → out (rows,C) = (x − mean)/√(var + 1e-5) · weight + bias, mean (rows),
  /// rstd (rows) = 1/√(var + 1e-5). mean and rstd may both be null.
  void (*layerNorm)(int rows, int C, const float* x, const float* weight, const float* bias, float* out, float* mean,
                    float* rstd);
  /// LayerNorm backward: dout (rows,C) → dx (rows,C) = gradient + addend. addend may be dx or null. dweight (C) and
  /// dbias (C, may be null) accumulate. If `out` is not null, the output of layerNorm is recomputed into it.
  void (*layerNormBackward)(int rows, int C, const float* x, const float* weight, const float* bias, const float* mean,
                            const float* rstd, const float* dout, const float* addend, float* dx, float* dweight,
                            float* dbias, float* out);
  /// x (rows,N) → sums (N) += Σ over rows of x
  void (*addColumnSums)(int rows, int N, const float* x, long stride, float* sums);
  /// logits (rows,V), targets (rows) → Σ over rows of −log softmax(logits)[target]. If scale ≠ 0, the logits become
  /// their gradient (softmax − onehot) · scale.
  double (*crossEntropy)(int rows, int V, float* logits, const uint32_t* targets, float scale);

  // ── elements ─────────────────────────────────────────────────────────────────────────────────────────────────
  /// x (n) → out (n) = gelu(x), tanh form. x may be out.
  void (*gelu)(long n, const float* x, float* out);
  /// x (n), dout (n) → out (n) = gelu(x), and dout becomes dx.
  void (*geluBackward)(long n, const float* x, float* out, float* dout);
  /// sum (n) += x (n)
  void (*add)(long n, const float* x, float* sum);
  /// x (n) → out (n) = x / (1 − p) where the mask keeps an element, else 0. threshold = p · 65536. x may be out.
  void (*dropout)(long n, const float* x, float* out, uint32_t threshold, MaskKey key);
  /// The same for `rows` rows of `keys` elements. Row r uses the mask of row firstRow + r of key.sequence.
  void (*dropoutRows)(int rows, int keys, const float* x, float* out, long stride, uint32_t firstRow,
                      uint32_t threshold, MaskKey key);
  /// LSTM forward of one time step: gates (B,4H: i f g o) before their nonlinearities → after them, in place;
  /// previousCell (B,H) or null for zeros → cell, tanhCell, hidden (B,H). cell may be previousCell.
  void (*lstmCell)(int B, int H, float* gates, const float* previousCell, float* cell, float* tanhCell, float* hidden);
  /// LSTM backward of one time step: gates (B,4H) become their gradients before the nonlinearities. dhidden (B,H);
  /// dcell (B,H): on entry the gradient from the next time step, on return the gradient for the previous one.
  void (*lstmCellBackward)(int B, int H, float* gates, const float* previousCell, const float* tanhCell,
                           const float* dhidden, float* dcell);
  /// Σ of x²
  double (*sumOfSquares)(long n, const float* x);
  /// One AdamW update of n parameters w, with gradients g and moments m, v. Updates w, m, v in place.
  void (*adamw)(long n, float* w, const float* g, float* m, float* v, AdamW settings);
  /// For the benchmark: runs n rounds of multiply-adds on registers only, with enough independent sums to keep the
  /// arithmetic units busy. Returns the number of operations.
  double (*multiplyAdds)(long n);
  /// For tests: x (n) → out (n)
  void (*exp)(long n, const float* x, float* out);
  void (*tanh)(long n, const float* x, float* out);
  void (*sigmoid)(long n, const float* x, float* out);

  /// Pairs of panels of a matrix with N columns.
  int panels(long N) const { return static_cast<int>((N + panel - 1) / panel); }
  /// Distance in floats from one value in a cache to the next: D rounded up to a multiple of a vector, which is half of
  /// `panel`.
  size_t valueRowSize(size_t D) const { return (D + panel / 2 - 1) / (panel / 2) * (panel / 2); }
  /// Tokens that a cache of T tokens has space for.
  size_t paddedTokens(size_t T) const { return packedColumns(T); }
  long packedColumns(long N) const { return (N + panel - 1) / panel * panel; }
  /// Scratch sizes in floats.
  size_t gradientScratch() const {
    return static_cast<size_t>(kGradientRows) * (kGradientVectors + kGradientColumns) + 64;
  }
  size_t attentionScratch(size_t D, size_t T) const {
    const size_t tiles = 3 * kAttentionBlock * kAttentionBlock + D * (3 * kAttentionBlock + 2 * (T + panel));
    const size_t vectors = 6 * T * D;  // attention-vectors.hpp
    return D == kVectorHead && vectors > tiles ? vectors : tiles;
  }
  /// Floats of the panels of a (K,N) matrix.
  size_t packedSize(long K, long N) const {
    const long rows = (K + packedBlock - 1) / packedBlock * packedBlock;
    return (static_cast<size_t>(packedColumns(N)) * rows * elementSize + 3) / 4;
  }
};

const Kernels& genericKernels();
#ifdef ENGINE_X64
const Kernels& avx2Kernels();
const Kernels& avx512Kernels();
/// Tables of AVX-512 whose bf16 products use AVX512_BF16 or AMX. Null if the compiler does not know these instructions.
const Kernels* avx512bf16Kernels();
const Kernels* amxKernels();
#endif

/// Returns the table called `name` (generic, avx2, avx512, avx512bf16, amx), with fp32 products. A null or empty name
/// selects the best table for this CPU. Returns null if the CPU lacks the instructions or the name is unknown.
const Kernels* chooseKernels(const char* name);

}  // namespace engine
