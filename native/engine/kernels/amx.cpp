// AVX-512 with bf16 products by AMX (Intel SDM vol. 1, ch. 18; Intel Optimization Reference Manual, AMX chapter).
// tdpbf16ps multiplies a tile of 16 rows of A with a tile of a panel of B, and adds to a tile of 16 × 16 sums. Two
// tiles of A and two of B give four tiles of sums. This halves the loads: one for each multiplication instead of two.
#include "bf16-instructions.hpp"

#if HAS_BF16_INSTRUCTIONS
BF16_INSTRUCTIONS_BEGIN
#include "pairs.hpp"

namespace {

constexpr int kTileRows = 16, kTileBytes = 64;

// The 64 bytes that ldtilecfg reads.
struct alignas(64) TileConfig {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

// The compiler does not know that these instructions read memory, so this makes it finish earlier stores first.
INLINE void finishStores() { asm volatile("" ::: "memory"); }

struct TileMultiplier {
  /// height: rows of a tile of A, which is one panel of A. rows, panels: rows of A and panels of B that multiply()
  /// takes.
  const int height, rows, panels = 2;

  // Tiles have as few rows as M allows, because the time of a multiplication depends on its rows.
  explicit TileMultiplier(int M) : height(evenPartSize(M, kTileRows)), rows(2 * height) {
    TileConfig config;
    // Tiles 0 to 3 hold sums, tiles 4 and 5 numbers of A, tiles 6 and 7 numbers of B.
    for (int t = 0; t < 8; t++) {
      config.bytes[t] = kTileBytes;
      config.rows[t] = static_cast<uint8_t>(t < 6 ? height : kTileRows);
    }
    finishStores();
    _tile_loadconfig(&config);
  }
  ~TileMultiplier() { _tile_release(); }
  TileMultiplier(const TileMultiplier&) = delete;

  void multiply(const PanelProduct& p) const {
    const bool both = p.rows > height;
    const Pair *A = p.A, *below = A + p.blocks * height * W, *B = p.B, *right = B + p.nextPanel;
    finishStores();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int block = 0; block < p.blocks; block++, A += height * W, below += height * W, B += W * W, right += W * W) {
      _tile_loadd(4, A, kTileBytes);
      _tile_loadd(6, B, kTileBytes);
      _tile_loadd(7, right, kTileBytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if (both) {
        _tile_loadd(5, below, kTileBytes);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
    alignas(64) float sums[4][kTileRows * W];
    _tile_stored(0, sums[0], kTileBytes);
    _tile_stored(1, sums[1], kTileBytes);
    if (both) {
      _tile_stored(2, sums[2], kTileBytes);
      _tile_stored(3, sums[3], kTileBytes);
    }
    for (int i = 0; i < p.rows; i++) {
      const float* from = i < height ? sums[0] + i * W : sums[2] + (i - height) * W;
      p.to.write(i, 0, load(from));
      p.to.write(i, 1, load(from + kTileRows * W));
    }
  }
};

}  // namespace

const engine::Kernels* engine::amxKernels() {
  // Decoding keeps the products of AVX512_BF16, because memory limits its speed, not products.
  static const PairTables tables(withPairs<TileMultiplier>(*avx512bf16Kernels()->bf16, "AMX"));
  return &tables.fp32;
}
BF16_INSTRUCTIONS_END
#else
const engine::Kernels* engine::amxKernels() { return nullptr; }
#endif
