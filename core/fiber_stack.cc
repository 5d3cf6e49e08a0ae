#include "core/fiber_stack.h"

#include <sys/mman.h>

#include <cstring>

#include "core/check.h"

#if defined(HW_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace highwater::core {
namespace {
constexpr size_t kStacksPerSlab = 64;
constexpr size_t kGuardBytes = 4096;
constexpr size_t kSlabBytes = kStacksPerSlab * FiberStackPool::kStackBytes + kGuardBytes;
constexpr size_t kColours = 16;
constexpr size_t kColourStep = 192;  // three cache lines
}  // namespace

FiberStackPool& FiberStackPool::OfThread() {
  thread_local FiberStackPool pool;
  return pool;
}

FiberStackPool::~FiberStackPool() {
  for (uint8_t* slab : slabs_) munmap(slab, kSlabBytes);
}

FiberStack FiberStackPool::Allocate() {
  if (free_.empty()) AddSlab();
  const FiberStack stack = free_.back();
  free_.pop_back();
  std::memcpy(stack.low, &kCanary, sizeof(kCanary));
  return stack;
}

void FiberStackPool::Free(FiberStack stack) {
#if defined(HW_ASAN)
  // The last frames of a fiber never return: what they poisoned would be the next fiber's.
  __asan_unpoison_memory_region(stack.low, static_cast<size_t>(stack.high - stack.low));
#endif
  free_.push_back(stack);
}

void FiberStackPool::AddSlab() {
  void* memory = mmap(nullptr, kSlabBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  HW_CHECK(memory != MAP_FAILED, "cannot map a slab of fiber stacks");
  auto* slab = static_cast<uint8_t*>(memory);
  HW_CHECK(mprotect(slab, kGuardBytes, PROT_NONE) == 0);
  slabs_.push_back(slab);
  // Taken from the back: the first stacks of the first slab are used first.
  for (size_t i = kStacksPerSlab; i-- > 0;) {
    uint8_t* low = slab + kGuardBytes + i * kStackBytes;
    free_.push_back({.low = low, .high = low + kStackBytes - (i % kColours) * kColourStep});
  }
}

}  // namespace highwater::core
