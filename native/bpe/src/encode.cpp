#include "encode.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace bpe {

namespace {

// Labels of trie nodes: a byte, or one of two values above 255 for the root and for free nodes.
constexpr int kLabelBits = 9;
constexpr uint32_t kLabelMask = (1 << kLabelBits) - 1;
constexpr uint32_t kFreeLabel = kLabelMask, kRootLabel = kLabelMask - 1;

// Index of the root. Nodes without children have base 0, so the nodes 0 to 255 must stay free.
constexpr uint32_t kRoot = 256;

// A pair as one number.
uint64_t pairKey(uint32_t left, uint32_t right) { return static_cast<uint64_t>(left) << kSymbolBits | right; }

// The filter mayMerge_ has 2^11 words of 64 bits, 16 KiB: it fits the first-level cache, and most pairs do not merge.
constexpr int kFilterShift = 64 - 11;

// A multiplicative hash; its upper bits are used.
uint64_t mix(uint64_t key) { return key * 0x9e3779b97f4a7c15; }

}  // namespace

Encoder::Scratch::Scratch(const Encoder& encoder) : dead_(1), fits_(encoder.symbolCount()) {}

uint32_t* Encoder::Scratch::reserve(size_t symbols) {
  if (symbols > capacity_) {
    symbols_.reset();
    capacity_ = std::max(symbols, size_t{1} << 12);
    symbols_.reset(new uint32_t[capacity_]);
  }
  return symbols_.get();
}

Encoder::Encoder(std::vector<Merge> merges) : merges_(std::move(merges)), lengths_(256, 1) {
  if (merges_.size() + 256 >= size_t{1} << kSymbolBits) throw std::invalid_argument("more than 2^20 symbols");
  std::vector<std::vector<uint8_t>> spellings(256);
  for (size_t symbol = 0; symbol < 256; symbol++) spellings[symbol] = {kBytes.byteOf[symbol]};
  int slotBits = 10;
  while (size_t{1} << slotBits < 2 * merges_.size()) slotBits++;
  pairs_.assign(size_t{1} << slotBits, 0);
  pairsShift_ = 64 - slotBits;
  mayMerge_.assign(size_t{1} << (64 - kFilterShift), 0);
  for (size_t k = 0; k < merges_.size(); k++) {
    const auto [left, right] = merges_[k];
    const auto merged = static_cast<uint32_t>(256 + k);
    if (left >= merged || right >= merged) throw std::invalid_argument("a merge joins symbols that are made after it");
    if (!fits(left, right, merged)) {
      throw std::invalid_argument("symbol " + std::to_string(merged) + " is not the encoding of its own text");
    }
    spellings.push_back(spellings[left]);
    spellings.back().insert(spellings.back().end(), spellings[right].begin(), spellings[right].end());
    lengths_.push_back(lengths_[left] + lengths_[right]);
    const uint64_t key = pairKey(left, right);
    size_t at = mix(key) >> pairsShift_;
    while (pairs_[at] != 0) at = (at + 1) & (pairs_.size() - 1);
    pairs_[at] = key << kSymbolBits | merged;
    mayMerge_[mix(key) >> kFilterShift] |= uint64_t{1} << (mix(key) >> (kFilterShift - 6) & 63);
  }
  cuts_ = std::make_unique<Cuts>(spellings);
  longestPrefix_.assign(symbolCount(), kNone);
  buildTrie(spellings);
}

uint32_t Encoder::mergedSymbol(uint32_t left, uint32_t right) const {
  const uint64_t key = pairKey(left, right);
  for (size_t at = mix(key) >> pairsShift_;; at = (at + 1) & (pairs_.size() - 1)) {
    if (pairs_[at] >> kSymbolBits == key && pairs_[at] != 0) return pairs_[at] & ((1 << kSymbolBits) - 1);
    if (pairs_[at] == 0) return kNone;
  }
}

// Undoes the merges inside left and right, latest first. After each one it looks at the two symbols on both sides of
// the border. If they merge earlier than the merge undone last, BPE would have merged them first, so the pair does not
// fit. Equal merges are applied from left to right, so a merge across the border comes before an equal merge inside the
// right symbol.
bool Encoder::fits(uint32_t left, uint32_t right, uint32_t limit) const {
  for (;;) {
    const uint64_t hash = mix(pairKey(left, right));
    if (mayMerge_[hash >> kFilterShift] >> (hash >> (kFilterShift - 6) & 63) & 1 && mergedSymbol(left, right) < limit)
      return false;
    const uint32_t later = std::max(left, right);
    if (later < 256) return true;
    // Avoids a branch, because the CPU could not predict it. undoLeft is all ones or 0, and adding all ones subtracts
    // 1.
    const uint32_t undoLeft = -static_cast<uint32_t>(left > right);
    limit = later + 1 + undoLeft;
    const Merge merge = merges_[later - 256];
    left = (merge.right & undoLeft) | (left & ~undoLeft);
    right = (merge.left & ~undoLeft) | (right & undoLeft);
  }
}

