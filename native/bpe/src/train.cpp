// All distinct pieces stand in one array of symbols, one place a byte, a separator before each piece. A symbol of n
// bytes is written at the first and at the last of its n places, so that both neighbours of a place are found without
// links:
//
//   place     0  1  2  3  4  5  6  7           X = ab, Y = abc
//             |  a  b  c  a  b  c  |
//             |  Y  .  Y  Y  .  Y  |           the symbol before place 4 is at 3, the one after it at 4 + 3
//
// For every pair of symbols its count is kept and the places where it was seen, in ascending order. A place may be out
// of date: it is checked when the pair is merged. Merging a, b into n visits the places of the pair once, gathers how
// much the counts of (x, a), (b, x), (x, n) and (n, x) change for every x, and then touches each of these pairs once.
//
// Pairs wait in a heap by (count, pair). Counts of a pair only fall once it exists, since n is new, so a stale count in
// the heap is too high: it is put back with the right one when it comes up.
#include "train.hpp"

#include <algorithm>
#include <limits>
#include <queue>
#include <stdexcept>

namespace bpe {

namespace {

using Place = uint32_t;

struct Pair {
  Merge symbols;
  uint64_t count;
  // ascending; exactly as long as needed, freed with the pair
  std::unique_ptr<Place[]> places;
  Place placeCount;
};

struct Candidate {
  uint64_t count;
  Merge symbols;
  uint32_t pair;

  // std::priority_queue has the greatest on top: the highest count, then the smallest pair.
  bool operator<(const Candidate& other) const {
    if (count != other.count) return count < other.count;
    if (symbols.left != other.symbols.left) return symbols.left > other.symbols.left;
    return symbols.right > other.symbols.right;
  }
};

// (left, right) → index of the pair; open addressing, key 0 is an empty slot (pair (0, 0) is stored as ~0).
class PairIndex {
 public:
  PairIndex() : slots_(1 << 16) {}

  uint32_t* find(uint32_t left, uint32_t right) {
    const uint64_t key = keyOf(left, right);
    for (size_t at = place(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key) return &slots_[at].pair;
      if (slots_[at].key == 0) return nullptr;
    }
  }

