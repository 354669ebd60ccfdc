// Causal attention of one head of one sequence, and its gradient, a block of queries by a block of keys at a time (Dao
// et al., FlashAttention, 2022): scores never leave the caches, and those of later keys are not computed.
//
// Every query has a lane. Scores lie as [key][query], so that the softmax goes down the keys without lanes meeting,
// products have whole vectors of columns however narrow a head is, and keys and values are read where they lie.
#pragma once
#include "elements.hpp"
#include "gemm.hpp"
#include "math.hpp"

namespace {

// queries, and keys, taken at a time: the same for every instruction set, since dropout masks depend on it
constexpr int kSide = engine::kAttentionBlock;
constexpr int kLanes = kSide / W;

// rows of D numbers as columns, times `factor`: to[d · kSide + i] = from(i, d); zeros up to a whole vector of them
static void rowsToColumns(int rows, int D, const float* from, long stride, float factor, float* to) {
  for (int i = 0; i < rows; i += W)
    for (int d = 0; d < D; d += W) {
      const int depth = D - d < W ? D - d : W;
      vf block[W];
      for (int r = 0; r < W; r++)
        block[r] = i + r < rows ? loadLanes(from + (i + r) * stride + d, depth) * factor : vf{};
      transpose(block);
      for (int c = 0; c < depth; c++) store(to + (d + c) * kSide + i, block[c]);
    }
}

// and back: to(i, d) = from[d · width + i] · factor
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

// A block of queries and a block of keys: `queries` and `keys` of them, in `vectors` of queries. On the diagonal only
// the pairs of W keys and W queries are computed in which some key is not later than some query.
struct Pairs {
  int queries, keys, vectors;
  bool diagonal;

  // the first vector of queries that see the keys from k on, and the end of the keys that a vector of queries sees
  int firstVector(int k) const { return diagonal ? k / W : 0; }
  int keysOf(int vector) const { return diagonal && (vector + 1) * W < keys ? (vector + 1) * W : keys; }

