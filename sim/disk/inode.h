#pragma once

// Inode: a file or a directory of a simulated disk, apart from the names that lead to it.
//
// Lives while a name, a pending operation on a name or an open handle refers to it (`references`).
// Not responsible for: how names and contents become durable (NameTree, FileContent).

#include <absl/container/btree_map.h>
#include <absl/container/inlined_vector.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>

#include "core/file_system.h"
#include "sim/disk/file_content.h"

namespace highwater::sim {

struct Inode {
  using Kind = core::FileInfo::Kind;
  using Entries = absl::btree_map<std::string, Inode*>;

  Inode(uint64_t number, Kind inode_kind) : id(number), kind(inode_kind) {}

  const uint64_t id;  // from 1, in the order of creation; never used again
  const Kind kind;
  uint8_t device = 0;  // of the disk's devices, the one that holds it
  uint32_t references = 0;
  bool locked = false;
  absl::Time modified;
  uint64_t draws = 0;  // counts the draws that are keyed by this inode

  FileContent content;             // of a file
  std::unique_ptr<Entries> names;  // of a directory
  FaultId write_error = kNoFault;  // a write-back failed since the last sync: that sync reports it
  bool write_failed = false;

  uint64_t accounted_allocated = 0;  // of the content, as the disk's accounts know it
  uint64_t accounted_dirty = 0;

  // Which 4 KiB pages are in the page cache, a bit each.
  absl::InlinedVector<uint64_t, 1> resident;

  // The inodes with dirty content, in the order in which they became dirty.
  Inode* previous_dirty = nullptr;
  Inode* next_dirty = nullptr;
  bool in_dirty_list = false;

  [[nodiscard]] bool is_directory() const { return kind == Kind::kDirectory; }
};

}  // namespace highwater::sim
