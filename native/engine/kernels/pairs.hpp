// Products of bf16 by the instructions that some CPUs have for them. Such an instruction takes pairs: it multiplies two
// neighbours of a row of A, 32 bits, with the numbers of two rows of B side by side, and adds both products to one sum
// of fp32. Here is what these instructions share: how matrices are laid out in pairs, and which parts of them are
// multiplied when. What multiplies is a class of its own for each: Vectors in avx512bf16.cpp, Tiles in amx.cpp.
//
// K is padded with zeros to whole blocks of 32. B lies in panels of W columns, [panel][pair of rows][column]; A in
// panels of a few rows, [panel][block][row][pair], so that what a tile takes of them lies in one piece.
//
// To be included between BF16_INSTRUCTIONS_BEGIN and _END.
#pragma once
#include "bf16-instructions.hpp"

namespace {

/// two numbers of bf16, the first in the lower half
typedef uint32_t Pair __attribute__((may_alias));
typedef uint32_t vuUnaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));

INLINE vu load(const Pair* p) { return *reinterpret_cast<const vuUnaligned*>(p); }
INLINE void store(Pair* p, vu x) { *reinterpret_cast<vuUnaligned*>(p) = x; }

constexpr int kBlock = engine::kPairBlock;
static_assert(kBlock == 2 * W, "the pairs of a block are one vector");
INLINE int blocksOf(int K) { return (K + kBlock - 1) / kBlock; }

INLINE int atMost(int most, int n) { return n < most ? n : most; }
// the size of parts of at most `most`, as even as they can be
INLINE int evenPart(int count, int most) {
  const int parts = (count + most - 1) / most;
  return (count + parts - 1) / parts;
}

// packed matrices are padded to whole pairs of panels
constexpr int kPanelPair = 2 * W;
// rows of A, and blocks of K, taken at a time: packed, they stay in the second-level cache while the panels pass
constexpr int kPackedRows = 256, kPackedBlocks = 16;
// a panel of A has at most so many rows
constexpr int kMostHeight = 24;
// a buffer for them: the last panel may be a part of one
constexpr int kPacked = (kPackedRows + kMostHeight) * kPackedBlocks * W;

// ── packing ──────────────────────────────────────────────────────────────────────────────────────────────────────

// two vectors rounded to bf16, one after the other
INLINE vu roundedBoth(vf first, vf second) { return (vu)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first); }

// the pairs along a row: n > 0 numbers of it, and zeros up to a block
INLINE vu pairsAlong(const float* row, int n) {
  if (n >= kBlock) return roundedBoth(load(row), load(row + W));
  return roundedBoth(loadLanes(row, atMost(W, n)), n > W ? loadLanes(row + W, n - W) : vf{});
}

// the pairs of two rows, `columns` of them; zeros for a second row that is not there
INLINE vu pairsAcross(const float* row, const float* next, int columns) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const vu both = roundedBoth(loadLanes(row, columns), next ? loadLanes(next, columns) : vf{});
  return (vu)_mm512_permutexvar_epi16(order, (__m512i)both);
}

// A (M × K) into panels of `height` rows. What a part of a panel lacks is left as it is: nobody wants its sums.
static void packRows(int M, int K, const float* A, long stride, int height, Pair* packed) {
  for (int p = 0; p < M; p += height)
    for (int k = 0; k < K; k += kBlock, packed += height * W)
      for (int r = 0; r < atMost(height, M - p); r++)
        store(packed + r * W, pairsAlong(A + (p + r) * stride + k, K - k));
}

// the transpose of A (K × M) into panels of `height` columns
static void packColumns(int M, int K, const float* A, long stride, int height, Pair* packed) {
  for (int p = 0; p < M; p += height)
    for (int k = 0; k < K; k += kBlock, packed += height * W)
      for (int first = 0; first < atMost(height, M - p); first += W) {
        const int columns = atMost(W, atMost(height, M - p) - first);
        vf block[W];
        for (int i = 0; i < W; i++) {
          const float* row = A + (k + 2 * i) * stride + p + first;
          block[i] = k + 2 * i < K ? (vf)pairsAcross(row, k + 2 * i + 1 < K ? row + stride : nullptr, columns) : vf{};
        }
        transpose(block);
        for (int c = 0; c < columns; c++) store(packed + (first + c) * W, (vu)block[c]);
      }
}

// B (K × N) into panels of W columns
static void packPanels(int K, int N, const float* B, long stride, Pair* packed) {
  for (int j = 0; j < N; j += W)
    for (int k = 0; k < blocksOf(K) * kBlock; k += 2, packed += W) {
      const float* row = B + k * stride + j;
      store(packed, k < K ? pairsAcross(row, k + 1 < K ? row + stride : nullptr, atMost(W, N - j)) : vu{});
    }
}

// the transpose of B (N × K) into panels of W of its rows
static void packPanelsTransposed(int K, int N, const float* B, long stride, Pair* packed) {
  for (int j = 0; j < N; j += W)
    for (int k = 0; k < K; k += kBlock) {
      vf block[W];
      for (int i = 0; i < W; i++) block[i] = j + i < N ? (vf)pairsAlong(B + (j + i) * stride + k, K - k) : vf{};
      transpose(block);
      for (int i = 0; i < W; i++, packed += W) store(packed, (vu)block[i]);
    }
}

