// The threads of a block as fibers of one CPU thread, and the order in which they run. shim.hpp is built on it.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "switch-stack.hpp"

namespace shim {

struct Dimensions {
  unsigned x = 1, y = 1, z = 1;
};

/// A started copy to shared memory: `bytes` bytes, then zeros up to `size`.
struct Copy {
  void* to;
  const void* from;
  int bytes, size;
};

/// An operation that all lanes of a warp do together, once all have called it. It gets the argument of each lane.
using WarpOperation = void (*)(void** lanes);

struct Block;

/// A thread of a block.
struct Fiber {
  enum State { ready, atBarrier, atWarp, atFlag, done };
  Stack stack;
  Block* block = nullptr;
  Dimensions thread;
  State state = ready;
  WarpOperation operation = nullptr;
  void* argument = nullptr;
  /// A thread at a flag waits until the number there is at least `least`.
  const uint32_t* flag = nullptr;
  uint32_t least = 0;
  /// Groups of copies that were committed, oldest first, and the group that is still open.
  std::vector<std::vector<Copy>> groups;
  std::vector<Copy> open;
};

struct Block {
  Dimensions id;
  unsigned char* shared = nullptr;
  std::vector<Fiber*> fibers;
};

inline Fiber* now = nullptr;
inline void* scheduler = nullptr;  // stack pointer
inline Dimensions gridSize, blockSize;
inline const std::function<void()>* kernel = nullptr;
inline uint32_t seed = 0, randomState = 0;
/// Whether all blocks of the kernel run at the same time.
inline bool together = false;

/// 0: the fastest order. Others draw the order of execution.
inline void setSeed(uint32_t value) { seed = randomState = value; }

/// xorshift32 (Marsaglia 2003)
inline uint32_t randomBelow(uint32_t n) {
  randomState ^= randomState << 13;
  randomState ^= randomState >> 17;
  randomState ^= randomState << 5;
  return randomState % n;
}

[[noreturn]] inline void fail(const char* what) {
  const Fiber* f = now;
  fprintf(stderr, "shim: %s", what);
  if (f) fprintf(stderr, " (block %u,%u,%u, thread %u)", f->block->id.x, f->block->id.y, f->block->id.z, f->thread.x);
  fprintf(stderr, "\n");
  abort();
}

/// Leaves the running fiber, until the scheduler resumes it.
inline void pause(Fiber::State state) {
  Fiber* self = now;
  self->state = state;
  switchStack(&self->stack.pointer, scheduler);
  now = self;
}

/// Waits until another block has written at least `least`.
inline void waitForFlag(const uint32_t* flag, uint32_t least) {
  if (!together) fail("a block waits for another one in a kernel whose blocks run one after the other");
  now->flag = flag;
  now->least = least;
  pause(Fiber::atFlag);
}
inline void meetBlock() { pause(Fiber::atBarrier); }
inline void meetWarp(WarpOperation operation, void* argument) {
  now->operation = operation;
  now->argument = argument;
  pause(Fiber::atWarp);
}

// ── copies ─────────────────────────────────────────────────────────────────────────────────────────────────────────

inline void finish(const Copy& c) {
  memcpy(c.to, c.from, c.bytes);
  memset(static_cast<char*>(c.to) + c.bytes, 0, c.size - c.bytes);
}
inline void startCopy(void* to, const void* from, int bytes, int size) {
  if (reinterpret_cast<uintptr_t>(to) % size || reinterpret_cast<uintptr_t>(from) % size)
    fail("an asynchronous copy that is not aligned to its size");
  if (bytes < 0 || bytes > size) fail("an asynchronous copy of more bytes than its size");
  const Copy copy{to, from, bytes, size};
  // A copy may land at any time until it is waited for.
  if (seed && randomBelow(2))
    finish(copy);
  else
    now->open.push_back(copy);
}
inline void commitCopies() {
  now->groups.push_back(std::move(now->open));
  now->open.clear();
}
inline void waitForCopies(size_t underWay) {
  auto& groups = now->groups;
  for (; groups.size() > underWay; groups.erase(groups.begin()))
    for (const Copy& c : groups.front()) finish(c);
}

// ── running a block ────────────────────────────────────────────────────────────────────────────────────────────────

/// The first function of a fiber. It never returns.
inline void runFiber() {
  (*kernel)();
  if (!now->open.empty()) fail("an asynchronous copy was never committed");
  pause(Fiber::done);
}

/// Fibers are kept from block to block, because their stacks are expensive.
inline std::vector<std::unique_ptr<Fiber>>& pool() {
  static std::vector<std::unique_ptr<Fiber>> fibers;
  return fibers;
}

/// Lets the ready lanes of a warp run, then does the operation that they wait for. Returns whether any of them ran.
inline bool runWarp(Fiber** lanes, unsigned count) {
  unsigned order[32];
  for (unsigned i = 0; i < count; i++) order[i] = i;
  if (seed)
    for (unsigned i = count; i > 1; i--) std::swap(order[i - 1], order[randomBelow(i)]);
  bool ran = false;
  for (unsigned i = 0; i < count; i++) {
    Fiber* f = lanes[order[i]];
    if (f->state == Fiber::atFlag && *f->flag >= f->least) f->state = Fiber::ready;
    if (f->state != Fiber::ready) continue;
    ran = true;
    now = f;
    switchStack(&scheduler, f->stack.pointer);
  }
  unsigned waiting = 0;
  void* arguments[32];
  for (unsigned i = 0; i < count; i++)
    if (lanes[i]->state == Fiber::atWarp) arguments[waiting++] = lanes[i]->argument;
  if (waiting == 32) {
    now = lanes[0];
    for (unsigned i = 1; i < 32; i++)
      if (lanes[i]->operation != lanes[0]->operation) fail("the lanes of a warp meet for different operations");
    lanes[0]->operation(arguments);
    for (unsigned i = 0; i < 32; i++) lanes[i]->state = Fiber::ready;
    ran = true;
  }
  return ran;
}

/// Opens the barrier if every thread that has not returned waits there. Returns whether it did.
inline bool openBarrier(Block& block) {
  bool any = false;
  for (Fiber* f : block.fibers) {
    if (f->state != Fiber::atBarrier && f->state != Fiber::done) return false;
    any |= f->state == Fiber::atBarrier;
  }
  if (any)
    for (Fiber* f : block.fibers)
      if (f->state == Fiber::atBarrier) f->state = Fiber::ready;
  return any;
}

/// Lets the warps of a block run for a while, `turns` of them. Returns whether any of them did.
inline bool advance(Block& block, unsigned turns) {
  const unsigned threads = static_cast<unsigned>(block.fibers.size()), warps = (threads + 31) / 32;
  const auto lanes = [&](unsigned w) { return block.fibers.data() + 32 * w; };
  const auto count = [&](unsigned w) { return threads - 32 * w < 32 ? threads - 32 * w : 32; };
  bool ran = false;
  if (seed) {
    // A warp runs for a random number of turns while the others wait. Then each warp gets a turn.
    for (unsigned turn = 0; turn < turns; turn++) {
      const unsigned w = randomBelow(warps);
      for (unsigned steps = randomBelow(4) ? 1 + randomBelow(16) : ~0u; steps > 0 && runWarp(lanes(w), count(w));
           steps--)
        ran = true;
    }
    // If none of them could run, one of the other warps may.
    for (unsigned w = 0; w < warps && !ran; w++) ran = runWarp(lanes(w), count(w));
  } else {
    for (unsigned w = 0; w < warps; w++)
      while (runWarp(lanes(w), count(w))) ran = true;
  }
  return openBarrier(block) || ran;
}

/// Runs blocks until all of their threads have returned.
inline void run(std::vector<Block>& blocks) {
  const unsigned warps = static_cast<unsigned>((blocks[0].fibers.size() + 31) / 32);
  for (;;) {
    bool ran = false;
    // Of several blocks, one may run far ahead of the others, but mostly one warp of a block runs, then another block.
    for (size_t turn = 0; seed && turn < blocks.size() * warps; turn++) {
      Block& block = blocks[randomBelow(static_cast<uint32_t>(blocks.size()))];
      const bool isFar = blocks.size() == 1 || randomBelow(16) == 0;
      for (unsigned steps = isFar ? ~0u : 1; steps > 0 && advance(block, isFar ? warps : 1); steps--) ran = true;
    }
    if (!ran)
      for (Block& block : blocks)
        while (advance(block, warps)) ran = true;
    if (!ran) break;
  }
  for (const Block& block : blocks)
    for (Fiber* f : block.fibers)
      if (f->state != Fiber::done) {
        now = f;
        fail("threads wait for ever: not all of them come to a barrier, to an operation of their warp, or set a flag");
      }
}

/// Makes block `id` ready to run on the fibers from `first` on. Its shared memory is allocated for it alone, so that
/// AddressSanitizer knows where it ends.
inline Block prepare(Dimensions id, unsigned threads, size_t sharedSize, size_t first) {
  auto& fibers = pool();
  while (fibers.size() < first + threads) fibers.push_back(std::make_unique<Fiber>());
  Block block;
  block.id = id;
  const size_t size = (sharedSize + 127) / 128 * 128;
  block.shared = static_cast<unsigned char*>(aligned_alloc(128, size ? size : 128));
  memset(block.shared, 0xff, size);
  for (unsigned i = 0; i < threads; i++) {
    Fiber* f = fibers[first + i].get();
    f->stack.begin(runFiber);
    f->thread = {i, 0, 0};
    f->state = Fiber::ready;
    f->groups.clear();
    f->open.clear();
    block.fibers.push_back(f);
  }
  return block;
}

/// Runs a kernel: one block after the other or, if `concurrent`, all at the same time, as a GPU may run them if they
/// fit.
inline void launch(Dimensions grid, unsigned threads, size_t sharedSize, const std::function<void()>& body,
                   bool concurrent = false) {
  gridSize = grid;
  blockSize = {threads, 1, 1};
  kernel = &body;
  together = concurrent;
  std::vector<Block> blocks;
  const auto runAll = [&] {
    if (blocks.empty()) return;
    for (Block& block : blocks)
      for (Fiber* f : block.fibers) f->block = &block;
    run(blocks);
    for (Block& block : blocks) free(block.shared);
    blocks.clear();
  };
  for (unsigned z = 0; z < grid.z; z++)
    for (unsigned y = 0; y < grid.y; y++)
      for (unsigned x = 0; x < grid.x; x++) {
        blocks.push_back(prepare({x, y, z}, threads, sharedSize, blocks.size() * threads));
        if (!concurrent) runAll();
      }
  runAll();
  now = nullptr;
}
inline void launchTogether(Dimensions grid, unsigned threads, size_t sharedSize, const std::function<void()>& body) {
  launch(grid, threads, sharedSize, body, true);
}

}  // namespace shim
