// Causal attention of one head of one sequence, and its gradient, in tiles of queries by keys as in FlashAttention (Dao
// et al. 2022) with online softmax (Milakov and Gimelshein 2018). Scores never leave the caches, and tiles of later
// keys are not computed.
//
// Each query has a SIMD lane: scores are stored as [key][query]. So the softmax needs no reduction across lanes,
// products have whole vectors of columns even if a head is narrow, and keys and values are read in place.
#pragma once
#include "attention-vectors.hpp"
#include "elements.hpp"
#include "gemm.hpp"
#include "math.hpp"

namespace {

// Number of queries, and of keys, in a tile. It is the same for every instruction set, because dropout masks depend on
// it.
constexpr int kTileSize = engine::kAttentionBlock;
constexpr int kVectorsOfTile = kTileSize / W;

// Transposes (rows,D) to [D][kTileSize], times `factor`. Pads rows with zeros to a whole vector.
static void rowsToColumns(int rows, int D, const float* from, long stride, float factor, float* to) {
  for (int i = 0; i < rows; i += W)
    for (int d = 0; d < D; d += W) {
      const int depth = D - d < W ? D - d : W;
      vf block[W];
      for (int r = 0; r < W; r++)
        block[r] = i + r < rows ? loadLanes(from + (i + r) * stride + d, depth) * factor : vf{};
      transpose(block);
      for (int c = 0; c < depth; c++) store(to + (d + c) * kTileSize + i, block[c]);
    }
}

// Transposes [D][width] back to (rows,D), times `factor`.
static void columnsToRows(int rows, int D, const float* from, long width, float factor, float* to, long stride) {
  for (int i = 0; i < rows; i += W)
    for (int d = 0; d < D; d += W) {
      const int depth = D - d < W ? D - d : W;
      vf block[W];
      for (int c = 0; c < W; c++) block[c] = c < depth ? load(from + (d + c) * width + i) * factor : vf{};
      transpose(block);
      for (int r = 0; r < W && i + r < rows; r++) storeLanes(to + (i + r) * stride + d, block[r], depth);
    }
}

// A tile of scores: `queries` × `keys`, where the queries fill `vectors` vectors. On the diagonal, a group of W keys by
// W queries is computed only if one of its queries sees one of its keys. Which keys are computed needlessly depends on
// W, but no result does: their weights are 0, and each sum is one chain over all keys (tiles.hpp).
struct ScoreTile {
  int queries, keys, vectors;
  bool diagonal;

  // firstVector: first vector of queries that sees keys k and later. keysOf: number of keys that a vector of queries
  // sees.
  int firstVector(int k) const { return diagonal ? k / W : 0; }
  int keysOf(int vector) const { return diagonal && (vector + 1) * W < keys ? (vector + 1) * W : keys; }

