#include "encode.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace bpe {

namespace {

// Symbols have 20 bits, a pair 40. Multiplied by an odd number modulo 2^40 each pair is still itself: 14 bits of that choose
// the place, the other 26 are kept there to tell the pairs of a place apart.
constexpr int kSymbolBits = 20, kKnownBits = 14, kTagBits = 2 * kSymbolBits - kKnownBits;

uint64_t pairKey(uint32_t left, uint32_t right) { return static_cast<uint64_t>(left) << kSymbolBits | right; }

uint64_t mix(uint64_t key) { return key * 0x9e3779b97f4a7c15; }

}  // namespace

Encoder::Scratch::Scratch() : dead_(1), known_(size_t{1} << kKnownBits, ~uint32_t{0}) {}

Encoder::Encoder(std::vector<Merge> merges) : merges_(std::move(merges)), lengths_(256, 1) {
  if (merges_.size() + 256 >= size_t{1} << kSymbolBits) throw std::invalid_argument("more than 2^20 symbols");
  std::vector<std::vector<uint8_t>> spelled(256);
  for (size_t symbol = 0; symbol < 256; symbol++) spelled[symbol] = {kBytes.byteOf[symbol]};
  int slotBits = 10;
  while (size_t{1} << slotBits < 2 * merges_.size()) slotBits++;
  pairs_.assign(size_t{1} << slotBits, 0);
  pairsShift_ = 64 - slotBits;
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
  }
  buildTrie(spelled);
}

uint32_t Encoder::mergeOf(uint32_t left, uint32_t right) const {
  const uint64_t key = pairKey(left, right);
  for (size_t at = mix(key) >> pairsShift_;; at = (at + 1) & (pairs_.size() - 1)) {
    if (pairs_[at] >> kSymbolBits == key && pairs_[at] != 0) return pairs_[at] & ((1 << kSymbolBits) - 1);
    if (pairs_[at] == 0) return kNone;
  }
}

// Whether encoding the text of left and right gives just these two, by the merges below `limit`. The later of the two merges
// that made them is undone, again and again, and at each step no merge may join what stands at the border: one that comes
// before the merge undone last would have been made first. (Of equal merges the one further left comes first: the border is
// left of the right symbol's own merges.)
bool Encoder::fits(uint32_t left, uint32_t right, uint32_t limit) const {
  for (;;) {
    const uint32_t merged = mergeOf(left, right);
    if (merged < limit) return false;
    if (left > right) {
      if (left < 256) return true;
      limit = left;
      left = merges_[left - 256].right;
    } else {
      if (right < 256) return true;
      limit = right + 1;
      right = merges_[right - 256].left;
    }
  }
}

bool Encoder::fitsKnown(uint32_t left, uint32_t right, Scratch& scratch) const {
  const uint64_t mixed = mix(pairKey(left, right));
  const auto tag = static_cast<uint32_t>(mixed & ((1 << kTagBits) - 1));
  uint32_t& known = scratch.known_[mixed >> kTagBits & ((1 << kKnownBits) - 1)];
  if (known >> 1 != tag) known = tag << 1 | static_cast<uint32_t>(fits(left, right, kNone));
  return known & 1;
}

