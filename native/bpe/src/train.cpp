// BPE training with incremental counts.
//
// All distinct pieces are in one array of symbols, one position per byte, with a separator before each piece. A symbol
// of n bytes is written at the first and the last of its n positions, so both neighbours of a symbol are found without
// links:
//
//   position  0  1  2  3  4  5  6  7           X = ab, Y = abc
//             |  a  b  c  a  b  c  |
//             |  Y  .  Y  Y  .  Y  |           the symbol before position 4 is at 3, the one after it at 4 + 3
//
// Each pair has a count and the positions at which it was seen, in ascending order. A position may be out of date, so
// it is checked when the pair is merged. The merge of (a, b) into n visits the positions of the pair once. For each
// symbol x it sums how much the counts of (x, a), (b, x), (x, n) and (n, x) change, and then updates each of these
// pairs once.
//
// Pairs wait in a heap, ordered by count. After a pair was added, its count can only fall, since new pairs contain the
// new symbol n. So an outdated count in the heap is too high: when it reaches the top, it is pushed again with the
// right count.
#include "train.hpp"

#include <algorithm>
#include <limits>
#include <queue>
#include <stdexcept>

namespace bpe {

namespace {

using Position = uint32_t;

// A pair of adjacent symbols.
struct Pair {
  Merge symbols;
  uint64_t count;
  // Ascending; may be out of date. Freed when the pair is merged or becomes too rare.
  std::unique_ptr<Position[]> positions;
  Position positionCount;
};

// An entry of the heap: a pair with its count at the time of the push.
struct Candidate {
  uint64_t count;
  Merge symbols;
  // Index of the pair.
  uint32_t pair;

  // std::priority_queue has the greatest element on top: the highest count, then the smallest pair.
  bool operator<(const Candidate& other) const {
    if (count != other.count) return count < other.count;
    if (symbols.left != other.symbols.left) return symbols.left > other.symbols.left;
    return symbols.right > other.symbols.right;
  }
};

// Hash table (left, right) → index of the pair, with open addressing. Key 0 marks an empty slot, so the pair (0, 0) has
// the key ~0.
class PairIndex {
 public:
  PairIndex() : slots_(1 << 16) {}

  // Returns nullptr if the pair is not in the table.
  uint32_t* find(uint32_t left, uint32_t right) {
    const uint64_t key = keyOf(left, right);
    for (size_t at = slotOf(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key) return &slots_[at].pair;
      if (slots_[at].key == 0) return nullptr;
    }
  }

  // Adds a pair that is not in the table yet.
  void insert(uint32_t left, uint32_t right, uint32_t pair) {
    if (2 * ++size_ > slots_.size()) {
      std::vector<Slot> old(slots_.size() * 2);
      old.swap(slots_);
      for (const Slot& slot : old) {
        if (slot.key != 0) put(slot);
      }
    }
    put({keyOf(left, right), pair});
  }

 private:
  struct Slot {
    uint64_t key;
    uint32_t pair;
  };

