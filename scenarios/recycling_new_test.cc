#include "scenarios/recycling_new.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <fstream>
#include <new>
#include <string>
#include <vector>

#include "core/fiber_stack.h"
#include "scenarios/worker_heap.h"

namespace highwater::scenarios {
namespace {

class ScopedRecycling {
 public:
  explicit ScopedRecycling(Recycling recycling) : before_(RecycleSmallBlocks(recycling)) {}
  ~ScopedRecycling() { (void)RecycleSmallBlocks(before_); }
  ScopedRecycling(const ScopedRecycling&) = delete;
  ScopedRecycling& operator=(const ScopedRecycling&) = delete;

 private:
  Recycling before_;
};

struct Block {
  uint8_t* at;
  size_t size;
  uint8_t fill;
};

bool Holds(const Block& block) {
  for (size_t i = 0; i < block.size; ++i) {
    if (block.at[i] != block.fill) return false;
  }
  return true;
}

RC_GTEST_PROP(RecyclingNewTest, NoTwoLiveBlocksOverlapHoweverTheyAreGivenBack, ()) {
  const auto steps = *rc::gen::container<std::vector<uint32_t>>(rc::gen::arbitrary<uint32_t>());
  std::vector<Block> live;
  for (const uint32_t step : steps) {
    // Switching in between does not matter: every block is malloc's.
    const ScopedRecycling scope(step % 5 == 0 ? Recycling::kOff : Recycling::kOn);
    if (step % 3 != 0 || live.empty()) {
      const size_t size = (step >> 8) % 600;
      const auto fill = static_cast<uint8_t>(step >> 4);
      live.push_back({static_cast<uint8_t*>(::operator new(size)), size, fill});
      if (size > 0) std::memset(live.back().at, fill, size);
      continue;
    }
    std::swap(live[(step >> 8) % live.size()], live.back());
    const Block block = live.back();
    live.pop_back();
    RC_ASSERT(Holds(block));
    if (step % 2 == 0) {
      ::operator delete(block.at, block.size);
    } else {
      ::operator delete(block.at);
    }
  }
  for (const Block& block : live) {
    RC_ASSERT(Holds(block));
    ::operator delete(block.at, block.size);
  }
}

TEST(RecyclingNewTest, ABlockGivenBackIsTheNextOfItsSizeAndNoneOfAnother) {
#if defined(HW_ASAN)
  GTEST_SKIP() << "AddressSanitizer has operators of its own";
#endif
  const ScopedRecycling scope(Recycling::kOn);
  // Beyond what gtest asks for in between: sizes of one class, 488 to 504 bytes.
  void* first = ::operator new(490);
  ::operator delete(first);
  void* smaller = ::operator new(489 - 16);
  void* again = ::operator new(504);
  EXPECT_EQ(again, first);
  EXPECT_NE(smaller, first);
  ::operator delete(again, 504);
  ::operator delete(smaller, 489 - 16);
}

// The line of /proc/self/smaps that says what was asked for the pages around `at`.
std::string FlagsOfPagesAround(const void* at) {
  std::ifstream maps("/proc/self/smaps");
  const auto address = reinterpret_cast<uintptr_t>(at);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      inside = begin <= address && address < end;
    } else if (inside && line.starts_with("VmFlags:")) {
      return line + " ";
    }
  }
  return "";
}

TEST(WorkerHeapTest, WhatAWorkerAllocatesLiesInHugePages) {
#if defined(HW_ASAN)
  GTEST_SKIP() << "AddressSanitizer has a heap of its own";
#endif
  if (!std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled").good()) {
    GTEST_SKIP() << "the kernel has no transparent huge pages";
  }
  PrepareWorkerHeap(std::nullopt);
  const std::vector<char> large(8 << 20);
  EXPECT_NE(FlagsOfPagesAround(large.data() + large.size() / 2).find(" hg "), std::string::npos);
}

}  // namespace
}  // namespace highwater::scenarios