  // The pair is not there yet.
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
  size_t place(uint64_t key) const { return (key * 0x9e3779b97f4a7c15 >> 20) & (slots_.size() - 1); }
  void put(const Slot& slot) {
    size_t at = place(slot.key);
    while (slots_[at].key != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

// What one merge does to the pairs of one symbol x.
struct Change {
  // (x, a) and (b, x) lose, (x, n) and (n, x) win
  uint64_t lostBefore = 0, lostAfter = 0, wonBefore = 0, wonAfter = 0;
  Place placesBefore = 0, placesAfter = 0;
  bool touched = false;
};

// Symbol is the narrowest type that all symbols and the two marks fit.
template <class Symbol>
class Trainer {
 public:
  Trainer(PieceCounter& counter, const TrainOptions& options) : options_(options) {
    layOut(counter);
    counter.clear();
    findPairs();
  }

  std::vector<Merge> run(std::atomic<int32_t>& learned) {
    std::vector<Merge> merges;
    while (merges.size() < options_.merges && !heap_.empty()) {
      const Candidate top = heap_.top();
      heap_.pop();
      Pair& pair = pairs_[top.pair];
      if (pair.count != top.count) {
        if (pair.count >= leastCount()) heap_.push({pair.count, top.symbols, top.pair});
        continue;
      }
      if (isForbidden(pair.symbols, merges)) continue;
      const auto places = std::move(pair.places);
      const Place placeCount = pair.placeCount;
      merges.push_back(top.symbols);
      lengths_.push_back(lengths_[top.symbols.left] + lengths_[top.symbols.right]);
      changes_.emplace_back();
      merge(top.symbols, static_cast<uint32_t>(255 + merges.size()), places.get(), placeCount);
      learned.store(static_cast<int32_t>(merges.size()), std::memory_order_relaxed);
    }
    return merges;
  }

 private:
  static constexpr Symbol kSeparator = std::numeric_limits<Symbol>::max();
  static constexpr Symbol kInside = kSeparator - 1;

  uint64_t leastCount() const { return std::max<uint64_t>(1, options_.minimumCount); }

  // Pieces by falling weight: then weights change at few places, and one cursor follows them.
  void layOut(const PieceCounter& counter) {
    const std::vector<Piece>& pieces = counter.pieces();
    std::vector<uint32_t> order;
    uint64_t size = 1;
    for (uint32_t i = 0; i < pieces.size(); i++) {
      if (pieces[i].length < 2) continue;
      order.push_back(i);
      size += pieces[i].length + 1;
    }
    if (size > std::numeric_limits<Place>::max()) {
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
        weights_.push_back({static_cast<Place>(symbols_.size()), piece.count});
      }
      for (uint32_t k = 0; k < piece.length; k++) symbols_.push_back(kBytes.symbolOf[piece.bytes[k]]);
      symbols_.push_back(kSeparator);
    }
    weights_.push_back({std::numeric_limits<Place>::max(), 0});
    lengths_.assign(256, 1);
    changes_.resize(256);
  }

  void findPairs() {
    std::vector<uint64_t> counts(0x10000);
    std::vector<Place> placeCounts(0x10000);
    eachBytePair([&](uint32_t bytes, Place, uint64_t weight) {
      counts[bytes] += weight;
      placeCounts[bytes]++;
    });
    std::vector<Place*> cursor(0x10000);
    for (uint32_t bytes = 0; bytes < 0x10000; bytes++) {
      if (counts[bytes] >= leastCount())
        cursor[bytes] = addPair({bytes >> 8, bytes & 0xff}, counts[bytes], placeCounts[bytes]);
    }
    eachBytePair([&](uint32_t bytes, Place place, uint64_t) {
      if (cursor[bytes]) *cursor[bytes]++ = place;
    });
  }

  template <class Visit>
  void eachBytePair(Visit visit) {
    size_t run = 0;
    for (Place place = 1; place + 1 < symbols_.size(); place++) {
      const Symbol left = symbols_[place], right = symbols_[place + 1];
      if (left == kSeparator || right == kSeparator) continue;
      while (place >= weights_[run + 1].from) run++;
      visit(static_cast<uint32_t>(left) << 8 | right, place, weights_[run].weight);
    }
  }

  // A pair that has not been there before; returns where its places go.
  Place* addPair(Merge symbols, uint64_t count, Place placeCount) {
    const auto pair = static_cast<uint32_t>(pairs_.size());
    pairs_.push_back({symbols, count, std::unique_ptr<Place[]>(new Place[placeCount]), placeCount});
    index_.insert(symbols.left, symbols.right, pair);
    heap_.push({count, symbols, pair});
    return pairs_.back().places.get();
  }

  bool isForbidden(Merge pair, const std::vector<Merge>& merges) const {
    const size_t length = lengths_[pair.left] + lengths_[pair.right];
    for (const std::string& forbidden : options_.forbidden) {
      if (forbidden.size() == length && spell(pair.left, merges) + spell(pair.right, merges) == forbidden) return true;
    }
    return false;
  }

  static std::string spell(uint32_t symbol, const std::vector<Merge>& merges) {
    if (symbol < 256) return std::string(1, static_cast<char>(kBytes.byteOf[symbol]));
    return spell(merges[symbol - 256].left, merges) + spell(merges[symbol - 256].right, merges);
  }

  Change& change(uint32_t symbol) {
    Change& change = changes_[symbol];
    if (!change.touched) {
      change.touched = true;
      touched_.push_back(symbol);
    }
    return change;
  }

  void merge(Merge pair, uint32_t merged, const Place* places, Place placeCount) {
    const uint32_t leftLength = lengths_[pair.left], rightLength = lengths_[pair.right];
    const auto left = static_cast<Symbol>(pair.left), right = static_cast<Symbol>(pair.right);
    size_t run = 0;
    before_.clear();
    after_.clear();
    for (Place i = 0; i < placeCount; i++) {
      const Place place = places[i], middle = place + leftLength;
      if (symbols_[place] != left || symbols_[middle] != right) continue;
      while (place >= weights_[run + 1].from) run++;
      const uint64_t weight = weights_[run].weight;
      const Place next = middle + rightLength;
      symbols_[middle] = kInside;
      symbols_[place] = symbols_[next - 1] = static_cast<Symbol>(merged);

      const uint32_t previousSymbol = symbols_[place - 1], nextSymbol = symbols_[next];
      if (previousSymbol != kSeparator) {
        Change& previous = change(previousSymbol);
        // Where the neighbour was merged a moment ago, (merged, left) was won there and is lost again here.
        if (previousSymbol == merged)
          change(pair.left).wonAfter -= weight;
        else
          previous.lostBefore += weight;
        previous.wonBefore += weight;
        previous.placesBefore++;
        before_.push_back({previousSymbol, static_cast<Place>(place - lengths_[previousSymbol])});
      }
      if (nextSymbol != kSeparator) {
        Change& following = change(nextSymbol);
        following.lostAfter += weight;
        following.wonAfter += weight;
        following.placesAfter++;
        after_.push_back({nextSymbol, place});
      }
    }
    settle(pair, merged);
  }

  struct Seen {
    uint32_t symbol;
    Place place;
  };

  // Brings counts and places up to date with what one merge changed.
  void settle(Merge pair, uint32_t merged) {
    pairs_[*index_.find(pair.left, pair.right)].count = 0;
    cursorBefore_.resize(changes_.size());
    cursorAfter_.resize(changes_.size());
    for (const uint32_t symbol : touched_) {
      const Change& change = changes_[symbol];
      lose(symbol, pair.left, change.lostBefore);
      lose(pair.right, symbol, change.lostAfter);
      cursorBefore_[symbol] =
          change.wonBefore >= leastCount() ? addPair({symbol, merged}, change.wonBefore, change.placesBefore) : nullptr;
      cursorAfter_[symbol] =
          change.wonAfter >= leastCount() ? addPair({merged, symbol}, change.wonAfter, change.placesAfter) : nullptr;
    }
    for (const Seen& seen : before_) {
      if (cursorBefore_[seen.symbol]) *cursorBefore_[seen.symbol]++ = seen.place;
    }
    for (const Seen& seen : after_) {
      if (cursorAfter_[seen.symbol]) *cursorAfter_[seen.symbol]++ = seen.place;
    }
    for (const uint32_t symbol : touched_) changes_[symbol] = {};
    touched_.clear();
  }

  void lose(uint32_t left, uint32_t right, uint64_t count) {
    if (count == 0) return;
    // Pairs that were too rare from the start are not known.
    const uint32_t* index = index_.find(left, right);
    if (!index) return;
    Pair& pair = pairs_[*index];
    // The pair just merged has no count any more.
    pair.count = pair.count > count ? pair.count - count : 0;
    if (pair.count < leastCount()) pair.places.reset();
  }

  struct Weight {
    Place from;
    uint64_t weight;
  };

  const TrainOptions& options_;
  std::vector<Symbol> symbols_;
  std::vector<Weight> weights_;
  std::vector<uint32_t> lengths_;
  std::vector<Pair> pairs_;
  PairIndex index_;
  std::priority_queue<Candidate> heap_;
  // of the merge being made, by symbol
  std::vector<Change> changes_;
  std::vector<uint32_t> touched_;
  std::vector<Seen> before_, after_;
  std::vector<Place*> cursorBefore_, cursorAfter_;
};

}  // namespace

std::vector<Merge> learnMerges(PieceCounter& counter, const TrainOptions& options, std::atomic<int32_t>& learned) {
  if (256 + static_cast<uint64_t>(options.merges) < 0xfffe) return Trainer<uint16_t>(counter, options).run(learned);
  return Trainer<uint32_t>(counter, options).run(learned);
}

}  // namespace bpe