// A double array: the children of a node are where its base, XOR their byte, says; whose they are is written there.
void Encoder::buildTrie(const std::vector<std::vector<uint8_t>>& spelled) {
  constexpr uint32_t kFree = kNone;
  std::vector<uint32_t> order(spelled.size());
  for (uint32_t symbol = 0; symbol < order.size(); symbol++) order[symbol] = symbol;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return spelled[a] < spelled[b]; });
  shorter_.assign(spelled.size(), kNone);
  nodes_.assign(512, {0, kFree, kNone, 0});
  nodes_[0] = {0, 0, kNone, 0};

  // Symbols [from, to) of the order share their first `depth` bytes, which lead to `node`; `longest` ends at or before it.
  struct Range {
    size_t from, to, depth;
    uint32_t node, longest;
  };
  std::vector<Range> pending{{0, order.size(), 0, 0, kNone}};
  size_t firstFree = 1;
  while (!pending.empty()) {
    Range range = pending.back();
    pending.pop_back();
    if (spelled[order[range.from]].size() == range.depth) {
      const uint32_t symbol = order[range.from++];
      shorter_[symbol] = range.longest;
      range.longest = symbol;
      if (range.from < range.to && spelled[order[range.from]].size() == range.depth) {
        throw std::invalid_argument("two symbols have the same text");
      }
    }
    nodes_[range.node].symbol = range.longest;
    if (range.from == range.to) continue;
    std::vector<Range> children;
    std::vector<uint8_t> bytes;
    for (size_t from = range.from; from < range.to;) {
      const uint8_t byte = spelled[order[from]][range.depth];
      size_t to = from + 1;
      while (to < range.to && spelled[order[to]][range.depth] == byte) to++;
      children.push_back({from, to, range.depth + 1, 0, range.longest});
      bytes.push_back(byte);
      from = to;
    }
    while (nodes_[firstFree].parent != kFree) {
      if (++firstFree + 512 > nodes_.size()) nodes_.resize(nodes_.size() * 2, {0, kFree, kNone, 0});
    }
    size_t free = firstFree;
    uint32_t base;
    // The place of the first child decides the base; where siblings are in the way the next free place is tried.
    for (size_t tries = 0;; free++, tries++) {
      if (free + 512 > nodes_.size()) nodes_.resize(nodes_.size() * 2, {0, kFree, kNone, 0});
      if (nodes_[free].parent != kFree) continue;
      base = static_cast<uint32_t>(free) ^ bytes[0];
      if (std::all_of(bytes.begin(), bytes.end(), [&](uint8_t byte) { return nodes_[base ^ byte].parent == kFree; })) break;
      // Crowded parts of the array are given up, or large vocabularies would take quadratic time.
      if (tries > 4096) {
        firstFree = free;
        tries = 0;
      }
    }
    nodes_[range.node].base = base;
    for (size_t i = 0; i < children.size(); i++) {
      children[i].node = base ^ bytes[i];
      nodes_[children[i].node].parent = range.node;
      pending.push_back(children[i]);
    }
  }

  roots_.resize(0x10000);
  for (uint32_t first = 0; first < 256; first++) {
    const uint32_t node = nodes_[0].base ^ first;
    for (uint32_t second = 0; second < 256; second++) {
      const uint32_t child = nodes_[node].base ^ second;
      const bool there = nodes_[child].parent == node;
      roots_[first | second << 8] = {there ? child : kNone, nodes_[there ? child : node].symbol};
    }
  }
}

uint32_t Encoder::longestMatch(const uint8_t* text, const uint8_t* end) const {
  if (end - text < 2) return kBytes.symbolOf[*text];
  const Root& root = roots_[text[0] | text[1] << 8];
  if (root.node == kNone) return root.symbol;
  const Node* node = &nodes_[root.node];
  for (text += 2; text < end; text++) {
    const Node* child = &nodes_[node->base ^ *text];
    if (child->parent != static_cast<uint32_t>(node - nodes_.data())) break;
    node = child;
  }
  return node->symbol;
}

void Encoder::Symbols::grow(size_t least) {
  const size_t capacity = std::max(least, 2 * capacity_);
  std::unique_ptr<uint32_t[]> larger(new uint32_t[capacity]);
  std::copy(begin(), end(), larger.get());
  data_ = std::move(larger);
  capacity_ = capacity;
}

void Encoder::encode(const uint8_t* piece, size_t length, Scratch& scratch, Symbols& out) const {
  if (length == 0) return;
  const uint8_t* const end = piece + length;
  uint32_t* const first = out.reserve(length);
  uint32_t* last = first;
  std::vector<uint64_t>& dead = scratch.dead_;
  if (dead.size() <= length / 64) dead.resize(length / 64 + 1);
  const auto isDead = [&](size_t place) { return dead[place / 64] >> place % 64 & 1; };
  size_t place = 0, furthestDead = 0;
  uint32_t symbol = longestMatch(piece, end);
  for (;;) {
    // Takes the longest symbol, from `symbol` downwards, that leads to a live place and fits what stands before it.
    while (symbol != kNone) {
      if (!isDead(place + lengths_[symbol]) && (last == first || fitsKnown(last[-1], symbol, scratch))) break;
      symbol = shorter_[symbol];
    }
    if (symbol != kNone) {
      *last++ = symbol;
      place += lengths_[symbol];
      if (place == length) break;
      symbol = longestMatch(piece + place, end);
    } else {
      // No symbol fits here: the one that led here is given up for a shorter one. The text has an encoding, so there is one.
      dead[place / 64] |= uint64_t{1} << place % 64;
      furthestDead = std::max(furthestDead, place);
      symbol = *--last;
      place -= lengths_[symbol];
    }
  }
  if (furthestDead > 0) std::fill(dead.begin(), dead.begin() + furthestDead / 64 + 1, 0);
  out.extendTo(last);
}

}  // namespace bpe
