// Matrix products: C (M,N) = A·B. Bias, GELU, its slope and a residual are applied in the same pass over C (Epilogue).
//
//   NN   A (M,K), B (K,N)   x·W
//   NT   A (M,K), B (N,K)   x·Wᵀ
//   TN   A (K,M), B (K,N)   xᵀ·dy, the gradient of a weight
//
// Each layout has kernels in three precisions: bf16 on tensor cores; fp32; and fp32 numbers that are rounded to TF32
// (10 bits after the point), on tensor cores. All sums are fp32.
//
// A block of 256 threads computes 128×128 numbers of C. Tiles of A and B pass through shared memory, kStages deep,
// copied asynchronously. Each of the 8 warps computes 64×32 numbers as 4×4 fragments of 16×8, laid out as mma.m16n8k16
// has them: lane l holds rows l/4 and l/4 + 8, columns 2·(l%4) and 2·(l%4) + 1. The fp32 kernels use the same layout.
// The kernels named Small compute 64×64 numbers with 4 warps of 32×32, for matrices that have fewer tiles of 128×128
// than the GPU has multiprocessors. The bits are the same, because each number is summed in the same order.
//
// Grid: (N/tile, M/tile, splits). With more than one split, each computes a part of the sum over K, and C gets `splits`
// matrices one after the other, which sumPartials adds up in their order.
//
// cuBLASLt may make a product instead of these kernels (lib/engine/gpu/launches/products.ts); finishProduct does what
// its epilogue lacks.
#pragma once
#include "math.cuh"

constexpr int kStages = 3;

/// How factors are multiplied. It determines the type in which they are stored.
enum Arithmetic { kFp32, kTf32, kBf16 };
template <Arithmetic>
struct Stored {
  using T = float;
};
template <>
struct Stored<kBf16> {
  using T = u16;
};

/// The operations on a product before it is stored. All fp32 matrices have the row stride ldc.
struct Epilogue {
  const float* bias;    // (N) or null
  const float* addend;  // (M,N) or null; it may be C
  float* pre;           // (M,N): kGeluForward stores the number before GELU here, kGeluBackward reads it
  float* C;             // (M,N) or null
  u16* rounded;         // (M,N) with the stride ldr, or null: C rounded to bf16, for the next product
  int ldc, ldr, gelu;
};
enum GeluMode { kNoGelu, kGeluForward, kGeluBackward };

/// kHasPre: the number before GELU is already stored in pre.
template <bool kHasPre = false>
__device__ __forceinline__ void storeResult(const Epilogue& e, int r, int c, float value) {
  const size_t at = static_cast<size_t>(r) * e.ldc + c;
  if (e.bias) value += e.bias[c];
  if (e.gelu == kGeluForward) {
    if (!kHasPre) e.pre[at] = value;
    value = gelu(value);
  }
  if (e.gelu == kGeluBackward) value *= geluSlope(e.pre[at]);
  if (e.addend) value += e.addend[at];
  if (e.C) e.C[at] = value;
  if (e.rounded) e.rounded[static_cast<size_t>(r) * e.ldr + c] = toBf16(value);
}

/// Copies a tile of a matrix to shared memory: `rows` × `columns` numbers. Only validRows × validColumns of them exist;
/// the others become zeros. THREADS threads share the work. ld: row stride of the matrix; stride: row stride of the
/// tile.
template <class T, int rows, int columns, int stride, int THREADS>
__device__ __forceinline__ void copyTile(T* tile, const T* from, int ld, int validRows, int validColumns) {
  constexpr int chunk = 16 / sizeof(T), chunks = columns / chunk;
  // Rows of bf16 matrices are always aligned to 16 bytes. Rows of fp32 matrices are not, if their width is odd.
  const bool aligned = sizeof(T) == 2 || (ld % chunk == 0 && reinterpret_cast<size_t>(from) % 16 == 0);
#pragma unroll 1
  for (int i = threadIdx.x; i < rows * chunks; i += THREADS) {
    const int r = i / chunks, c = i % chunks * chunk;
    const int valid = r < validRows ? max(0, min(chunk, validColumns - c)) : 0;
    T* to = tile + r * stride + c;
    const T* source = from + static_cast<size_t>(r) * ld + c;
    if (aligned) {
      copyAsync16(to, valid ? source : from, valid * static_cast<int>(sizeof(T)));
    } else {
      for (int e = 0; e < chunk; e++) copyAsync4(to + e, e < valid ? source + e : from, e < valid ? 4 : 0);
    }
  }
}