// Visits the symbols in lexicographic order, so that symbols with a common prefix are consecutive. Throws
// std::invalid_argument if two symbols have the same text.
void Encoder::buildTrie(const std::vector<std::vector<uint8_t>>& spellings) {
  std::vector<uint32_t> order(spellings.size());
  for (uint32_t symbol = 0; symbol < order.size(); symbol++) order[symbol] = symbol;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return spellings[a] < spellings[b]; });
  std::vector<bool> isBase;
  const auto extend = [&](size_t least) {
    if (least > size_t{1} << (32 - kLabelBits)) throw std::invalid_argument("the symbols are too long for the trie");
    if (least <= nodes_.size()) return;
    nodes_.resize(std::max(least, 2 * nodes_.size()), {kFreeLabel, kNone});
    isBase.resize(nodes_.size() + 256);
  };
  extend(1024);
  nodes_[kRoot].baseAndLabel = kRootLabel;
  isBase[0] = true;

  // The symbols order[from, to) share their first `depth` bytes, which are the path of `node`. `longest` is the longest
  // symbol that is a proper prefix of the path.
  struct Range {
    size_t from, to, depth;
    uint32_t node, longest;
  };
  std::vector<Range> pending{{0, order.size(), 0, kRoot, kNone}};
  size_t firstFree = kRoot + 1;
  // Breadth first, so that the nodes near the root, which are read most often, are close together in memory.
  for (size_t done = 0; done < pending.size(); done++) {
    Range range = pending[done];
    if (spellings[order[range.from]].size() == range.depth) {
      const uint32_t symbol = order[range.from++];
      longestPrefix_[symbol] = range.longest;
      range.longest = withLength(symbol);
      if (range.from < range.to && spellings[order[range.from]].size() == range.depth) {
        throw std::invalid_argument("two symbols have the same text");
      }
    }
    nodes_[range.node].longest = range.longest;
    if (range.from == range.to) continue;
    const size_t firstChild = pending.size();
    std::vector<uint8_t> bytes;
    for (size_t from = range.from; from < range.to;) {
      const uint8_t byte = spellings[order[from]][range.depth];
      size_t to = from + 1;
      while (to < range.to && spellings[order[to]][range.depth] == byte) to++;
      pending.push_back({from, to, range.depth + 1, 0, range.longest});
      bytes.push_back(byte);
      from = to;
    }
    while (extend(firstFree + 512), nodes_[firstFree].baseAndLabel != kFreeLabel) firstFree++;
    uint32_t base = 0;
    // The position of the first child determines the base. If a sibling's node is taken, or the base is in use, try the
    // next free node.
    for (size_t free = firstFree;; free++) {
      // Skip the crowded start of the array for good. Otherwise large vocabularies would take quadratic time.
      if (free == firstFree + 256) firstFree = free;
      extend(free + 512);
      if (nodes_[free].baseAndLabel != kFreeLabel) continue;
      base = static_cast<uint32_t>(free) ^ bytes[0];
      const auto isFree = [&](uint8_t byte) {
        return (base ^ byte) > kRoot && nodes_[base ^ byte].baseAndLabel == kFreeLabel;
      };
      if (!isBase[base] && std::all_of(bytes.begin(), bytes.end(), isFree)) break;
    }
    isBase[base] = true;
    uint32_t& baseAndLabel = nodes_[range.node].baseAndLabel;
    baseAndLabel = base << kLabelBits | (baseAndLabel & kLabelMask);
    for (size_t i = 0; i < bytes.size(); i++) {
      const uint32_t node = base ^ bytes[i];
      nodes_[node].baseAndLabel = bytes[i];
      pending[firstChild + i].node = node;
    }
  }
  for (uint32_t byte = 0; byte < 256; byte++)
    firstNodes_[byte] = nodes_[(nodes_[kRoot].baseAndLabel >> kLabelBits) ^ byte];
}

Encoder::SizedSymbol Encoder::longestMatch(const uint8_t* text, const uint8_t* end) const {
  Node node = firstNodes_[*text];
  while (++text < end) {
    const Node next = nodes_[node.baseAndLabel >> kLabelBits ^ *text];
    if ((next.baseAndLabel & kLabelMask) != *text) break;
    node = next;
  }
  return node.longest;
}

Encoder::Encoded Encoder::encode(const uint8_t* text, size_t length, Scratch& scratch) const {
  if (length == 0) return {nullptr, 0};
  const uint8_t* const end = text + length;
  uint32_t* const first = scratch.reserve(length);
  uint32_t* last = first;
  std::vector<uint64_t>& dead = scratch.dead_;
  if (dead.size() <= length / 64) dead.resize(length / 64 + 1);
  size_t position = 0, furthestDead = 0;
  const auto isDead = [&](size_t at) { return at <= furthestDead && (dead[at / 64] >> at % 64 & 1); };
  const auto fitsLast = [&](uint32_t right) {
    const uint32_t left = symbolOf(last[-1]);
    return scratch.fits_.get(left, right, [&] { return fits(left, right, kNone); });
  };
  SizedSymbol symbol = longestMatch(text, end);
  for (;;) {
    // Of `symbol` and its prefixes, take the longest one that ends at a live position and fits its left neighbour.
    size_t next = 0;
    while (symbol != kNone) {
      next = position + lengthOf(symbol);
      if (!isDead(next) && (last == first || fitsLast(symbolOf(symbol)))) break;
      symbol = longestPrefix_[symbolOf(symbol)];
    }
    if (symbol != kNone) {
      *last++ = symbol;
      position = next;
      if (position == length) break;
      symbol = longestMatch(text + position, end);
    } else {
      // No symbol fits: mark the position as dead and go back to the last symbol. The loop above then takes a shorter
      // one. Every text has an encoding, so the search ends.
      dead[position / 64] |= uint64_t{1} << position % 64;
      furthestDead = std::max(furthestDead, position);
      symbol = *--last;
      position -= lengthOf(symbol);
    }
  }
  if (furthestDead > 0) std::fill(dead.begin(), dead.begin() + furthestDead / 64 + 1, 0);
  for (uint32_t* each = first; each < last; each++) *each = symbolOf(*each);
  return {first, static_cast<size_t>(last - first)};
}

}  // namespace bpe