  static uint64_t keyOf(uint32_t left, uint32_t right) {
    const uint64_t key = static_cast<uint64_t>(left) << 32 | right;
    return key == 0 ? ~uint64_t{0} : key;
  }
  size_t slotOf(uint64_t key) const { return (key * 0x9e3779b97f4a7c15 >> 20) & (slots_.size() - 1); }
  void put(const Slot& slot) {
    size_t at = slotOf(slot.key);
    while (slots_[at].key != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

// How one merge of (a, b) into n changes the pairs of a symbol x.
struct Change {
  // Decrease of the counts of (x, a) and (b, x), and increase of those of (x, n) and (n, x).
  uint64_t lossBefore = 0, lossAfter = 0, gainBefore = 0, gainAfter = 0;
  // Number of positions of (x, n) and (n, x).
  Position positionsBefore = 0, positionsAfter = 0;
  bool touched = false;
};

// Learns merges. Symbol is the narrowest integer type that holds all symbols and the two marks below.
template <class Symbol>
class Trainer {
 public:
  Trainer(PieceCounter& counter, const TrainOptions& options) : options_(options) {
    layOutPieces(counter);
    counter.clear();
    findPairs();
  }

  // Learns the merges. `learned` holds their number so far.
  std::vector<Merge> run(std::atomic<int32_t>& learned) {
    std::vector<Merge> merges;
    while (merges.size() < options_.merges && !heap_.empty()) {
      const Candidate top = heap_.top();
      heap_.pop();
      Pair& pair = pairs_[top.pair];
      if (pair.count != top.count) {
        if (pair.count >= minimumCount()) heap_.push({pair.count, top.symbols, top.pair});
        continue;
      }
      if (isForbidden(pair.symbols, merges)) continue;
      const auto positions = std::move(pair.positions);
      const Position positionCount = pair.positionCount;
      merges.push_back(top.symbols);
      lengths_.push_back(lengths_[top.symbols.left] + lengths_[top.symbols.right]);
      changes_.emplace_back();
      merge(top.symbols, static_cast<uint32_t>(255 + merges.size()), positions.get(), positionCount);
      learned.store(static_cast<int32_t>(merges.size()), std::memory_order_relaxed);
    }
    return merges;
  }

 private:
  // Marks in the array of symbols: between pieces, and where a merged symbol has an inner position.
  static constexpr Symbol kSeparator = std::numeric_limits<Symbol>::max();
  static constexpr Symbol kInside = kSeparator - 1;

  // Smallest count of a pair that is merged.
  uint64_t minimumCount() const { return std::max<uint64_t>(1, options_.minimumCount); }

  // Writes the pieces into symbols_, by descending weight. The weights are then few ranges of positions, which a cursor
  // follows. Pieces of one byte have no pair and are left out.
  void layOutPieces(const PieceCounter& counter) {
    const std::vector<Piece>& pieces = counter.pieces();
    std::vector<uint32_t> order;
    uint64_t size = 1;
    for (uint32_t i = 0; i < pieces.size(); i++) {
      if (pieces[i].length < 2) continue;
      order.push_back(i);
      size += pieces[i].length + 1;
    }
    if (size > std::numeric_limits<Position>::max()) {
      throw std::length_error(
          "the distinct pieces of the corpus are longer than 4 GiB: cut it after bars or lines, or train on a part");
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return pieces[a].count > pieces[b].count; });
    symbols_.reserve(size);
    symbols_.push_back(kSeparator);
    for (const uint32_t i : order) {
      const Piece& piece = pieces[i];
      if (weights_.empty() || weights_.back().weight != piece.count) {
        weights_.push_back({static_cast<Position>(symbols_.size()), piece.count});
      }
      for (uint32_t k = 0; k < piece.length; k++) symbols_.push_back(kBytes.symbolOf[piece.bytes[k]]);
      symbols_.push_back(kSeparator);
    }
    weights_.push_back({std::numeric_limits<Position>::max(), 0});
    lengths_.assign(256, 1);
    changes_.resize(256);
  }

  // Counts the initial pairs, which are pairs of bytes, and records their positions.
  void findPairs() {
    std::vector<uint64_t> counts(0x10000);
    std::vector<Position> positionCounts(0x10000);
    forEachBytePair([&](uint32_t bytes, Position, uint64_t weight) {
      counts[bytes] += weight;
      positionCounts[bytes]++;
    });
    std::vector<Position*> cursor(0x10000);
    for (uint32_t bytes = 0; bytes < 0x10000; bytes++) {
      if (counts[bytes] >= minimumCount())
        cursor[bytes] = addPair({bytes >> 8, bytes & 0xff}, counts[bytes], positionCounts[bytes]);
    }
    forEachBytePair([&](uint32_t bytes, Position position, uint64_t) {
      if (cursor[bytes]) *cursor[bytes]++ = position;
    });
  }

  // Calls visit(pair as left << 8 | right, position, weight) for each pair of adjacent bytes.
  template <class Visit>
  void forEachBytePair(Visit visit) {
    size_t range = 0;
    for (Position position = 1; position + 1 < symbols_.size(); position++) {
      const Symbol left = symbols_[position], right = symbols_[position + 1];
      if (left == kSeparator || right == kSeparator) continue;
      while (position >= weights_[range + 1].from) range++;
      visit(static_cast<uint32_t>(left) << 8 | right, position, weights_[range].weight);
    }
  }

  // Adds a new pair. Returns the memory that the caller must fill with its positions.
  Position* addPair(Merge symbols, uint64_t count, Position positionCount) {
    const auto pair = static_cast<uint32_t>(pairs_.size());
    pairs_.push_back({symbols, count, std::unique_ptr<Position[]>(new Position[positionCount]), positionCount});
    index_.insert(symbols.left, symbols.right, pair);
    heap_.push({count, symbols, pair});
    return pairs_.back().positions.get();
  }

  // Whether the pair would make a symbol with a forbidden spelling.
  bool isForbidden(Merge pair, const std::vector<Merge>& merges) const {
    const size_t length = lengths_[pair.left] + lengths_[pair.right];
    for (const std::string& forbidden : options_.forbidden) {
      if (forbidden.size() == length && spell(pair.left, merges) + spell(pair.right, merges) == forbidden) return true;
    }
    return false;
  }

  // The bytes of a symbol.
  static std::string spell(uint32_t symbol, const std::vector<Merge>& merges) {
    if (symbol < 256) return std::string(1, static_cast<char>(kBytes.byteOf[symbol]));
    return spell(merges[symbol - 256].left, merges) + spell(merges[symbol - 256].right, merges);
  }

  // The changes of a symbol, registered in touched_.
  Change& change(uint32_t symbol) {
    Change& change = changes_[symbol];
    if (!change.touched) {
      change.touched = true;
      touched_.push_back(symbol);
    }
    return change;
  }

  // Replaces the pair by `merged` at all of its positions, and updates the other pairs.
  void merge(Merge pair, uint32_t merged, const Position* positions, Position positionCount) {
    const uint32_t leftLength = lengths_[pair.left], rightLength = lengths_[pair.right];
    const auto left = static_cast<Symbol>(pair.left), right = static_cast<Symbol>(pair.right);
    size_t range = 0;
    before_.clear();
    after_.clear();
    for (Position i = 0; i < positionCount; i++) {
      const Position position = positions[i], middle = position + leftLength;
      if (symbols_[position] != left || symbols_[middle] != right) continue;
      while (position >= weights_[range + 1].from) range++;
      const uint64_t weight = weights_[range].weight;
      const Position next = middle + rightLength;
      symbols_[middle] = kInside;
      symbols_[position] = symbols_[next - 1] = static_cast<Symbol>(merged);

      const uint32_t previousSymbol = symbols_[position - 1], nextSymbol = symbols_[next];
      if (previousSymbol != kSeparator) {
        Change& previous = change(previousSymbol);
        // If the left neighbour was merged just before, that step added (merged, left), which this step removes.
        if (previousSymbol == merged)
          change(pair.left).gainAfter -= weight;
        else
          previous.lossBefore += weight;
        previous.gainBefore += weight;
        previous.positionsBefore++;
        before_.push_back({previousSymbol, static_cast<Position>(position - lengths_[previousSymbol])});
      }
      if (nextSymbol != kSeparator) {
        Change& following = change(nextSymbol);
        following.lossAfter += weight;
        following.gainAfter += weight;
        following.positionsAfter++;
        after_.push_back({nextSymbol, position});
      }
    }
    updatePairs(pair, merged);
  }

  // The left or right neighbour of a merged pair, and the position of the new pair with it.
  struct Occurrence {
    uint32_t symbol;
    Position position;
  };

  // Updates the counts and adds the new pairs after a merge.
  void updatePairs(Merge pair, uint32_t merged) {
    pairs_[*index_.find(pair.left, pair.right)].count = 0;
    cursorBefore_.resize(changes_.size());
    cursorAfter_.resize(changes_.size());
    for (const uint32_t symbol : touched_) {
      const Change& change = changes_[symbol];
      decrease(symbol, pair.left, change.lossBefore);
      decrease(pair.right, symbol, change.lossAfter);
      cursorBefore_[symbol] = change.gainBefore >= minimumCount()
                                  ? addPair({symbol, merged}, change.gainBefore, change.positionsBefore)
                                  : nullptr;
      cursorAfter_[symbol] = change.gainAfter >= minimumCount()
                                 ? addPair({merged, symbol}, change.gainAfter, change.positionsAfter)
                                 : nullptr;
    }
    for (const Occurrence& occurrence : before_) {
      if (cursorBefore_[occurrence.symbol]) *cursorBefore_[occurrence.symbol]++ = occurrence.position;
    }
    for (const Occurrence& occurrence : after_) {
      if (cursorAfter_[occurrence.symbol]) *cursorAfter_[occurrence.symbol]++ = occurrence.position;
    }
    for (const uint32_t symbol : touched_) changes_[symbol] = {};
    touched_.clear();
  }

  // Decreases the count of a pair.
  void decrease(uint32_t left, uint32_t right, uint64_t count) {
    if (count == 0) return;
    // Pairs that were too rare from the start are not in the table.
    const uint32_t* index = index_.find(left, right);
    if (!index) return;
    Pair& pair = pairs_[*index];
    // The pair just merged already has the count 0.
    pair.count = pair.count > count ? pair.count - count : 0;
    if (pair.count < minimumCount()) pair.positions.reset();
  }

  // A range of pieces with the same weight. It ends at the position of the next range.
  struct WeightRange {
    Position from;
    uint64_t weight;
  };

  const TrainOptions& options_;
  // The pieces, as described above.
  std::vector<Symbol> symbols_;
  std::vector<WeightRange> weights_;
  // Symbol → length in bytes.
  std::vector<uint32_t> lengths_;
  std::vector<Pair> pairs_;
  PairIndex index_;
  std::priority_queue<Candidate> heap_;
  // State of the current merge: the changes by symbol, the symbols that have changes, the new pairs (x, n) and (n, x),
  // and for each x where the next position of its new pair is written.
  std::vector<Change> changes_;
  std::vector<uint32_t> touched_;
  std::vector<Occurrence> before_, after_;
  std::vector<Position*> cursorBefore_, cursorAfter_;
};

}  // namespace

std::vector<Merge> learnMerges(PieceCounter& counter, const TrainOptions& options, std::atomic<int32_t>& learned) {
  if (256 + static_cast<uint64_t>(options.merges) < 0xfffe) return Trainer<uint16_t>(counter, options).run(learned);
  return Trainer<uint32_t>(counter, options).run(learned);
}

}  // namespace bpe
