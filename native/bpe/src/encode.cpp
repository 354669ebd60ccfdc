#include "encode.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace bpe {

namespace {

// A node is free where its label is no byte.
constexpr int kLabelBits = 9;
constexpr uint32_t kLabelMask = (1 << kLabelBits) - 1, kFree = kLabelMask;

uint64_t pairKey(uint32_t left, uint32_t right) { return static_cast<uint64_t>(left) << kSymbolBits | right; }

// 2^17 bits, 16 KiB: most pairs merge to nothing, and this says so from the first-level cache.
constexpr int kFilterShift = 64 - 11;

uint64_t mix(uint64_t key) { return key * 0x9e3779b97f4a7c15; }

}  // namespace

Encoder::Scratch::Scratch(const Encoder& encoder) : dead_(1), fits_(encoder.symbolCount()) {}

uint32_t* Encoder::Scratch::roomFor(size_t symbols) {
  if (symbols > capacity_) {
    symbols_.reset();
    capacity_ = std::max(symbols, size_t{1} << 12);
    symbols_.reset(new uint32_t[capacity_]);
  }
  return symbols_.get();
}

Encoder::Encoder(std::vector<Merge> merges) : merges_(std::move(merges)), lengths_(256, 1) {
  if (merges_.size() + 256 >= size_t{1} << kSymbolBits) throw std::invalid_argument("more than 2^20 symbols");
  std::vector<std::vector<uint8_t>> spelled(256);
  for (size_t symbol = 0; symbol < 256; symbol++) spelled[symbol] = {kBytes.byteOf[symbol]};
  int slotBits = 10;
  while (size_t{1} << slotBits < 2 * merges_.size()) slotBits++;
  pairs_.assign(size_t{1} << slotBits, 0);
  pairsShift_ = 64 - slotBits;
  mayMerge_.assign(size_t{1} << (64 - kFilterShift), 0);
  for (size_t k = 0; k < merges_.size(); k++) {
    const auto [left, right] = merges_[k];
    const auto merged = static_cast<uint32_t>(256 + k);
    if (left >= merged || right >= merged) throw std::invalid_argument("a merge is of symbols that come after it");
    if (!fits(left, right, merged)) {
      throw std::invalid_argument("symbol " + std::to_string(merged) + " is not the encoding of its own text");
    }
    spelled.push_back(spelled[left]);
    spelled.back().insert(spelled.back().end(), spelled[right].begin(), spelled[right].end());
    lengths_.push_back(lengths_[left] + lengths_[right]);
    const uint64_t key = pairKey(left, right);
    size_t at = mix(key) >> pairsShift_;
    while (pairs_[at] != 0) at = (at + 1) & (pairs_.size() - 1);
    pairs_[at] = key << kSymbolBits | merged;
    mayMerge_[mix(key) >> kFilterShift] |= uint64_t{1} << (mix(key) >> (kFilterShift - 6) & 63);
  }
  cuts_ = std::make_unique<Cuts>(spelled);
  shorter_.assign(symbolCount(), kNone);
  buildTrie(spelled);
}

uint32_t Encoder::mergeOf(uint32_t left, uint32_t right) const {
  const uint64_t key = pairKey(left, right);
  for (size_t at = mix(key) >> pairsShift_;; at = (at + 1) & (pairs_.size() - 1)) {
    if (pairs_[at] >> kSymbolBits == key && pairs_[at] != 0) return pairs_[at] & ((1 << kSymbolBits) - 1);
    if (pairs_[at] == 0) return kNone;
  }
}

// Whether encoding the text of left and right gives just these two, by the merges below `limit`. The later of the two
// merges that made them is undone, again and again, and at each step no merge may join what stands at the border: one
// that comes before the merge undone last would have been made first. (Of equal merges the one further left comes
// first: the border is left of the right symbol's own merges.)
bool Encoder::fits(uint32_t left, uint32_t right, uint32_t limit) const {
  for (;;) {
    const uint64_t hash = mix(pairKey(left, right));
    if (mayMerge_[hash >> kFilterShift] >> (hash >> (kFilterShift - 6) & 63) & 1 && mergeOf(left, right) < limit)
      return false;
    const uint32_t later = std::max(left, right);
    if (later < 256) return true;
    // Which of the two is a coin toss to a branch predictor: so without a branch.
    const uint32_t undoLeft = -static_cast<uint32_t>(left > right);
    limit = later + 1 + undoLeft;
    const Merge merge = merges_[later - 256];
    left = (merge.right & undoLeft) | (left & ~undoLeft);
    right = (merge.left & ~undoLeft) | (right & undoLeft);
  }
}

