#include "scenarios/recycling_new.h"

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "core/fiber_stack.h"

#if defined(HW_ASAN)

namespace highwater::scenarios {

Recycling RecycleSmallBlocks(Recycling) { return Recycling::kOff; }

}  // namespace highwater::scenarios

#else

namespace highwater::scenarios {
namespace {

struct FreeBlock {
  FreeBlock* next;
};

// As malloc cuts: a block of class c has 16 c + 8 bytes.
constexpr size_t kClasses = 34;  // up to 536 bytes
constexpr size_t kKeptBytes = 256 << 10;

constexpr size_t ClassOfRequest(size_t bytes) { return (bytes + 7) / 16; }
constexpr size_t ClassOfBlock(size_t usable) { return (usable - 8) / 16; }
constexpr size_t BytesOf(size_t size_class) { return size_class * 16 + 8; }

struct Lists {
  bool on;
  FreeBlock* first[kClasses];
  uint32_t room[kClasses];  // how many more a list may keep
};
// Without a constructor, so that it costs nothing to ask whether it was constructed.
constinit thread_local Lists lists = {};

}  // namespace

Recycling RecycleSmallBlocks(Recycling recycling) {
  static thread_local bool begun = false;
  if (!begun) {
    for (size_t c = 0; c < kClasses; ++c) lists.room[c] = kKeptBytes / (BytesOf(c) + 8);
    begun = true;
  }
  const Recycling before = lists.on ? Recycling::kOn : Recycling::kOff;
  lists.on = recycling == Recycling::kOn;
  return before;
}

namespace {

void* Take(size_t bytes) {
  const size_t size_class = ClassOfRequest(bytes);
  if (size_class < kClasses && lists.on) [[likely]] {
    if (FreeBlock* block = lists.first[size_class]) {
      lists.first[size_class] = block->next;
      ++lists.room[size_class];
      return block;
    }
    bytes = BytesOf(size_class);
  }
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

// REQUIRES: the block has at least BytesOf(size_class) bytes.
void Give(void* memory, size_t size_class) {
  if (size_class < kClasses && lists.on && lists.room[size_class] > 0) [[likely]] {
    lists.first[size_class] = new (memory) FreeBlock{lists.first[size_class]};
    --lists.room[size_class];
    return;
  }
  std::free(memory);
}

}  // namespace

}  // namespace highwater::scenarios

// The arrays' operators and those that do not throw come down to these.
void* operator new(size_t bytes) { return highwater::scenarios::Take(bytes); }

void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  highwater::scenarios::Give(memory,
                             highwater::scenarios::ClassOfBlock(malloc_usable_size(memory)));
}

void operator delete(void* memory, size_t bytes) noexcept {
  if (memory == nullptr) return;
  highwater::scenarios::Give(memory, highwater::scenarios::ClassOfRequest(bytes));
}
#endif
