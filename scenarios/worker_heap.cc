#include "scenarios/worker_heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/fiber_stack.h"

#if defined(HW_ASAN)

void highwater::scenarios::PrepareWorkerHeap(std::optional<uint64_t>) {}

#else

namespace highwater::scenarios {
namespace {

constexpr uint64_t kReserve = uint64_t{1} << 30;
constexpr uintptr_t kPage = 4096;
constexpr int kGreatestMmapThreshold = 32 << 20;  // glibc takes no greater one
constexpr int kDefaultTopPad = 128 << 10;
// More than what may be left at the heap's end, so that it has to grow.
constexpr size_t kProbe = 16 << 20;

}  // namespace

void PrepareWorkerHeap(std::optional<uint64_t> memory_limit) {
  const uint64_t reserve = std::min(kReserve, memory_limit.value_or(2 * kReserve) / 2);
  mallopt(M_TRIM_THRESHOLD, -1);
  // Setting one of these ends glibc's own adjusting; large vectors would be mapped anew each time.
  mallopt(M_MMAP_THRESHOLD, kGreatestMmapThreshold);
  mallopt(M_TOP_PAD, static_cast<int>(reserve));
  void* probe = std::malloc(kProbe);
  mallopt(M_TOP_PAD, kDefaultTopPad);
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(probe) + kPage - 1) & ~(kPage - 1);
  const uintptr_t end = reinterpret_cast<uintptr_t>(sbrk(0)) & ~(kPage - 1);
  // The probe lies elsewhere if the heap could not grow.
  if (probe != nullptr && begin < end && end - begin <= kProbe + reserve + kPage) {
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
  }
  std::free(probe);
}

}  // namespace highwater::scenarios

#endif