  // Calls f(first, count, vector) for groups of keys. The vectors of queries from `vector` on see the `count` keys that
  // start at `first`.
  template <class F>
  void forKeys(F f) const {
    if (!diagonal) return f(0, keys, 0);
    for (int k = 0; k < keys; k += W) f(k, keys - k < W ? keys - k : W, k / W);
  }
};

// rows (keys,D), columns [D][query] → out[key][query] = Σ_d rows(key, d) · columns[d][query]
static void scoreProducts(const ScoreTile& tile, int D, const float* rows, long stride, const float* columns,
                          float* out) {
  tile.forKeys([&](int key, int count, int vector) {
    forEvenParts(tile.vectors - vector, kTileVectors, [&](int v, int vectors) {
      const int column = (vector + v) * W;
      TileArgs b = {};
      b.K = D;
      b.A = rows + key * stride;
      b.strideA = stride;
      b.B = columns + column;
      b.strideB = kTileSize;
      b.nextVector = W;
      b.C = out + key * kTileSize + column;
      b.strideC = kTileSize;
      b.n = vectors * W;
      b.prefetchNow = false;
      macroKernelByRows(count, vectors, b, nullptr);
    });
  });
}

// A (K,D), B [K][kTileSize] → C[d][…] = Σ_k A(k, d) · B[k][…] over `vectors` vectors of columns. Adds to C if `add`.
static void addProduct(int D, int K, int vectors, const float* A, long strideA, const float* B, float* C, long strideC,
                       bool add) {
  forEvenParts(vectors, kTileVectors, [&](int v, int count) {
    TileArgs b = {};
    b.K = K;
    b.A = A;
    b.strideA = strideA;
    b.B = b.prefetchNext = B + v * W;
    b.strideB = kTileSize;
    b.nextVector = W;
    b.C = C + v * W;
    b.strideC = strideC;
    b.addend = add ? b.C : nullptr;
    b.addendStride = strideC;
    b.prefetchNow = false;
    b.n = count * W;
    macroKernelByColumns(D, count, b, false, 0);
  });
}

// rows (keys,D), weights [key][query] → sums[d][query] = Σ_key rows(key, d) · weights[key][query]. Adds to sums if
// `add`.
static void sumOverKeys(const ScoreTile& tile, int D, const float* rows, long stride, const float* weights, float* sums,
                        bool add) {
  tile.forKeys([&](int key, int count, int vector) {
    addProduct(D, count, tile.vectors - vector, rows + key * stride, stride, weights + key * kTileSize + vector * W,
               sums + vector * W, kTileSize, add || key > 0);
  });
}

// rows (queries,D), weights [query][key] → sums[d][key] += Σ_query rows(query, d) · weights[query][key], rows of sums
// `width` apart.
static void sumOverQueries(const ScoreTile& tile, int D, const float* rows, long stride, const float* weights,
                           float* sums, long width) {
  const int vectors = (tile.keys + W - 1) / W;
  if (!tile.diagonal) return addProduct(D, tile.queries, vectors, rows, stride, weights, sums, width, true);
  for (int q = 0; q < tile.queries; q += W)
    addProduct(D, tile.queries - q < W ? tile.queries - q : W, q / W + 1, rows + q * stride, stride,
               weights + q * kTileSize, sums, width, true);
}

// Transposes a tile: to[query][key] = from[key][query]
static void transposeTile(const ScoreTile& tile, const float* from, float* to) {
  for (int k = 0; k < tile.keys; k += W)
    for (int v = tile.firstVector(k); v < tile.vectors; v++) {
      vf block[W];
      for (int r = 0; r < W; r++) block[r] = k + r < tile.keys ? load(from + (k + r) * kTileSize + v * W) : vf{};
      transpose(block);
      for (int r = 0; r < W; r++) store(to + (v * W + r) * kTileSize + k, block[r]);
    }
}

// Calls f(index, visible) for each key that a vector of queries sees: the index of its scores, and the mask of the
// queries that see it.
template <class F>
INLINE void forVisibleKeys(const ScoreTile& tile, int vector, F f) {
  const int keys = tile.keysOf(vector), all = tile.diagonal ? vector * W : keys;
  const vi lane = laneNumbers(), each = ~vi{};
  int k = 0;
  for (; k < all; k++) f(k * kTileSize + vector * W, each);
  for (; k < keys; k++) f(k * kTileSize + vector * W, lane >= k - all);
}

// Applies dropout to a tile of scores, x → out, both [key][query]. The head, the query tile and the key tile select the
// mask.
static void dropoutTile(const engine::AttentionHead& h, const ScoreTile& tile, int i, int j, const float* x,
                        float* out) {
  const int tiles = (h.length + kTileSize - 1) / kTileSize;
  const uint32_t row = (h.head * tiles + i / kTileSize) * tiles + j / kTileSize;
  dropoutRow(tile.keys * kTileSize, x, out, row, h.dropoutThreshold, h.maskKey);
}

// The tile whose first query is i and whose first key is j, in a sequence of T tokens.
static ScoreTile scoreTileAt(int T, int i, int j) {
  const int queries = T - i < kTileSize ? T - i : kTileSize, keys = T - j < kTileSize ? T - j : kTileSize;
  return {queries, keys, (queries + W - 1) / W, i == j};
}

// See Kernels::attention. Processes the tiles of keys one after the other. When the running maximum of a query grows,
// its earlier sums are rescaled (online softmax).
static void attention(const engine::AttentionHead& h, float* out, long outStride, float* rowMax, float* rowSumInv,
                      float* scratch) {
  if (fitsVectors(h)) return vectorAttention(h, out, outStride, rowMax, rowSumInv, scratch);
  const int T = h.length, D = h.width;
  float *queries = scratch, *sums = queries + D * kTileSize, *scores = sums + D * kTileSize;
  for (int i = 0; i < T; i += kTileSize) {
    vf runningMax[kVectorsOfTile], runningSum[kVectorsOfTile];
    const int rows = T - i < kTileSize ? T - i : kTileSize, vectors = (rows + W - 1) / W;
    rowsToColumns(rows, D, h.q + i * h.stride, h.stride, h.scale * kLog2E, queries);
    for (int j = 0; j <= i; j += kTileSize) {
      const ScoreTile tile = scoreTileAt(T, i, j);
      scoreProducts(tile, D, h.k + j * h.stride, h.stride, queries, scores);
      for (int v = 0; v < vectors; v++) {
        vf max = j == 0 ? splat(-1e30f) : runningMax[v], odd = max;
        // Two chains of maxima, because each maximum depends on the one before it.
        forVisibleKeys(tile, v, [&](int at, vi visible) {
          const vf larger = maximum(select(visible, load(scores + at), odd), odd);
          odd = max;
          max = larger;
        });
        max = maximum(max, odd);
        vf sum = {};
        forVisibleKeys(tile, v, [&](int at, vi visible) {
          const vf e = select(visible, powerOfTwo(load(scores + at) - max), vf{});
          store(scores + at, e);
          sum += e;
        });
        if (j > 0) {
          const vf rescale = powerOfTwo(runningMax[v] - max);
          sum += runningSum[v] * rescale;
          for (int d = 0; d < D; d++) store(sums + d * kTileSize + v * W, load(sums + d * kTileSize + v * W) * rescale);
        }
        runningMax[v] = max;
        runningSum[v] = sum;
      }
      if (h.dropoutThreshold) dropoutTile(h, tile, i, j, scores, scores);
      sumOverKeys(tile, D, h.v + j * h.stride, h.stride, scores, sums, j > 0);
    }
    for (int v = 0; v < vectors; v++) {
      const vf factor = 1.0f / runningSum[v];
      for (int d = 0; d < D; d++) store(sums + d * kTileSize + v * W, load(sums + d * kTileSize + v * W) * factor);
      const int lanes = rows - v * W < W ? rows - v * W : W;
      storeLanes(rowMax + i + v * W, runningMax[v], lanes);
      storeLanes(rowSumInv + i + v * W, factor, lanes);
    }
    columnsToRows(rows, D, sums, kTileSize, 1.0f, out + i * outStride, outStride);
  }
}

// x, y (rows,D) → sums (rows) = Σ_d x(query, d) · y(query, d)
static void rowProducts(int rows, int D, const float* x, const float* y, long stride, float* sums) {
  for (int i = 0; i < rows; i += W) {
    store(sums + i, sumAlongRows(rows - i, D, [&](vf sum, int r, long d, int n) {
            const long at = (i + r) * stride + d;
            return multiplyAdd(loadLanes(x + at, n), loadLanes(y + at, n), sum);
          }));
  }
}

// See Kernels::attentionBackward. With P the probabilities, O the output, dP = dO·Vᵀ and δ = Σ_d O·dO (which equals
// Σ_key P·dP): dS = P·(dP − δ), dQ = dS·K·scale, dK = dSᵀ·Q·scale, dV = Pᵀ·dO. Dropout applies its mask to P in the
// products with V and dO, and to dP.
static void attentionBackward(const engine::AttentionHead& h, const float* out, const float* dout, long outStride,
                              const float* rowMax, const float* rowSumInv, float* dq, float* dk, float* dv,
                              float* scratch) {
  if (fitsVectors(h)) return vectorAttentionBackward(h, out, dout, outStride, rowMax, rowSumInv, dq, dk, dv, scratch);
  const int T = h.length, D = h.width;
  const long width = (T + W - 1) / W * W, tileArea = kTileSize * kTileSize;
  float *queries = scratch, *douts = queries + D * kTileSize, *dqueries = douts + D * kTileSize;
  float *probabilities = dqueries + D * kTileSize, *dscores = probabilities + tileArea,
        *transposed = dscores + tileArea;
  float *dkeys = transposed + tileArea, *dvalues = dkeys + D * width;
  memset(dkeys, 0, 2 * D * width * sizeof(float));
  alignas(64) float delta[kTileSize];
  for (int i = 0; i < T; i += kTileSize) {
    const float* doutRows = dout + i * outStride;
    const int rows = T - i < kTileSize ? T - i : kTileSize;
    rowsToColumns(rows, D, h.q + i * h.stride, h.stride, h.scale * kLog2E, queries);
    rowsToColumns(rows, D, doutRows, outStride, 1.0f, douts);
    rowProducts(rows, D, out + i * outStride, doutRows, outStride, delta);
    for (int j = 0; j <= i; j += kTileSize) {
      const ScoreTile tile = scoreTileAt(T, i, j);
      const float *keys = h.k + j * h.stride, *values = h.v + j * h.stride;
      scoreProducts(tile, D, keys, h.stride, queries, probabilities);
      scoreProducts(tile, D, values, h.stride, douts, dscores);
      if (h.dropoutThreshold) dropoutTile(h, tile, i, j, dscores, dscores);
      for (int v = 0; v < tile.vectors; v++) {
        const int lanes = rows - v * W < W ? rows - v * W : W;
        const vf max = loadLanes(rowMax + i + v * W, lanes), factor = loadLanes(rowSumInv + i + v * W, lanes);
        const vf offset = load(delta + v * W);
        forVisibleKeys(tile, v, [&](int at, vi visible) {
          const vf probability = select(visible, powerOfTwo(load(probabilities + at) - max) * factor, vf{});
          store(probabilities + at, probability);
          store(dscores + at, probability * (load(dscores + at) - offset));
        });
      }
      if (h.dropoutThreshold) dropoutTile(h, tile, i, j, probabilities, probabilities);
      transposeTile(tile, probabilities, transposed);
      sumOverQueries(tile, D, doutRows, outStride, transposed, dvalues + j, width);
      sumOverKeys(tile, D, keys, h.stride, dscores, dqueries, j > 0);
      transposeTile(tile, dscores, transposed);
      sumOverQueries(tile, D, h.q + i * h.stride, h.stride, transposed, dkeys + j, width);
    }
    columnsToRows(rows, D, dqueries, kTileSize, h.scale, dq + i * h.stride, h.stride);
  }
  columnsToRows(T, D, dkeys, width, h.scale, dk, h.stride);
  columnsToRows(T, D, dvalues, width, 1.0f, dv, h.stride);
}

}  // namespace