  // f(first, count, vector): `count` keys from `first` on are seen by all vectors from `vector` on
  template <class F>
  void forKeys(F f) const {
    if (!diagonal) return f(0, keys, 0);
    for (int k = 0; k < keys; k += W) f(k, keys - k < W ? keys - k : W, k / W);
  }
};

// out[key][query] = Σ_d rows(key, d) · columns[d][query]
static void pairProducts(const Pairs& p, int D, const float* rows, long stride, const float* columns, float* out) {
  p.forKeys([&](int key, int count, int vector) {
    forParts(p.vectors - vector, kVectors, [&](int v, int vectors) {
      const int column = (vector + v) * W;
      Block b = {};
      b.K = D;
      b.A = rows + key * stride;
      b.strideA = stride;
      b.B = columns + column;
      b.strideB = kSide;
      b.nextVector = W;
      b.C = out + key * kSide + column;
      b.strideC = kSide;
      b.n = vectors * W;
      b.askNow = false;
      groupByRows(count, vectors, b, nullptr);
    });
  });
}

// C[d][…] (+)= Σ_k A(k, d) · B[k][…] over `vectors` vectors of columns; B's rows are kSide apart
static void addProduct(int D, int K, int vectors, const float* A, long strideA, const float* B, float* C, long strideC,
                       bool add) {
  forParts(vectors, kVectors, [&](int v, int count) {
    Block b = {};
    b.K = K;
    b.A = A;
    b.strideA = strideA;
    b.B = b.ahead = B + v * W;
    b.strideB = kSide;
    b.nextVector = W;
    b.C = C + v * W;
    b.strideC = strideC;
    b.addend = add ? b.C : nullptr;
    b.addendStride = strideC;
    b.askNow = false;
    b.n = count * W;
    groupByColumns(D, count, b, false, 0);
  });
}

// sums[d][query] (+)= Σ_key rows(key, d) · weights[key][query]
static void sumOverKeys(const Pairs& p, int D, const float* rows, long stride, const float* weights, float* sums,
                        bool add) {
  p.forKeys([&](int key, int count, int vector) {
    addProduct(D, count, p.vectors - vector, rows + key * stride, stride, weights + key * kSide + vector * W,
               sums + vector * W, kSide, add || key > 0);
  });
}

// sums[d][key] += Σ_query rows(query, d) · weights[query][key]
static void sumOverQueries(const Pairs& p, int D, const float* rows, long stride, const float* weights, float* sums,
                           long width) {
  const int vectors = (p.keys + W - 1) / W;
  if (!p.diagonal) return addProduct(D, p.queries, vectors, rows, stride, weights, sums, width, true);
  for (int q = 0; q < p.queries; q += W)
    addProduct(D, p.queries - q < W ? p.queries - q : W, q / W + 1, rows + q * stride, stride, weights + q * kSide,
               sums, width, true);
}

// to[query][key] = from[key][query]
static void turn(const Pairs& p, const float* from, float* to) {
  for (int k = 0; k < p.keys; k += W)
    for (int v = p.firstVector(k); v < p.vectors; v++) {
      vf block[W];
      for (int r = 0; r < W; r++) block[r] = k + r < p.keys ? load(from + (k + r) * kSide + v * W) : vf{};
      transpose(block);
      for (int r = 0; r < W; r++) store(to + (v * W + r) * kSide + k, block[r]);
    }
}

// f(where, seen) for each of the keys that a vector of queries sees, and the queries of them that see it
template <class F>
INLINE void forKeysOf(const Pairs& p, int vector, F f) {
  const int keys = p.keysOf(vector), all = p.diagonal ? vector * W : keys;
  const vi lane = laneNumbers(), each = ~vi{};
  int k = 0;
  for (; k < all; k++) f(k * kSide + vector * W, each);
  for (; k < keys; k++) f(k * kSide + vector * W, lane >= k - all);
}

// dropout of a block as it lies; masks of blocks are told apart by head, queries and keys
static void dropPairs(const engine::AttentionHead& h, const Pairs& p, int i, int j, const float* x, float* out) {
  const int blocks = (h.length + kSide - 1) / kSide;
  const uint32_t row = (h.number * blocks + i / kSide) * blocks + j / kSide;
  dropRow(p.keys * kSide, x, out, row, h.dropout, h.mask);
}

static Pairs pairsOf(int T, int i, int j) {
  const int queries = T - i < kSide ? T - i : kSide, keys = T - j < kSide ? T - j : kSide;
  return {queries, keys, (queries + W - 1) / W, i == j};
}

// Blocks of keys come one after the other, so what was summed is made smaller whenever a larger score comes.
static void attend(const engine::AttentionHead& h, float* out, long outStride, float* largest, float* inverse,
                   float* scratch) {
  const int T = h.length, D = h.width;
  float *queries = scratch, *sums = queries + D * kSide, *scores = sums + D * kSide;
  for (int i = 0; i < T; i += kSide) {
    vf most[kLanes], total[kLanes];
    const int rows = T - i < kSide ? T - i : kSide, vectors = (rows + W - 1) / W;
    rowsToColumns(rows, D, h.q + i * h.stride, h.stride, h.scale * kLog2E, queries);
    for (int j = 0; j <= i; j += kSide) {
      const Pairs p = pairsOf(T, i, j);
      pairProducts(p, D, h.k + j * h.stride, h.stride, queries, scores);
      for (int v = 0; v < vectors; v++) {
        vf next = j == 0 ? splat(-1e30f) : most[v], odd = next;
        // two chains: each maximum waits for the last
        forKeysOf(p, v, [&](int at, vi seen) {
          const vf larger = maximum(select(seen, load(scores + at), odd), odd);
          odd = next;
          next = larger;
        });
        next = maximum(next, odd);
        vf sum = {};
        forKeysOf(p, v, [&](int at, vi seen) {
          const vf e = select(seen, powerOfTwo(load(scores + at) - next), vf{});
          store(scores + at, e);
          sum += e;
        });
        if (j > 0) {
          const vf shrink = powerOfTwo(most[v] - next);
          sum += total[v] * shrink;
          for (int d = 0; d < D; d++) store(sums + d * kSide + v * W, load(sums + d * kSide + v * W) * shrink);
        }
        most[v] = next;
        total[v] = sum;
      }
      if (h.dropout) dropPairs(h, p, i, j, scores, scores);
      sumOverKeys(p, D, h.v + j * h.stride, h.stride, scores, sums, j > 0);
    }
    for (int v = 0; v < vectors; v++) {
      const vf factor = 1.0f / total[v];
      for (int d = 0; d < D; d++) store(sums + d * kSide + v * W, load(sums + d * kSide + v * W) * factor);
      const int lanes = rows - v * W < W ? rows - v * W : W;
      storeLanes(largest + i + v * W, most[v], lanes);
      storeLanes(inverse + i + v * W, factor, lanes);
    }
    columnsToRows(rows, D, sums, kSide, 1.0f, out + i * outStride, outStride);
  }
}

// sums[query] = Σ_d x(query, d) · y(query, d)
static void rowProducts(int rows, int D, const float* x, const float* y, long stride, float* sums) {
  for (int i = 0; i < rows; i += W) {
    vf block[W];
    for (int r = 0; r < W; r++) {
      vf sum = {};
      if (i + r < rows)
        forVectors(D, [&](long d, int n) {
          sum += loadLanes(x + (i + r) * stride + d, n) * loadLanes(y + (i + r) * stride + d, n);
        });
      block[r] = sum;
    }
    transpose(block);
    for (int r = 1; r < W; r++) block[0] += block[r];
    store(sums + i, block[0]);
  }
}

// With P the probabilities, O what came out, dP = dO·Vᵀ and δ = Σ_d O·dO (which is Σ_key P·dP): dS = P·(dP − δ), dQ =
// dS·K·scale, dK = dSᵀ·Q·scale, dV = Pᵀ·dO. Dropout masks P where it meets V and dO, and dP.
static void attendBackward(const engine::AttentionHead& h, const float* out, const float* dout, long outStride,
                           const float* largest, const float* inverse, float* dq, float* dk, float* dv,
                           float* scratch) {
  const int T = h.length, D = h.width;
  const long width = (T + W - 1) / W * W, area = kSide * kSide;
  float *queries = scratch, *douts = queries + D * kSide, *dqueries = douts + D * kSide;
  float *probabilities = dqueries + D * kSide, *dscores = probabilities + area, *turned = dscores + area;
  float *dkeys = turned + area, *dvalues = dkeys + D * width;
  memset(dkeys, 0, 2 * D * width * sizeof(float));
  alignas(64) float delta[kSide];
  for (int i = 0; i < T; i += kSide) {
    const float* doutRows = dout + i * outStride;
    const int rows = T - i < kSide ? T - i : kSide;
    rowsToColumns(rows, D, h.q + i * h.stride, h.stride, h.scale * kLog2E, queries);
    rowsToColumns(rows, D, doutRows, outStride, 1.0f, douts);
    rowProducts(rows, D, out + i * outStride, doutRows, outStride, delta);
    for (int j = 0; j <= i; j += kSide) {
      const Pairs p = pairsOf(T, i, j);
      const float *keys = h.k + j * h.stride, *values = h.v + j * h.stride;
      pairProducts(p, D, keys, h.stride, queries, probabilities);
      pairProducts(p, D, values, h.stride, douts, dscores);
      if (h.dropout) dropPairs(h, p, i, j, dscores, dscores);
      for (int v = 0; v < p.vectors; v++) {
        const int lanes = rows - v * W < W ? rows - v * W : W;
        const vf most = loadLanes(largest + i + v * W, lanes), factor = loadLanes(inverse + i + v * W, lanes);
        const vf offset = load(delta + v * W);
        forKeysOf(p, v, [&](int at, vi seen) {
          const vf probability = select(seen, powerOfTwo(load(probabilities + at) - most) * factor, vf{});
          store(probabilities + at, probability);
          store(dscores + at, probability * (load(dscores + at) - offset));
        });
      }
      if (h.dropout) dropPairs(h, p, i, j, probabilities, probabilities);
      turn(p, probabilities, turned);
      sumOverQueries(p, D, doutRows, outStride, turned, dvalues + j, width);
      sumOverKeys(p, D, keys, h.stride, dscores, dqueries, j > 0);
      turn(p, dscores, turned);
      sumOverQueries(p, D, h.q + i * h.stride, h.stride, turned, dkeys + j, width);
    }
    columnsToRows(rows, D, dqueries, kSide, h.scale, dq + i * h.stride, h.stride);
  }
  columnsToRows(T, D, dkeys, width, h.scale, dk, h.stride);
  columnsToRows(T, D, dvalues, width, 1.0f, dv, h.stride);
}

}  // namespace
