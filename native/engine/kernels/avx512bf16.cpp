// AVX-512 with bf16 products by AVX512_BF16: vdpbf16ps multiplies a pair with each lane of a vector of pairs (Intel SDM
// vol. 2, VDPBF16PS).
#include "bf16-instructions.hpp"

#if HAS_BF16_INSTRUCTIONS
BF16_INSTRUCTIONS_BEGIN
#include "pairs.hpp"

namespace {

INLINE vf dot(vf sum, vu a, vu b) { return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b); }

// Broadcasts a pair to all lanes of a register, as for floats in tiles.hpp.
INLINE vu broadcast(const Pair* p) {
  vu x = (vu)_mm512_set1_epi32(static_cast<int>(*p));
  asm("" : "+v"(x));
  return x;
}

// Largest number of rows of A in a tile of two panels of B, and in a tile of four, as in tiles.hpp.
constexpr int kRowsOfTwo = 14, kRowsOfFour = 6;
// Prefetch distance in pairs of a panel, if panels come from memory.
constexpr int kPrefetchDistance = 64 * W;

// Multiplies m rows of A, in panels of `height` rows, by NV panels of B, and writes them to rows row, row + 1, … of C.
// `streams`: each panel is read only once.
template <int m, int NV, bool streams>
static void tile(const PanelProduct& p, const Pair* A, int height, int row) {
  vf sum[m][NV] = {};
  const Pair* B = p.B;
  for (int block = 0; block < p.blocks; block++, A += height * W)
    for (int pair = 0; pair < W; pair++, B += W) {
      vu b[NV];
      UNROLL_FOR (int v = 0; v < NV; v++) {
        b[v] = load(B + v * p.nextPanel);
        if (streams) __builtin_prefetch(B + v * p.nextPanel + kPrefetchDistance);
      }
      UNROLL_FOR (int i = 0; i < m; i++) {
        const vu a = broadcast(A + i * W + pair);
        UNROLL_FOR (int v = 0; v < NV; v++) sum[i][v] = dot(sum[i][v], a, b[v]);
      }
    }
  UNROLL_FOR (int i = 0; i < m; i++)
    UNROLL_FOR (int v = 0; v < NV; v++) p.to.write(row + i, v, sum[i][v]);
}

typedef void Tile(const PanelProduct&, const Pair*, int, int);

struct VectorMultiplier {
  /// Rows of a panel of A, and rows multiplied at a time.
  const int height, rows;
  /// Panels of B multiplied at a time.
  const int panels;

  explicit VectorMultiplier(int M)
      : height(M <= kRowsOfTwo ? M : kMaxPanelHeight), rows(height), panels(M <= kRowsOfTwo ? 2 : 4) {}

  void multiply(const PanelProduct& p) const {
#define TILES_TO_6(NV, S) \
  nullptr, tile<1, NV, S>, tile<2, NV, S>, tile<3, NV, S>, tile<4, NV, S>, tile<5, NV, S>, tile<6, NV, S>
#define TILES_TO_14(NV, S)                                                                             \
  TILES_TO_6(NV, S), tile<7, NV, S>, tile<8, NV, S>, tile<9, NV, S>, tile<10, NV, S>, tile<11, NV, S>, \
      tile<12, NV, S>, tile<13, NV, S>, tile<14, NV, S>
    static constexpr Tile* four[] = {TILES_TO_6(4, false)};
    static constexpr Tile* two[] = {TILES_TO_14(2, false)};
    static constexpr Tile* streaming[] = {TILES_TO_14(2, true)};
    Tile* const* tiles = panels == 2 ? streaming : p.panels == 2 ? two : four;
    const int max = evenPartSize(p.rows, p.panels == 2 ? kRowsOfTwo : kRowsOfFour);
    for (int i = 0; i < p.rows; i += max) tiles[minOf(max, p.rows - i)](p, p.A + i * W, height, i);
  }
};

}  // namespace

const engine::Kernels* engine::avx512bf16Kernels() {
  static const PairTables tables([] {
    Kernels k = withPairs<VectorMultiplier>(*avx512Kernels().bf16, "AVX512_BF16");
    k.streamProduct = streamProduct<VectorMultiplier>;
    return k;
  }());
  return &tables.fp32;
}
BF16_INSTRUCTIONS_END
#else
const engine::Kernels* engine::avx512bf16Kernels() { return nullptr; }
#endif