void Encoder::buildTrie(const std::vector<std::vector<uint8_t>>& spelled) {
  std::vector<uint32_t> order(spelled.size());
  for (uint32_t symbol = 0; symbol < order.size(); symbol++) order[symbol] = symbol;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return spelled[a] < spelled[b]; });
  // The first 256 places stay free: there are the children of nodes that have none. The root is at 256.
  constexpr uint32_t kRoot = 256;
  std::vector<bool> isBase;
  const auto extend = [&](size_t least) {
    if (least > size_t{1} << (32 - kLabelBits)) throw std::invalid_argument("the symbols are too long for the trie");
    if (least <= nodes_.size()) return;
    nodes_.resize(std::max(least, 2 * nodes_.size()), {kFree, kNone});
    isBase.resize(nodes_.size() + 256);
  };
  extend(1024);
  // Labelled with no byte: nobody's child.
  nodes_[kRoot].baseAndLabel = kFree - 1;
  isBase[0] = true;

  // Symbols [from, to) of the order share their first `depth` bytes, which lead to `node`; `longest` ends before it.
  struct Range {
    size_t from, to, depth;
    uint32_t node, longest;
  };
  std::vector<Range> pending{{0, order.size(), 0, kRoot, kNone}};
  size_t firstFree = kRoot + 1;
  // In the order of their depth: nodes near the root, which most symbols go through, lie near each other.
  for (size_t done = 0; done < pending.size(); done++) {
    Range range = pending[done];
    if (spelled[order[range.from]].size() == range.depth) {
      const uint32_t symbol = order[range.from++];
      shorter_[symbol] = range.longest;
      range.longest = sized(symbol);
      if (range.from < range.to && spelled[order[range.from]].size() == range.depth) {
        throw std::invalid_argument("two symbols have the same text");
      }
    }
    nodes_[range.node].longest = range.longest;
    if (range.from == range.to) continue;
    const size_t firstChild = pending.size();
    std::vector<uint8_t> bytes;
    for (size_t from = range.from; from < range.to;) {
      const uint8_t byte = spelled[order[from]][range.depth];
      size_t to = from + 1;
      while (to < range.to && spelled[order[to]][range.depth] == byte) to++;
      pending.push_back({from, to, range.depth + 1, 0, range.longest});
      bytes.push_back(byte);
      from = to;
    }
    while (extend(firstFree + 512), nodes_[firstFree].baseAndLabel != kFree) firstFree++;
    uint32_t base = 0;
    // The place of the first child decides the base; where siblings or another base are in the way the next one is
    // tried.
    for (size_t free = firstFree;; free++) {
      // Crowded parts of the array are given up, or large vocabularies would take quadratic time.
      if (free == firstFree + 256) firstFree = free;
      extend(free + 512);
      if (nodes_[free].baseAndLabel != kFree) continue;
      base = static_cast<uint32_t>(free) ^ bytes[0];
      const auto isFree = [&](uint8_t byte) {
        return (base ^ byte) > kRoot && nodes_[base ^ byte].baseAndLabel == kFree;
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
  uint32_t* const first = scratch.roomFor(length);
  uint32_t* last = first;
  std::vector<uint64_t>& dead = scratch.dead_;
  if (dead.size() <= length / 64) dead.resize(length / 64 + 1);
  size_t place = 0, furthestDead = 0;
  const auto isDead = [&](size_t at) { return at <= furthestDead && (dead[at / 64] >> at % 64 & 1); };
  const auto fitsLast = [&](uint32_t right) {
    const uint32_t left = symbolOf(last[-1]);
    return scratch.fits_.get(left, right, [&] { return fits(left, right, kNone); });
  };
  SizedSymbol symbol = longestMatch(text, end);
  for (;;) {
    // Takes the longest symbol, from `symbol` downwards, that leads to a live place and fits what stands before it.
    size_t next = 0;
    while (symbol != kNone) {
      next = place + lengthOf(symbol);
      if (!isDead(next) && (last == first || fitsLast(symbolOf(symbol)))) break;
      symbol = shorter_[symbolOf(symbol)];
    }
    if (symbol != kNone) {
      *last++ = symbol;
      place = next;
      if (place == length) break;
      symbol = longestMatch(text + place, end);
    } else {
      // No symbol fits here: the one that led here is given up for a shorter one. The text has an encoding, so there is
      // one.
      dead[place / 64] |= uint64_t{1} << place % 64;
      furthestDead = std::max(furthestDead, place);
      symbol = *--last;
      place -= lengthOf(symbol);
    }
  }
  if (furthestDead > 0) std::fill(dead.begin(), dead.begin() + furthestDead / 64 + 1, 0);
  for (uint32_t* each = first; each < last; each++) *each = symbolOf(*each);
  return {first, static_cast<size_t>(last - first)};
}

}  // namespace bpe
