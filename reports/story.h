#pragma once

// Story: of all that happened in a run, what explains its first violation: what became of the
// record that it is about, of its partition and of the machines, in rows that fit a page.
//
//   const Story story = TellStory(result.timeline, result.violations);
//   for (const StoryRow& row : story.rows) ...
//
// Not responsible for: the sentence of the guarantee and its witnesses (failure_screen.h), how rows
// are drawn (lanes.h).
//
// Invariants
// 1. Rows ascend in time; the last one is the violation, if there was one.
// 2. A message of the story ends in the row of what it brought about.

#include <cstdint>
#include <string>
#include <vector>

#include "scenarios/seed_result.h"

namespace highwater::reports {

struct StoryRow {
  const scenarios::TimelineEvent* event = nullptr;
  // What happens in this row: for a message, that it is sent.
  std::string text;
  std::string decisive;  // `acknowledged here`; empty for most
  // A message that was sent in an earlier row and ends in this one; -1: none.
  int32_t caused_by_row = -1;
};

struct Story {
  const scenarios::Timeline* timeline = nullptr;
  int32_t partition = -1;  // that it is about, or -1
  int64_t offset = -1;     // of the record that it is about, or -1
  std::vector<StoryRow> rows;
  std::vector<int32_t> lanes;  // hosts: brokers, then clients and ZooKeeper servers that take part
  size_t left_out = 0;         // events of its partition and machines for which there was no room
};

[[nodiscard]] Story TellStory(const scenarios::Timeline& timeline,
                              const std::vector<scenarios::Violation>& violations);

// An event in words, without its host: `appends records 57..58, leader epoch 5`.
[[nodiscard]] std::string DescribeEvent(const scenarios::Timeline& timeline,
                                        const scenarios::TimelineEvent& event);

}  // namespace highwater::reports
