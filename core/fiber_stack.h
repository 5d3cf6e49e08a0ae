#pragma once

// FiberStackPool: memory for fiber stacks, mapped in slabs once per thread and recycled, also
// between seeds.
//
// A fresh page costs more than a simulated message, so nothing is given back before the thread
// ends. Tops are coloured: equal page offsets of all tops would fall into the same cache sets. A
// slab's edge is a guard page; every stack has a canary at its low end that is checked when its
// fiber ends, and a fiber checks at each wait how deep it is. Memory starts as zeros; what a fiber
// leaves behind is not cleared.

#include <cstddef>
#include <cstdint>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define HW_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HW_ASAN 1
#endif
#endif

namespace highwater::core {

struct FiberStack {
  uint8_t* low = nullptr;   // lowest usable address
  uint8_t* high = nullptr;  // one past the highest usable address, 64-byte aligned, coloured
};

class FiberStackPool {
 public:
#if defined(HW_ASAN)
  static constexpr size_t kStackBytes = 512 << 10;
#else
  static constexpr size_t kStackBytes = 128 << 10;
#endif
  static constexpr uint64_t kCanary = 0x5fa7e0f1be25c0deu;

  // This thread's pool.
  static FiberStackPool& OfThread();

  [[nodiscard]] FiberStack Allocate();
  void Free(FiberStack stack);

  FiberStackPool() = default;
  ~FiberStackPool();
  FiberStackPool(const FiberStackPool&) = delete;
  FiberStackPool& operator=(const FiberStackPool&) = delete;

 private:
  void AddSlab();

  std::vector<uint8_t*> slabs_;
  std::vector<FiberStack> free_;
};

}  // namespace highwater::core
