// bf16 products by dedicated instructions: AVX512_BF16 (avx512bf16.cpp) and AMX (amx.cpp). Both instructions work on
// pairs: they multiply two neighbours of a row of A, 32 bits, with the numbers of two rows of B, interleaved, and add
// both products to one fp32 sum. (oneDNN calls this layout VNNI.)
//
// This header holds the shared part: the packing of matrices into pairs, and the loops over their parts. The
// instructions are in a class for each set, the template argument Multiplier: VectorMultiplier in avx512bf16.cpp,
// TileMultiplier in amx.cpp.
//
// K is padded with zeros to whole blocks of 32. B is packed in panels of W columns, [panel][pair of rows][column]. A is
// packed in panels of a few rows, [panel][block][row][pair], so that the operands of a tile are contiguous.
//
// Include it between BF16_INSTRUCTIONS_BEGIN and BF16_INSTRUCTIONS_END.
#pragma once
#include "bf16-instructions.hpp"

namespace {

/// Two bf16 numbers, the first in the lower half.
typedef uint32_t Pair __attribute__((may_alias));
typedef uint32_t vuUnaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));

INLINE vu load(const Pair* p) { return *reinterpret_cast<const vuUnaligned*>(p); }
INLINE void store(Pair* p, vu x) { *reinterpret_cast<vuUnaligned*>(p) = x; }

constexpr int kBlock = engine::kPairBlock;
static_assert(kBlock == 2 * W, "the pairs of a block are one vector");
// Number of blocks that hold K numbers.
INLINE int blocksOf(int K) { return (K + kBlock - 1) / kBlock; }

INLINE int minOf(int max, int n) { return n < max ? n : max; }
// Size of the parts if `count` is divided into parts of at most `max`, as even as possible.
INLINE int evenPartSize(int count, int max) {
  const int parts = (count + max - 1) / max;
  return (count + parts - 1) / parts;
}

// Packed matrices are padded to whole pairs of panels.
constexpr int kPanelPair = 2 * W;
// Rows of A, and blocks of K, used at a time. Their packed form stays in the L2 cache while the panels stream through.
constexpr int kPackedRows = 256, kPackedBlocks = 16;
// Largest number of rows of a panel of A.
constexpr int kMaxPanelHeight = 24;
// Size in pairs of the buffer for the packed rows. The last panel may be partial.
constexpr int kPacked = (kPackedRows + kMaxPanelHeight) * kPackedBlocks * W;

// ── packing ──────────────────────────────────────────────────────────────────────────────────────────────────────

// Rounds two vectors to bf16, one after the other.
INLINE vu roundedBoth(vf first, vf second) { return (vu)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first); }

// Packs n > 0 numbers of a row into pairs of neighbours, padded with zeros to a block.
INLINE vu pairsAlong(const float* row, int n) {
  if (n >= kBlock) return roundedBoth(load(row), load(row + W));
  return roundedBoth(loadLanes(row, minOf(W, n)), n > W ? loadLanes(row + W, n - W) : vf{});
}

// Packs two rows into pairs, one pair for each of `columns` columns. A null second row counts as zeros.
INLINE vu pairsAcross(const float* row, const float* next, int columns) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const vu both = roundedBoth(loadLanes(row, columns), next ? loadLanes(next, columns) : vf{});
  return (vu)_mm512_permutexvar_epi16(order, (__m512i)both);
}

// A (M,K) → panels of `height` rows. Missing rows of the last panel stay uninitialised: their sums are not used.
static void packRows(int M, int K, const float* A, long stride, int height, Pair* packed) {
  for (int p = 0; p < M; p += height)
    for (int k = 0; k < K; k += kBlock, packed += height * W)
      for (int r = 0; r < minOf(height, M - p); r++) store(packed + r * W, pairsAlong(A + (p + r) * stride + k, K - k));
}