static void pack(int K, int N, const float* B, long stride, float* panels) {
  packPanels(K, N, B, stride, reinterpret_cast<Pair*>(panels));
}
static void packTransposed(int K, int N, const float* B, long stride, float* panels) {
  packPanelsTransposed(K, N, B, stride, reinterpret_cast<Pair*>(panels));
}

// ── products ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// where sums go: C = sums + addend + bias
struct Target {
  float* C;
  long strideC;
  const float* addend;
  long addendStride;
  const float* bias;
  int columns;

  // W sums of a row, those of vector v
  __attribute__((always_inline)) void write(int row, int v, vf sum) const {
    const int lanes = columns - v * W < 0 ? 0 : atMost(W, columns - v * W);
    if (bias) sum += loadLanes(bias + v * W, lanes);
    if (addend) sum += loadLanes(addend + row * addendStride + v * W, lanes);
    storeLanes(C + row * strideC + v * W, sum, lanes);
  }
};

/// some rows of A times some panels of B
struct Part {
  int rows, panels, blocks;
  const Pair *A, *B;
  /// from one panel of B to the next
  long nextPanel;
  Target to;
};

// Columns first … end − 1 of C (M × N) = A·B + …, `nextPanel` from one panel of B to the next
template <class Multiplier>
static void multiply(int M, int first, int end, int K, const float* A, long strideA, const Pair* B, long nextPanel,
                     float* C, long strideC, engine::Epilogue e) {
  alignas(64) Pair packed[kPacked];
  const int most = evenPart(M, kPackedRows), blocks = blocksOf(K);
  const Multiplier multiplier(most);
  // where each panel of B is read once it is read from end to end
  const int depth = M <= multiplier.rows ? kPacked / (kMostHeight * W) : kPackedBlocks;
  for (int i = 0; i < M; i += most) {
    const int rows = atMost(most, M - i);
    for (int b = 0; b < blocks; b += depth) {
      const int part = atMost(depth, blocks - b), k = b * kBlock;
      packRows(rows, atMost(part * kBlock, K - k), A + i * strideA + k, strideA, multiplier.height, packed);
      for (int j = first; j < end; j += multiplier.panels * W)
        for (int r = 0; r < rows; r += multiplier.rows) {
          float* to = C + (i + r) * strideC + j;
          // what the first part of K is added to, and all others
          const float* addend = b > 0 ? to : e.addend ? e.addend + (i + r) * e.addendStride + j : nullptr;
          multiplier.multiply({atMost(multiplier.rows, rows - r),
                               atMost(multiplier.panels, (end - j + kPanelPair - 1) / kPanelPair * 2),
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

template <class Multiplier>
static void product(int M, int N, int K, const float* A, long strideA, const float* panels, int packedRows, float* C,
                    long strideC, engine::Epilogue e) {
  multiply<Multiplier>(M, 0, N, K, A, strideA, reinterpret_cast<const Pair*>(panels), blocksOf(packedRows) * W * W, C,
                       strideC, e);
}

// the same for the panels that streams take, `first` … `end` − 1, in pairs
template <class Multiplier>
static void streamProduct(int M, int N, int K, const float* A, long strideA, const float* panels, int first, int end,
                          float* C, long strideC, engine::Epilogue e) {
  multiply<Multiplier>(M, first * kPanelPair, atMost(N, end * kPanelPair), K, A, strideA,
                       reinterpret_cast<const Pair*>(panels), static_cast<long>(blocksOf(K)) * W * W, C, strideC, e);
}

template <class Multiplier>
static void accumulateGradient(int M, int N, int K, const float* A, long strideA, const float* B, long strideB,
                               float* C, long strideC, bool first, float* scratch) {
  const int most = evenPart(M, engine::kGradientColumns);
  const Multiplier multiplier(most);
  Pair* const packedB = reinterpret_cast<Pair*>(scratch);
  Pair* const packedA = packedB + engine::kGradientRows / 2 * W * multiplier.panels;
  for (int k = 0; k < K; k += engine::kGradientRows) {
    const int depth = atMost(engine::kGradientRows, K - k), blocks = blocksOf(depth);
    for (int i = 0; i < M; i += most) {
      const int rows = atMost(most, M - i);
      packColumns(rows, depth, A + k * strideA + i, strideA, multiplier.height, packedA);
      for (int j = 0; j < N; j += multiplier.panels * W) {
        packPanels(depth, atMost(multiplier.panels * W, N - j), B + k * strideB + j, strideB, packedB);
        for (int r = 0; r < rows; r += multiplier.rows) {
          float* to = C + (i + r) * strideC + j;
          multiplier.multiply({atMost(multiplier.rows, rows - r),
                               multiplier.panels,
                               blocks,
                               packedA + static_cast<long>(r) * blocks * W,
                               packedB,
                               blocks * W * W,
                               {to, strideC, first && k == 0 ? nullptr : to, strideC, nullptr, N - j}});
        }
      }
    }
  }
}

/// AVX-512's tables with other products of bf16
struct PairTables {
  engine::Kernels fp32, bf16Products;
  explicit PairTables(const engine::Kernels& products) : fp32(*products.fp32), bf16Products(products) {
    fp32.fp32 = bf16Products.fp32 = &fp32;
    fp32.bf16 = bf16Products.bf16 = &bf16Products;
  }
};

// k with the products of a Multiplier
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
