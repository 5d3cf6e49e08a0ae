#pragma once

// NameTree: the names of a simulated disk: which path leads to which inode now, and after a power
// loss.
//
// As with a file's content, the current names are kept whole beside the operations (link, unlink,
// rename) that the device lacks, oldest first, so that the durable names are the current ones with
// those taken back. Invariants:
//   1. An operation is atomic: a rename is on the device wholly or not at all.
//   2. One that depends on another is not on the device without it: the same name, the same inode,
//      a move into a directory whose own name is pending, the removal of a directory after what was
//      done in it. Nothing else is ordered ([file_system.h, 3]).
//   3. Names and contents are independent: a name may survive before its file's data.
//
// Not responsible for: contents, time.

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "sim/disk/inode.h"

namespace highwater::sim {

class NameTree {
 public:
  // `released` is told of an inode that nothing refers to any more, just before it goes. `mounts`
  // are directories of the root that have a device of their own: mounts[i] has device i + 1, the
  // rest device 0.
  NameTree(std::vector<std::string> mounts, std::function<void(Inode&)> released);
  ~NameTree();
  NameTree(const NameTree&) = delete;
  NameTree& operator=(const NameTree&) = delete;

  [[nodiscard]] Inode& root() { return *root_; }

  // Where a path leads: the directory that holds its last component, that component, and the inode,
  // null if there is none.
  struct Place {
    Inode* directory = nullptr;  // null for the root itself
    std::string name;
    Inode* inode = nullptr;
    std::vector<const Inode*> above;  // the directories from the root to `directory`
  };
  // NotFound if a directory on the way is missing, FailedPrecondition if it is a file,
  // InvalidArgument for a path that leaves the root or has a bad name.
  [[nodiscard]] absl::StatusOr<Place> Resolve(std::string_view path) const;
  // The inode at `path`, or NotFound.
  [[nodiscard]] absl::StatusOr<Inode*> Find(std::string_view path) const;

  // A new inode with a name. REQUIRES: place.inode is null and place.directory is not.
  Inode& Create(const Place& place, Inode::Kind kind, absl::Time now);
  // All names below the root or below a mount are gone, durably. REQUIRES: no open handle.
  void Empty(size_t device);

  // Both check what POSIX checks and change nothing on an error.
  [[nodiscard]] absl::Status Rename(const Place& from, const Place& to);
  [[nodiscard]] absl::Status Remove(const Place& place);

  void AddReference(Inode& inode) { ++inode.references; }
  void Release(Inode& inode);
  // The inode of that number if it still lives.
  [[nodiscard]] Inode* FindById(uint64_t id) const;
  // All inodes by number.
  [[nodiscard]] const absl::btree_map<uint64_t, std::unique_ptr<Inode>>& inodes() const {
    return inodes_;
  }

  // How many operations there were so far; what a sync that begins now covers are those below.
  [[nodiscard]] uint64_t sequence() const { return sequence_; }
  [[nodiscard]] size_t pending() const { return pending_.size(); }
  [[nodiscard]] bool HasPending(const Inode& directory, uint64_t upto) const;
  // The operations below `upto` on names in `directory` are on the device, with what they depend
  // on.
  void MakeDurable(const Inode& directory, uint64_t upto);
  // The same for all names on a device.
  void MakeDurable(size_t device, uint64_t upto);
  [[nodiscard]] bool HasPending(size_t device) const;

  struct LossSummary {
    uint64_t pending = 0;
    uint64_t survived = 0;
  };
  // Draws which pending operations are on the device; the others never happened. REQUIRES: no open
  // handle.
  LossSummary LosePower(core::Random& random);

  // Calls `use` with the tree as a power loss would surely leave it: pending operations are taken
  // back meanwhile.
  void WithDurableNames(const std::function<void()>& use);
  // Calls `use` with the path and inode of each file, sorted by directory and name.
  void ForEachFile(const std::function<void(const std::string&, Inode&)>& use) const;

 private:
  struct Operation {
    uint64_t sequence = 0;
    Inode* from = nullptr;  // a directory, or null: a creation
    std::string from_name;
    Inode* to = nullptr;  // a directory, or null: a removal
    std::string to_name;
    Inode* inode = nullptr;
    Inode* replaced = nullptr;  // what `to_name` led to before
  };
  struct Dependencies;

  template <typename Predicate>
  void MakeDurableIf(uint64_t upto, Predicate wanted);
  void MakeMounts();
  [[nodiscard]] bool IsMount(const Place& place) const;
  [[nodiscard]] static size_t DeviceOf(const Operation& operation);
  void Push(Operation operation);
  void Apply(const Operation& operation);
  void TakeBack(const Operation& operation);
  // Nothing refers to the operation any more.
  void Retire(const Operation& operation);
  void SetEntry(Inode& directory, const std::string& name, Inode* inode);

  std::vector<std::string> mounts_;
  std::function<void(Inode&)> released_;
  absl::btree_map<uint64_t, std::unique_ptr<Inode>> inodes_;
  std::vector<Operation> pending_;
  uint64_t next_id_ = 1;
  uint64_t sequence_ = 0;
  Inode* root_ = nullptr;
};

}  // namespace highwater::sim