// A (K,M) → panels of `height` columns of A
static void packColumns(int M, int K, const float* A, long stride, int height, Pair* packed) {
  for (int p = 0; p < M; p += height)
    for (int k = 0; k < K; k += kBlock, packed += height * W)
      for (int first = 0; first < minOf(height, M - p); first += W) {
        const int columns = minOf(W, minOf(height, M - p) - first);
        vf block[W];
        for (int i = 0; i < W; i++) {
          const float* row = A + (k + 2 * i) * stride + p + first;
          block[i] = k + 2 * i < K ? (vf)pairsAcross(row, k + 2 * i + 1 < K ? row + stride : nullptr, columns) : vf{};
        }
        transpose(block);
        for (int c = 0; c < columns; c++) store(packed + (first + c) * W, (vu)block[c]);
      }
}

// B (K,N) → panels of W columns
static void packPanels(int K, int N, const float* B, long stride, Pair* packed) {
  for (int j = 0; j < N; j += W)
    for (int k = 0; k < blocksOf(K) * kBlock; k += 2, packed += W) {
      const float* row = B + k * stride + j;
      store(packed, k < K ? pairsAcross(row, k + 1 < K ? row + stride : nullptr, minOf(W, N - j)) : vu{});
    }
}

// B (N,K) → panels of W rows of B
static void packPanelsTransposed(int K, int N, const float* B, long stride, Pair* packed) {
  for (int j = 0; j < N; j += W)
    for (int k = 0; k < K; k += kBlock) {
      vf block[W];
      for (int i = 0; i < W; i++) block[i] = j + i < N ? (vf)pairsAlong(B + (j + i) * stride + k, K - k) : vf{};
      transpose(block);
      for (int i = 0; i < W; i++, packed += W) store(packed, (vu)block[i]);
    }
}

// B (K,N) → panels. See Kernels::pack and Kernels::packTransposed.
static void pack(int K, int N, const float* B, long stride, float* panels) {
  packPanels(K, N, B, stride, reinterpret_cast<Pair*>(panels));
}
static void packTransposed(int K, int N, const float* B, long stride, float* panels) {
  packPanelsTransposed(K, N, B, stride, reinterpret_cast<Pair*>(panels));
}

// ── products ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// Destination of a tile of sums: C = sums + addend + bias.
struct OutputTile {
  float* C;
  long strideC;
  const float* addend;
  long addendStride;
  const float* bias;
  int columns;

  // Writes W sums of a row, those of vector v.
  __attribute__((always_inline)) void write(int row, int v, vf sum) const {
    const int lanes = columns - v * W < 0 ? 0 : minOf(W, columns - v * W);
    if (bias) sum += loadLanes(bias + v * W, lanes);
    if (addend) sum += loadLanes(addend + row * addendStride + v * W, lanes);
    storeLanes(C + row * strideC + v * W, sum, lanes);
  }
};

/// Arguments of a multiplier: some rows of A times some panels of B.
struct PanelProduct {
  int rows, panels, blocks;
  const Pair *A, *B;
  /// Pairs from one panel of B to the next.
  long nextPanel;
  OutputTile to;
};

// A (M,K), B in panels nextPanel pairs apart → columns begin … end − 1 of C (M,N) = A·B + addend + bias
template <class Multiplier>
static void multiply(int M, int begin, int end, int K, const float* A, long strideA, const Pair* B, long nextPanel,
                     float* C, long strideC, engine::Epilogue e) {
  alignas(64) Pair packed[kPacked];
  const int max = evenPartSize(M, kPackedRows), blocks = blocksOf(K);
  const Multiplier multiplier(max);
  // If each panel of B is read only once, it is read from end to end.
  const int depth = M <= multiplier.rows ? kPacked / (kMaxPanelHeight * W) : kPackedBlocks;
  for (int i = 0; i < M; i += max) {
    const int rows = minOf(max, M - i);
    for (int b = 0; b < blocks; b += depth) {
      const int part = minOf(depth, blocks - b), k = b * kBlock;
      packRows(rows, minOf(part * kBlock, K - k), A + i * strideA + k, strideA, multiplier.height, packed);
      for (int j = begin; j < end; j += multiplier.panels * W)
        for (int r = 0; r < rows; r += multiplier.rows) {
          float* to = C + (i + r) * strideC + j;
          // The first part of K adds to the addend, and later parts add to C.
          const float* addend = b > 0 ? to : e.addend ? e.addend + (i + r) * e.addendStride + j : nullptr;
          multiplier.multiply({minOf(multiplier.rows, rows - r),
                               minOf(multiplier.panels, (end - j + kPanelPair - 1) / kPanelPair * 2),
                               part,
                               packed + static_cast<long>(r) * part * W,
                               B + (j / W) * nextPanel + static_cast<long>(b) * W * W,
                               nextPanel,
                               {to, strideC, addend, b > 0 ? strideC : e.addendStride,
                                b > 0 || !e.bias ? nullptr : e.bias + j, end - j}});
        }
    }
  }
}

