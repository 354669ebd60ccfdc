// AVX-512 with products of bf16 by AVX512_BF16: vdpbf16ps multiplies a pair with each lane of a vector of pairs.
#include "bf16-instructions.hpp"

#if HAS_BF16_INSTRUCTIONS
BF16_INSTRUCTIONS_BEGIN
#include "pairs.hpp"

namespace {

INLINE vf dot(vf sum, vu a, vu b) { return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b); }

// a pair in all lanes, in a register, as for floats in tiles.hpp
INLINE vu broadcast(const Pair* p) {
  vu x = (vu)_mm512_set1_epi32(static_cast<int>(*p));
  asm("" : "+v"(x));
  return x;
}

// rows that a tile has of A beside so many panels of B: those of tiles.hpp
constexpr int kRowsOfTwo = 14, kRowsOfFour = 6;
// pairs of a panel that are asked for before their turn, where panels come from memory
constexpr int kAhead = 64 * W;

// m rows, `height` in a panel of A, and NV panels; each panel is read but once where it `streams`
template <int m, int NV, bool streams>
static void tile(const Part& p, const Pair* A, int height, int row) {
  vf sum[m][NV] = {};
  const Pair* B = p.B;
  for (int block = 0; block < p.blocks; block++, A += height * W)
    for (int pair = 0; pair < W; pair++, B += W) {
      vu b[NV];
      UNROLL for (int v = 0; v < NV; v++) {
        b[v] = load(B + v * p.nextPanel);
        if (streams) __builtin_prefetch(B + v * p.nextPanel + kAhead);
      }
      UNROLL for (int i = 0; i < m; i++) {
        const vu a = broadcast(A + i * W + pair);
        UNROLL for (int v = 0; v < NV; v++) sum[i][v] = dot(sum[i][v], a, b[v]);
      }
    }
  UNROLL for (int i = 0; i < m; i++) UNROLL for (int v = 0; v < NV; v++) p.to.write(row + i, v, sum[i][v]);
}

typedef void Tile(const Part&, const Pair*, int, int);

struct Vectors {
  /// of a panel of A, and rows that are multiplied at a time
  const int height, rows;
  /// panels of B that are multiplied at a time
  const int panels;

  explicit Vectors(int M) : height(M <= kRowsOfTwo ? M : kMostHeight), rows(height), panels(M <= kRowsOfTwo ? 2 : 4) {}

  void multiply(const Part& p) const {
#define TILES_TO_6(NV, S) \
  nullptr, tile<1, NV, S>, tile<2, NV, S>, tile<3, NV, S>, tile<4, NV, S>, tile<5, NV, S>, tile<6, NV, S>
#define TILES_TO_14(NV, S)                                                                             \
  TILES_TO_6(NV, S), tile<7, NV, S>, tile<8, NV, S>, tile<9, NV, S>, tile<10, NV, S>, tile<11, NV, S>, \
      tile<12, NV, S>, tile<13, NV, S>, tile<14, NV, S>
    static constexpr Tile* four[] = {TILES_TO_6(4, false)};
    static constexpr Tile* two[] = {TILES_TO_14(2, false)};
    static constexpr Tile* streaming[] = {TILES_TO_14(2, true)};
    Tile* const* tiles = panels == 2 ? streaming : p.panels == 2 ? two : four;
    const int most = evenPart(p.rows, p.panels == 2 ? kRowsOfTwo : kRowsOfFour);
    for (int i = 0; i < p.rows; i += most) tiles[atMost(most, p.rows - i)](p, p.A + i * W, height, i);
  }
};

}  // namespace

const engine::Kernels* engine::avx512bf16Kernels() {
  static const PairTables tables([] {
    Kernels k = withPairs<Vectors>(*avx512Kernels().bf16, "AVX512_BF16");
    k.streamProduct = streamProduct<Vectors>;
    return k;
  }());
  return &tables.fp32;
}
BF16_INSTRUCTIONS_END
#else
const engine::Kernels* engine::avx512bf16Kernels() { return nullptr; }
#endif