/// The tile of an operand in shared memory: kTile rows of `depth` numbers of K, or, if kMajor, `depth` rows of kTile.
/// Rows are longer than their numbers, so that the lanes of a warp read from different banks.
template <class T, bool kMajor, int kTile>
struct OperandTile {
  static constexpr int depth = sizeof(T) == 2 ? 32 : 16;
  static constexpr int rows = kMajor ? depth : kTile, columns = kMajor ? kTile : depth;
  static constexpr int stride = columns + (kMajor ? 8 : 16 / static_cast<int>(sizeof(T))), size = rows * stride;

  /// `first`: the first row of C for the operand A, the first column of C for B. `outer`: M for A, N for B; `inner`:
  /// the end in K.
  __device__ static void load(T* tile, const T* matrix, int ld, int first, int outer, int k, int inner) {
    const size_t row = kMajor ? k : first, column = kMajor ? first : k;
    const int validRows = kMajor ? inner - k : outer - first, validColumns = kMajor ? outer - first : inner - k;
    copyTile<T, rows, columns, stride, 2 * kTile>(tile, matrix + row * ld + column, ld, validRows, validColumns);
  }
  __device__ static float at(const float* tile, int side, int k) {
    return kMajor ? tile[k * stride + side] : tile[side * stride + k];
  }
};

/// Fragments of bf16, with ldmatrix.
template <bool kMajor, int stride>
__device__ __forceinline__ void loadFragmentA(u32 (&a)[4], const u16* tile, int m, int k) {
  const int lane = threadIdx.x % 32;
  if (kMajor)
    loadMatricesTransposed(a, tile + (k + lane / 16 * 8 + lane % 8) * stride + m + lane / 8 % 2 * 8);
  else
    loadMatrices(a, tile + (m + lane % 16) * stride + k + lane / 16 * 8);
}
/// Two fragments of B: columns n … n + 7 in b[0], b[1], columns n + 8 … n + 15 in b[2], b[3].
template <bool kMajor, int stride>
__device__ __forceinline__ void loadFragmentsB(u32 (&b)[4], const u16* tile, int n, int k) {
  const int lane = threadIdx.x % 32;
  if (kMajor)
    loadMatricesTransposed(b, tile + (k + lane % 16) * stride + n + lane / 16 * 8);
  else
    loadMatrices(b, tile + (n + lane / 16 * 8 + lane % 8) * stride + k + lane / 8 % 2 * 8);
}