// A (M,K), panels of packedRows ≥ K rows → C (M,N) = A·B + addend + bias. See Kernels::product.
template <class Multiplier>
static void product(int M, int N, int K, const float* A, long strideA, const float* panels, int packedRows, float* C,
                    long strideC, engine::Epilogue e) {
  multiply<Multiplier>(M, 0, N, K, A, strideA, reinterpret_cast<const Pair*>(panels), blocksOf(packedRows) * W * W, C,
                       strideC, e);
}

// The same for pairs of panels firstPanel … endPanel − 1. See Kernels::streamProduct.
template <class Multiplier>
static void streamProduct(int M, int N, int K, const float* A, long strideA, const float* panels, int firstPanel,
                          int endPanel, float* C, long strideC, engine::Epilogue e) {
  multiply<Multiplier>(M, firstPanel * kPanelPair, minOf(N, endPanel * kPanelPair), K, A, strideA,
                       reinterpret_cast<const Pair*>(panels), static_cast<long>(blocksOf(K)) * W * W, C, strideC, e);
}

// A (K,M), B (K,N) → C (M,N) += Aᵀ·B, or = if `overwrite`. See Kernels::accumulateGradient.
template <class Multiplier>
static void accumulateGradient(int M, int N, int K, const float* A, long strideA, const float* B, long strideB,
                               float* C, long strideC, bool overwrite, float* scratch) {
  const int max = evenPartSize(M, engine::kGradientColumns);
  const Multiplier multiplier(max);
  Pair* const packedB = reinterpret_cast<Pair*>(scratch);
  Pair* const packedA = packedB + engine::kGradientRows / 2 * W * multiplier.panels;
  for (int k = 0; k < K; k += engine::kGradientRows) {
    const int depth = minOf(engine::kGradientRows, K - k), blocks = blocksOf(depth);
    for (int i = 0; i < M; i += max) {
      const int rows = minOf(max, M - i);
      packColumns(rows, depth, A + k * strideA + i, strideA, multiplier.height, packedA);
      for (int j = 0; j < N; j += multiplier.panels * W) {
        packPanels(depth, minOf(multiplier.panels * W, N - j), B + k * strideB + j, strideB, packedB);
        for (int r = 0; r < rows; r += multiplier.rows) {
          float* to = C + (i + r) * strideC + j;
          multiplier.multiply({minOf(multiplier.rows, rows - r),
                               multiplier.panels,
                               blocks,
                               packedA + static_cast<long>(r) * blocks * W,
                               packedB,
                               blocks * W * W,
                               {to, strideC, overwrite && k == 0 ? nullptr : to, strideC, nullptr, N - j}});
        }
      }
    }
  }
}

/// The tables of AVX-512 with the bf16 products of a Multiplier.
struct PairTables {
  engine::Kernels fp32, bf16Products;
  explicit PairTables(const engine::Kernels& products) : fp32(*products.fp32), bf16Products(products) {
    fp32.fp32 = bf16Products.fp32 = &fp32;
    fp32.bf16 = bf16Products.bf16 = &bf16Products;
  }
};

// A copy of k with the products of a Multiplier.
template <class Multiplier>
INLINE engine::Kernels withPairs(engine::Kernels k, const char* name) {
  k.name = name;
  k.packedBlock = kBlock;
  k.pack = pack;
  k.packTransposed = packTransposed;
  k.product = product<Multiplier>;
  k.accumulateGradient = accumulateGradient<Multiplier>;
  return k;
}

}  // namespace
