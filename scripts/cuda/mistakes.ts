/**
 * Mistakes for scripts/cuda/mutate.ts to plant in the kernels, one at a time. Each is of a kind that people make: a missing
 * barrier, an unguarded edge, a wrong index, a swapped operand, a forgotten factor.
 */

/** A change of one place in a kernel file. */
export interface Mistake {
  /** describes the mistake */
  name: string;
  /** the exercise that should find it: native/cuda/exercise/GROUP.hpp */
  group: 'products' | 'rows' | 'attention' | 'elements' | 'lstm' | 'update';
  /** the file, relative to native/cuda/kernels */
  file: string;
  /** the text to replace, and which of its occurrences (the first by default) */
  from: string;
  occurrence?: number;
  to: string;
}

const mistakes = (
  group: Mistake['group'],
  file: string,
  list: [name: string, from: string, to: string, occurrence?: number][],
): Mistake[] => list.map(([name, from, to, occurrence]) => ({ name, group, file, from, to, occurrence }));

/** All mistakes. */
export const MISTAKES: Mistake[] = [
  ...mistakes('products', 'products.cuh', [
    [
      'no barrier before the tiles are read',
      '    copyWait<kStages - 2>();\n    __syncthreads();',
      '    copyWait<kStages - 2>();',
    ],
    ['waits for one group of copies too few', 'copyWait<kStages - 2>', 'copyWait<kStages - 1>'],
    ['loads into the tile that is being read', 'load(step + kStages - 1);', 'load(step + kStages);'],
    [
      'no barrier before the results replace the tiles',
      '    __syncthreads();\n    if (warp / warpsOfRow == half)',
      '    if (warp / warpsOfRow == half)',
    ],
    [
      'no barrier before the results are read',
      '    }\n    __syncthreads();\n#pragma unroll 1',
      '    }\n#pragma unroll 1',
    ],
    [
      'a barrier that half of the warps miss',
      '    __syncthreads();\n    // This overwrites',
      '    if (warp < 4) __syncthreads();\n    // This overwrites',
    ],
    ['the last rows of C are not guarded', 'if (r < M && c < N) storeResult', 'if (c < N) storeResult'],
    ['the last columns of C are not guarded', 'if (r < M && c < N) storeResult', 'if (r < M) storeResult'],
    ['the end of K is not guarded', 'max(0, min(chunk, validColumns - c))', 'chunk'],
    ['the last rows of an operand are not guarded', 'r < validRows ? ', 'true ? '],
    ['fp32 rows of odd width are copied 16 bytes at a time', 'ld % chunk == 0 && ', ''],
    [
      'factors are cut to TF32, not rounded',
      'fa[i][h] = toTf32(A::at(',
      'fa[i][h] = ~0x1fffu & __float_as_uint(A::at(',
    ],
    ['columns of K of a TF32 fragment are swapped', 'k + pair + h / 2 * 4))', 'k + pair + 4 - h / 2 * 4))'],
    ['rows of a TF32 fragment are swapped', 'group + h % 2 * 8', 'group + h / 2 * 8'],
    ['TF32 takes every other column of K twice', 'k + pair + h * 4))', 'k + pair + h))'],
    ['small tiles have the warps of large ones', 'warp / warpsOfRow * (kTile / 2)', 'warp / 4 * (kTile / 2)'],
    [
      'small tiles store the rows of large ones',
      'row0 + half * (kTile / 2) + i / kTile',
      'row0 + half * 64 + i / kTile',
    ],
    ['the threads of a small tile copy as those of a large one', 'stride, 2 * kTile>(tile', 'stride, 256>(tile'],
    ['a fragment of A is not transposed', 'loadMatricesTransposed(a,', 'loadMatrices(a,'],
    ['a fragment of B is not transposed', 'loadMatricesTransposed(b,', 'loadMatrices(b,'],
    ['halves of K of a fragment of B are swapped', 'k + lane / 8 % 2 * 8);', 'k + (1 - lane / 8 % 2) * 8);'],
    ['the second half of K of a tile is left out', 'k < A::depth; k += 16', 'k < A::depth; k += 32'],
    ['rows of a fragment are 4 apart, not 8', 'lane / 4 + h / 2 * 8) * stride', 'lane / 4 + h / 2 * 4) * stride'],
    ['a split sums to the end of K', 'min(K, begin + depthOfSplit)', 'K'],
    ['all splits write the same matrix', 'e.C += static_cast<size_t>(blockIdx.z) * M * e.ldc', 'e.C += 0'],
    [
      'bias is added after GELU',
      '  if (e.bias) value += e.bias[c];\n',
      '  if (e.bias && e.gelu != kGeluForward) value += e.bias[c];\n',
    ],
    ['finishProduct: the last columns are not guarded', '  if (c >= N) return;\n  const Epilogue', '  const Epilogue'],
    ['finishProduct: the last rows are not guarded', 'min(M, first + rowsOfBlock)', 'first + rowsOfBlock'],
    ['finishProduct: each block begins a row further', 'blockIdx.y * rowsOfBlock;', 'blockIdx.y;'],
    [
      'finishProduct: the product has padded rows',
      'product[static_cast<size_t>(r) * N + c]',
      'product[static_cast<size_t>(r) * ldr + c]',
    ],
    ['finishProduct: results in bf16 have no padding', 'C, rounded, N, ldr, gelu};', 'C, rounded, N, N, gelu};'],
    ["finishProduct: GELU is taken of the slope's factor", 'if (e.gelu == kGeluForward) {', 'if (e.gelu != kNoGelu) {'],
    ['finishProduct writes the number before GELU again', 'storeResult<true>(e', 'storeResult<false>(e'],
    ['partial sums start from what was there', 'accumulate ? out[i] : 0.0f', 'out[i]'],
    ['the blocks of a sum begin where those of the one before do', 'block -= (n##k + 255) / 256;', ''],
    [
      'the last numbers of a sum are not guarded',
      '  if (i >= n) return;\n  float sum = accumulate',
      '  float sum = accumulate',
    ],
  ]),
  ...mistakes('rows', 'rows.cuh', [
    ['LayerNorm takes the variance around 0', '(x[at + c] - m) * (x[at + c] - m)', 'x[at + c] * x[at + c]'],
    [
      'half of the lanes leave out a shuffle',
      'const float m = warpSum(sum) / C;',
      'const float m = (lane < 16 ? warpSum(sum) : sum) / C;',
    ],
    ['the gradient forgets the mean of products', ' - normalized * meanOfProduct', ''],
    [
      'groups are added up before all have written',
      '  sums[threadIdx.x] = v;\n  __syncthreads();',
      '  sums[threadIdx.x] = v;',
    ],
    ['a second sum begins before the first was read', '  __syncthreads();\n  return total;', '  return total;'],
    [
      'the last group of rows is not guarded',
      'const int end = min(rows, begin + rowsOfGroup);',
      'const int end = begin + rowsOfGroup;',
    ],
    ['the last columns are not guarded', 'if (threadIdx.x < 32 && column < N)', 'if (threadIdx.x < 32)'],
    [
      "the target's logit is read after it was overwritten",
      '  __syncthreads();  // before the target',
      '  // before the target',
    ],
    ['the gradient is not divided by the sum', 'expf(row[i] - most) / sum', 'expf(row[i] - most)'],
  ]),
  ...mistakes('rows', 'device.cuh', [
    [
      'partial sums of warps are read too early',
      '  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;\n  __syncthreads();',
      '  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;',
    ],
  ]),
  ...mistakes('attention', 'attention.cuh', [
    [
      'keys are loaded over those that are being read',
      '      __syncthreads();\n      if (key0 == 0 || parts > 1) loadRows(q',
      '      if (key0 == 0 || parts > 1) loadRows(q',
    ],
    [
      'keys are read before all are loaded',
      '      __syncthreads();\n      rowProducts(scores, q',
      '      rowProducts(scores, q',
    ],
    ['the scores of a wide head lack its other parts', 'int i = 1; i <= parts', 'int i = parts; i <= parts'],
    ['all parts of a wide head are stored as its first', '+ part * kPart + d;', '+ d;'],
    ['the other parts of q are not loaded', 'if (key0 == 0 || parts > 1) loadRows(q', 'if (key0 == 0) loadRows(q'],
    [
      'weights are read before the warp has stored them',
      '    storeScores(weights, scores);\n    syncWarp();',
      '    storeScores(weights, scores);',
    ],
    [
      'a query does not see itself',
      'const bool visible = key <= own + r;',
      'const bool visible = key < own + r || key == 0;',
    ],
    [
      'a query sees the token after it',
      'const bool visible = key <= own + r;',
      'const bool visible = key <= own + r + 1;',
    ],
    ['earlier sums are not rescaled', 'sums[r][i] *= rescale', 'sums[r][i] *= 1'],
    ['the total is not rescaled', 'total[r] = total[r] * rescale', 'total[r] = total[r]'],
    [
      'columns from 32 on are left out',
      'const float* b = rows + c * stride + lane + 32 * i;',
      'const float* b = rows + c * stride + lane;',
    ],
    ['the last queries are not guarded', '    if (own + r >= T) continue;\n', ''],
    ['a decoded token does not see itself', 't <= last; t++) value', 't < last; t++) value'],
    ['masks do not depend on the head', '(head * tiles + query / 64)', '(query / 64)'],
  ]),
  ...mistakes('attention', 'attention-backward.cuh', [
    [
      'queries are read before all are loaded',
      '      __syncthreads();\n      rowProducts(scores, k',
      '      rowProducts(scores, k',
    ],
    [
      'the last part of a wide head is taken for a whole one',
      'addProducts(dk, slopes, q, width)',
      'addProducts(dk, slopes, q, D)',
    ],
    [
      'a wide head loses the other parts of dout·v',
      'rowProducts(products, v, d, columns);',
      'if (p == part) rowProducts(products, v, d, columns);',
    ],
    [
      'slopes are read before the warp has stored them',
      '    storeScores(slopes, products);\n    syncWarp();',
      '    storeScores(slopes, products);',
    ],
    ['the gradient forgets delta', '(products[r] * factor - mean)', '(products[r] * factor)'],
    ['dk is not scaled', '- mean) * scale', '- mean)'],
    ['dv takes the weights without dropout', 'scores[r] = p * factor;', 'scores[r] = p;'],
    ['the last tile of queries is left out', 'query0 < T; query0 += kRows', 'query0 + kRows < T; query0 += kRows'],
  ]),
  ...mistakes('attention', 'attention-bf16.cuh', [
    ['keys are read before their copies have arrived', 'copyWait<0>();', ''],
    [
      'keys are copied over those that are being read',
      '__syncthreads();\n      if (key0 == 0 || parts > 1) copyHalfRows<kRowsOfBlock>(q',
      'if (key0 == 0 || parts > 1) copyHalfRows<kRowsOfBlock>(q',
    ],
    [
      'parts of a wide head are taken from its first',
      'copyHalfRows<kRows>(q, columns, from + p * kPart',
      'copyHalfRows<kRows>(q, columns, from',
    ],
    [
      'a wide head loses the other parts of q·k',
      'multiplyRows<n>(scores, q',
      'if (p == part) multiplyRows<n>(scores, q',
    ],
    ['rows beyond the window are copied', 'first + r < T && c < D', 'c < D'],
    ['a maximum over two of the four lanes of a row', 'largest = fmaxf(largest, shuffleXor(largest, 2));', ''],
    ['a sum over two of the four lanes of a row', 'sum += shuffleXor(sum, 2);', ''],
    ['values are not transposed', 'loadMatricesTransposed(b, rows', 'loadMatrices(b, rows'],
    [
      'fragments of weights are packed in the wrong order',
      'packBf16(scores[k][2], scores[k][3])',
      'packBf16(scores[k + 1][0], scores[k + 1][1])',
    ],
    [
      'the statistics of a query are read before they are stored',
      'copyWait<0>();\n      __syncthreads();\n      multiplyRows<n>(weights, k',
      'copyWait<0>();\n      multiplyRows<n>(weights, k',
    ],
    ['the second half of the rows takes the statistics of the first', '- mean[h / 2])', '- mean[0])'],
    [
      'the last tile of keys is left out',
      'key0 < min(T, query0 + kRowsOfBlock)',
      'key0 + kRows < min(T, query0 + kRowsOfBlock)',
    ],
  ]),
  ...mistakes('lstm', 'lstm.cuh', [
    ['a tile is overwritten while it is read', '    __syncthreads();  // before the tile is overwritten\n', ''],
    [
      'a tile is read before it has arrived',
      '    copyWait<1>();\n    __syncthreads();\n    const float* a',
      '    __syncthreads();\n    const float* a',
    ],
    ['gates in the order f i g o', 'i * candidate + f * in.previousCell', 'f * candidate + i * in.previousCell'],
    ['the last units are not guarded', 'if (b >= B || u >= H) return;', 'if (b >= B) return;'],
    ['the gradient of the cell is not carried on', 's.dcell[at] = dc * f;', 's.dcell[at] = dc;'],
    [
      'a cell forgets the cell before',
      's.previousCell ? s.previousCell[static_cast<size_t>(b) * H + u] : 0.0f',
      '0.0f',
    ],
  ]),
  ...mistakes('lstm', 'lstm-bf16.cuh', [
    [
      'a chunk is read before all warps have copied it',
      '    copyWait<kStages - 2>();\n    __syncthreads();',
      '    copyWait<kStages - 2>();',
    ],
    ['waits for one group of copies too few', 'copyWait<kStages - 2>', 'copyWait<kStages - 1>'],
    ['loads into the chunk that is being read', 'load(chunk + kStages - 1);', 'load(chunk + kStages);'],
    ['sums overwrite chunks that are being read', '  __syncthreads();  // before the sums overwrite the stages\n', ''],
    [
      'the end of K within a chunk',
      'if (chunk * kChunk + k < K) multiply',
      'if (chunk * kChunk + k + 16 < K) multiply',
    ],
    [
      'sums of the second half overwrite the first',
      'if (half) __syncthreads();  // before the sums of the first half are overwritten',
      '',
    ],
    [
      'sums are read before all warps have stored them',
      '    __syncthreads();\n#pragma unroll\n    for (int i = 0; i < 2; i++) {\n      const int row',
      '#pragma unroll\n    for (int i = 0; i < 2; i++) {\n      const int row',
    ],
    ['sums of one warp are left out', 'w < 4; w++) z[q]', 'w < 3; w++) z[q]'],
    ['the second half of the sequences takes the inputs of the first', 'inputs[half * 2 + i]', 'inputs[i]'],
    ['gates of a fragment are swapped', 'kUnits + lane / 16 * 8 + lane % 8', 'kUnits + 8 - lane / 16 * 8 + lane % 8'],
    ['units beyond the last are copied', 'unit < H ? max(0, min(8, H - k - c)) : 0', 'max(0, min(8, H - k - c))'],
    [
      'halves of rows are swapped in writing only',
      'b + swappedHalf(row + lane % 16, lane / 16)',
      'b + (row + lane % 16) * 16 + lane / 16 * 8',
    ],
    ['rows of the weights beyond the last gate are copied', 'k + r < 4 * H ? max', 'true ? max'],
    ['weights are not transposed', 'loadMatricesTransposed(fb', 'loadMatrices(fb'],
    ['a block does not wait for the others', 'if (t) waitForBlocks(flagsOfTile, blocks, t);', ''],
    [
      'a block waits for the time step before the last',
      'waitForBlocks(flagsOfTile, blocks, t);',
      'waitForBlocks(flagsOfTile, blocks, t - 1);',
    ],
    [
      'a block waits for one block too few',
      'i < blocks; i += 128) waitForFlag',
      'i < blocks - 1; i += 128) waitForFlag',
    ],
    [
      'only the threads at the flags wait',
      '  for (int i = threadIdx.x; i < blocks; i += 128) waitForFlag(flags + i, steps);\n  __syncthreads();',
      '  for (int i = threadIdx.x; i < blocks; i += 128) waitForFlag(flags + i, steps);',
    ],
    [
      'a flag is set before all threads have stored',
      '  __syncthreads();\n  if (threadIdx.x == 0) setFlag',
      '  if (threadIdx.x == 0) setFlag',
    ],
    ['a flag is never set', 'tellBlocks(flagsOfTile, t + 1);', ''],
    ['all tiles have the same flags', 'u32* flagsOfTile = flags + tile * blocks;', 'u32* flagsOfTile = flags;'],
    [
      'a group computes only its first tile',
      'tile * kSequences < B; tile += gridDim.y',
      'tile < static_cast<int>(gridDim.y); tile += gridDim.y',
    ],
    ['backward, a block does not wait for the others', 'if (done) waitForBlocks(flagsOfTile, blocks, done);', ''],
    [
      'the gradient of the first time step ignores the state',
      't ? cells + (row - B) * H : startCell, dcell',
      't ? cells + (row - B) * H : nullptr, dcell',
    ],
  ]),
  ...mistakes('elements', 'elements.cuh', [
    ['a segment of rows loses its last row', 'i < end; i++) sum += dx', 'i + 1 < end; i++) sum += dx'],
    ['masks of rows do not depend on the row', 'static_cast<u32>(unit / sequences)', '0'],
    ['positions do not start again with each window', 'row % T) * C', 'row) * C'],
    ['the two halves of a pair are rotated the same way', 'second * c + first * s', 'second * c - first * s'],
  ]),
  ...mistakes('elements', 'math.cuh', [['Philox does nine rounds', 'round < 10', 'round < 9']]),
  ...mistakes('update', 'update.cuh', [
    [
      'a sum over the block skips a barrier',
      'scratch[threadIdx.x + n];\n    __syncthreads();',
      'scratch[threadIdx.x + n];',
    ],
    ['weights are updated where the loss is infinite', '  if (!outcome->finite) return;\n', ''],
    ['weight decay applies to all parameters', '(c.decay ? s.weightDecay : 0.0f)', 's.weightDecay'],
    ['gradients are not clipped', 'gradients[at] * outcome->gradientScale', 'gradients[at]'],
    ['the second moment is not corrected', '(sqrtf(v) * inverse + s.epsilon)', '(sqrtf(v) + s.epsilon)'],
    ['a copy in bf16 begins at the first row', 'const u32 index = c.first + i;', 'const u32 index = i;'],
  ]),
];