/// sums (kTile/2,32) of a warp += A·B over the depth of the tiles, which begin at row m and column n. fragments: of 16
/// rows.
template <Arithmetic arithmetic, bool kMajorA, bool kMajorB, int fragments>
__device__ __forceinline__ void multiplyTiles(float (&sums)[fragments][4][4], const u16* a, const u16* b, int m,
                                              int n) {
  using A = OperandTile<u16, kMajorA, fragments * 32>;
  using B = OperandTile<u16, kMajorB, fragments * 32>;
#pragma unroll
  for (int k = 0; k < A::depth; k += 16) {
    u32 fb[2][4];
#pragma unroll
    for (int j = 0; j < 2; j++) loadFragmentsB<kMajorB, B::stride>(fb[j], b, n + j * 16, k);
#pragma unroll
    for (int i = 0; i < fragments; i++) {
      u32 fa[4];
      loadFragmentA<kMajorA, A::stride>(fa, a, m + i * 16, k);
#pragma unroll
      for (int j = 0; j < 4; j++) multiplyAdd(sums[i][j], fa, fb[j / 2][j % 2 * 2], fb[j / 2][j % 2 * 2 + 1]);
    }
  }
}
template <Arithmetic arithmetic, bool kMajorA, bool kMajorB, int fragments>
__device__ __forceinline__ void multiplyTiles(float (&sums)[fragments][4][4], const float* a, const float* b, int m,
                                              int n) {
  using A = OperandTile<float, kMajorA, fragments * 32>;
  using B = OperandTile<float, kMajorB, fragments * 32>;
  const int lane = threadIdx.x % 32;
  if constexpr (arithmetic == kTf32) {
    // Fragments of mma.m16n8k8: rows and columns of a lane, and columns of K.
    const int group = lane / 4, pair = lane % 4;
#pragma unroll
    for (int k = 0; k < A::depth; k += 8) {
      u32 fa[fragments][4], fb[4][2];
#pragma unroll
      for (int i = 0; i < fragments; i++)
#pragma unroll
        for (int h = 0; h < 4; h++) fa[i][h] = toTf32(A::at(a, m + i * 16 + group + h % 2 * 8, k + pair + h / 2 * 4));
#pragma unroll
      for (int j = 0; j < 4; j++)
#pragma unroll
        for (int h = 0; h < 2; h++) fb[j][h] = toTf32(B::at(b, n + j * 8 + group, k + pair + h * 4));
#pragma unroll
      for (int i = 0; i < fragments; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) multiplyAddTf32(sums[i][j], fa[i], fb[j][0], fb[j][1]);
    }
  } else {
    const int row = m + lane / 4, column = n + lane % 4 * 2;
#pragma unroll 2
    for (int k = 0; k < A::depth; k++) {
      float va[fragments * 2], vb[8];
#pragma unroll
      for (int i = 0; i < fragments * 2; i++) va[i] = A::at(a, row + i * 8, k);
#pragma unroll
      for (int j = 0; j < 8; j++) vb[j] = B::at(b, column + j / 2 * 8 + j % 2, k);
#pragma unroll
      for (int i = 0; i < fragments; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
          for (int h = 0; h < 4; h++) sums[i][j][h] += va[i * 2 + h / 2] * vb[j * 2 + h % 2];
    }
  }
}

/// depthOfSplit: the part of K that each split sums over, a multiple of 32.
template <Arithmetic arithmetic, bool kMajorA, bool kMajorB, int kTile, class T>
__device__ __forceinline__ void product(int M, int N, int K, const T* A, int lda, const T* B, int ldb, int depthOfSplit,
                                        Epilogue e) {
  constexpr int fragments = kTile / 32, warpsOfRow = kTile / 32;
  using TileA = OperandTile<T, kMajorA, kTile>;
  using TileB = OperandTile<T, kMajorB, kTile>;
  T* tiles = sharedMemory<T>();
  const auto tileA = [&](int step) { return tiles + step % kStages * (TileA::size + TileB::size); };
  const auto tileB = [&](int step) { return tileA(step) + TileA::size; };
  const int row0 = blockIdx.y * kTile, column0 = blockIdx.x * kTile;
  const int begin = blockIdx.z * depthOfSplit, end = min(K, begin + depthOfSplit);
  const int steps = (end - begin + TileA::depth - 1) / TileA::depth;
  const auto load = [&](int step) {
    if (step < steps) {
      const int k = begin + step * TileA::depth;
      TileA::load(tileA(step), A, lda, row0, M, k, end);
      TileB::load(tileB(step), B, ldb, column0, N, k, end);
    }
    copyCommit();  // also where there is nothing to copy, so that the number of groups stays the same
  };
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, m = warp / warpsOfRow * (kTile / 2),
            n = warp % warpsOfRow * 32;
  const bool used = row0 + m < M && column0 + n < N;
  float sums[fragments][4][4] = {};
  for (int s = 0; s < kStages - 1; s++) load(s);
  for (int step = 0; step < steps; step++) {
    copyWait<kStages - 2>();
    __syncthreads();
    // This overwrites the tiles of the step before, which every warp has read: it is past the barrier.
    load(step + kStages - 1);
    if (used) multiplyTiles<arithmetic, kMajorA, kMajorB>(sums, tileA(step), tileB(step), m, n);
  }
  if (e.C) e.C += static_cast<size_t>(blockIdx.z) * M * e.ldc;
  // The results pass through shared memory, half of the rows at a time, so that neighbouring threads store neighbouring
  // numbers, and so that the code of the epilogue is there once and not for each fragment.
  constexpr int stride = kTile + 4;
  float* results = sharedMemory<float>();
  for (int half = 0; half < 2; half++) {
    __syncthreads();
    if (warp / warpsOfRow == half) {
#pragma unroll
      for (int i = 0; i < fragments; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
          for (int h = 0; h < 4; h++)
            results[(i * 16 + lane / 4 + h / 2 * 8) * stride + n + j * 8 + lane % 4 * 2 + h % 2] = sums[i][j][h];
    }
    __syncthreads();
#pragma unroll 1
    for (int i = threadIdx.x; i < kTile / 2 * kTile; i += 2 * kTile) {
      const int r = row0 + half * (kTile / 2) + i / kTile, c = column0 + i % kTile;
      if (r < M && c < N) storeResult(e, r, c, results[i / kTile * stride + i % kTile]);
    }
  }
}

#define PRODUCT(name, arithmetic, kMajorA, kMajorB, kTile)                                                        \
  extern "C" __global__ void __launch_bounds__(2 * kTile, kTile == 128 ? 2 : 4)                                   \
      name(int M, int N, int K, const Stored<arithmetic>::T* A, int lda, const Stored<arithmetic>::T* B, int ldb, \
           int depthOfSplit, const float* bias, const float* addend, float* pre, float* C, int ldc, u16* rounded, \
           int ldr, int gelu) {                                                                                   \
    product<arithmetic, kMajorA, kMajorB, kTile>(M, N, K, A, lda, B, ldb, depthOfSplit,                           \
                                                 {bias, addend, pre, C, rounded, ldc, ldr, gelu});                \
  }
#define PRODUCTS(suffix, arithmetic)                            \
  PRODUCT(productNN##suffix, arithmetic, false, true, 128)      \
  PRODUCT(productNT##suffix, arithmetic, false, false, 128)     \
  PRODUCT(productTN##suffix, arithmetic, true, true, 128)       \
  PRODUCT(productNNSmall##suffix, arithmetic, false, true, 64)  \
  PRODUCT(productNTSmall##suffix, arithmetic, false, false, 64) \
  PRODUCT(productTNSmall##suffix, arithmetic, true, true, 64)
PRODUCTS(, kFp32)
PRODUCTS(Tf32, kTf32)
PRODUCTS(Bf16, kBf16)
#undef PRODUCTS
#undef PRODUCT

/// Applies the rest of the epilogue to a product that cuBLASLt has made. cuBLASLt has added the bias already. product
/// (M,N): the result of cuBLASLt, unchanged by kGeluForward; it may be C. pre (M,N): read by kGeluBackward. Grid:
/// (⌈N/256⌉, ⌈M/rowsOfBlock⌉); 256 threads.
extern "C" __global__ void finishProduct(int M, int N, int rowsOfBlock, const float* product, float* pre, float* C,
                                         u16* rounded, int ldr, int gelu) {
  const int c = blockIdx.x * 256 + threadIdx.x, first = blockIdx.y * rowsOfBlock;
  if (c >= N) return;
  const Epilogue e = {nullptr, nullptr, pre, C, rounded, N, ldr, gelu};
#pragma unroll 4
  for (int r = first; r < min(M, first + rowsOfBlock); r++)
    storeResult<true>(e, r, c, product[static_cast<size_t>(r) * N + c]);
}

/// One block of a sum: out (n) = Σ over partials (parts,n), in their order; += if `accumulate`.
__device__ __forceinline__ void addPartials(u64 block, u64 n, int parts, const float* partials, float* out,
                                            int accumulate) {
  const u64 i = block * 256 + threadIdx.x;
  if (i >= n) return;
  float sum = accumulate ? out[i] : 0.0f;
  for (int p = 0; p < parts; p++) sum += partials[p * n + i];
  out[i] = sum;
}

/// Carries out up to six sums; see addPartials. Unused ones have n = 0 and come last. Grid: ⌈n/256⌉ blocks for each
/// sum, one sum after the other; 256 threads.
#define SUM(k) u64 n##k, int parts##k, const float *partials##k, float *out##k, int accumulate##k
extern "C" __global__ void sumPartials(SUM(0), SUM(1), SUM(2), SUM(3), SUM(4), SUM(5)) {
  u64 block = blockIdx.x;
#define RUN(k)                                                                                                   \
  if (block < (n##k + 255) / 256) return addPartials(block, n##k, parts##k, partials##k, out##k, accumulate##k); \
  block -= (n##k + 255) / 256;
  RUN(0) RUN(1) RUN(2) RUN(3) RUN(4) RUN(5)
#undef RUN
#undef SUM
}
