// Switches between stacks. On x86-64 these are a few instructions of assembly, because swapcontext() makes a system
// call each time and kernels switch millions of times. Other CPUs use swapcontext().
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>

#if defined(__x86_64__) && defined(__linux__)
extern "C" void shimSwitchStack(void** save, void* load);
// Saves the registers that a callee must keep, and the stack pointer to *save; continues on the stack `load`.
asm(R"(
.text
.weak shimSwitchStack
.hidden shimSwitchStack
.type shimSwitchStack, @function
shimSwitchStack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size shimSwitchStack, .-shimSwitchStack
)");
#else
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace shim {

constexpr size_t kStackSize = 96 << 10;

#if defined(__x86_64__) && defined(__linux__)
inline void switchStack(void** save, void* load) { shimSwitchStack(save, load); }

struct Stack {
  void* pointer = nullptr;
  std::unique_ptr<char[]> memory{new char[kStackSize]};
  /// Makes `function` run when the stack is switched to. It must not return.
  void begin(void (*function)()) {
#ifdef __SANITIZE_ADDRESS__
    // The previous fiber on this stack never returned from its first functions, so AddressSanitizer still guards their
    // frames.
    __asan_unpoison_memory_region(memory.get() + kStackSize - 4096, 4096);
#endif
    auto top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(memory.get()) + kStackSize) & ~uintptr_t{15});
    *--top = nullptr;  // the return address of `function`
    *--top = reinterpret_cast<void*>(function);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    pointer = top;
  }
};
#else
inline void switchStack(void** save, void* load) {
  ucontext_t here;
  *save = &here;
  swapcontext(&here, static_cast<ucontext_t*>(load));
}

struct Stack {
  void* pointer = nullptr;
  std::unique_ptr<char[]> memory{new char[kStackSize]};
  ucontext_t context;
  void begin(void (*function)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = memory.get();
    context.uc_stack.ss_size = kStackSize;
    context.uc_link = nullptr;
    makecontext(&context, function, 0);
    pointer = &context;
  }
};
#endif

}  // namespace shim
