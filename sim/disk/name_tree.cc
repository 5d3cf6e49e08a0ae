#include "sim/disk/name_tree.h"

#include <absl/container/btree_set.h>

#include <algorithm>

#include "core/check.h"
#include "core/status_macros.h"

namespace highwater::sim {
namespace {

constexpr size_t kLongestName = 255;

absl::Status NotADirectory(std::string_view name) {
  return absl::FailedPreconditionError(fmt::format("\"{}\" is not a directory", name));
}

// The components of `path` without "." and with ".." resolved, or InvalidArgument.
absl::StatusOr<std::vector<std::string_view>> Components(std::string_view path) {
  std::vector<std::string_view> result;
  if (path.empty()) return absl::InvalidArgumentError("the path is empty");
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      if (result.empty()) return absl::InvalidArgumentError("the path leaves the root");
      result.pop_back();
      continue;
    }
    if (name.size() > kLongestName || name.find('\0') != std::string_view::npos) {
      return absl::InvalidArgumentError("a name in the path is too long or holds a zero byte");
    }
    result.push_back(name);
  }
  return result;
}

Inode* Lookup(const Inode& directory, const std::string& name) {
  const auto it = directory.names->find(name);
  return it == directory.names->end() ? nullptr : it->second;
}

}  // namespace

NameTree::NameTree(std::vector<std::string> mounts, std::function<void(Inode&)> released)
    : mounts_(std::move(mounts)), released_(std::move(released)) {
  auto root = std::make_unique<Inode>(next_id_++, Inode::Kind::kDirectory);
  root->names = std::make_unique<Inode::Entries>();
  root->references = 1;
  root_ = root.get();
  inodes_.emplace(root->id, std::move(root));
  MakeMounts();
}

NameTree::~NameTree() = default;

// A mount point is there whatever the device holds.
void NameTree::MakeMounts() {
  for (const std::string& mount : mounts_) {
    if (Lookup(*root_, mount) != nullptr) continue;
    Create({.directory = root_, .name = mount}, Inode::Kind::kDirectory, absl::UnixEpoch());
    MakeDurable(*root_, sequence_);
  }
}

void NameTree::Empty(size_t device) {
  const std::vector<Operation> operations = std::move(pending_);
  pending_.clear();
  for (const Operation& o : operations) {
    const Inode& directory = o.to != nullptr ? *o.to : *o.from;
    if (directory.device != device) {
      pending_.push_back(o);
    } else {
      Retire(o);
    }
  }
  std::vector<std::pair<Inode*, std::string>> gone;
  if (device == 0) {
    for (const auto& [name, inode] : *root_->names) {
      if (inode->device == 0) gone.emplace_back(root_, name);
    }
  } else if (Inode* mount = Lookup(*root_, mounts_[device - 1])) {
    for (const auto& [name, inode] : *mount->names) gone.emplace_back(mount, name);
  }
  for (const auto& [directory, name] : gone) SetEntry(*directory, name, nullptr);
}

absl::StatusOr<NameTree::Place> NameTree::Resolve(std::string_view path) const {
  HW_ASSIGN_OR_RETURN(const std::vector<std::string_view> components, Components(path));
  if (components.empty()) return Place{.inode = root_};
  Place place;
  Inode* directory = root_;
  place.above.push_back(root_);
  for (size_t i = 0; i + 1 < components.size(); ++i) {
    Inode* next = Lookup(*directory, std::string(components[i]));
    if (next == nullptr) {
      return absl::NotFoundError(fmt::format("no directory \"{}\" in \"{}\"", components[i], path));
    }
    if (!next->is_directory()) return NotADirectory(components[i]);
    directory = next;
    place.above.push_back(next);
  }
  place.directory = directory;
  place.name = std::string(components.back());
  place.inode = Lookup(*directory, place.name);
  // As on Linux, "name/" is the directory of that name.
  if (path.back() == '/' && place.inode != nullptr && !place.inode->is_directory()) {
    return NotADirectory(place.name);
  }
  return place;
}

absl::StatusOr<Inode*> NameTree::Find(std::string_view path) const {
  HW_ASSIGN_OR_RETURN(const Place place, Resolve(path));
  if (place.inode == nullptr) return absl::NotFoundError(fmt::format("no \"{}\"", path));
  return place.inode;
}

Inode& NameTree::Create(const Place& place, Inode::Kind kind, absl::Time now) {
  HW_CHECK(place.directory != nullptr && place.inode == nullptr, "\"{}\" exists", place.name);
  auto owned = std::make_unique<Inode>(next_id_++, kind);
  Inode& inode = *owned;
  inode.modified = now;
  inode.device = place.directory->device;
  const auto mount = std::find(mounts_.begin(), mounts_.end(), place.name);
  if (place.directory == root_ && mount != mounts_.end()) {
    inode.device = static_cast<uint8_t>(mount - mounts_.begin() + 1);
  }
  if (inode.is_directory()) inode.names = std::make_unique<Inode::Entries>();
  inodes_.emplace(inode.id, std::move(owned));
  Push({.to = place.directory, .to_name = place.name, .inode = &inode});
  return inode;
}

bool NameTree::IsMount(const Place& place) const {
  return place.inode != nullptr && place.directory == root_ && place.inode->device != 0;
}

absl::Status NameTree::Rename(const Place& from, const Place& to) {
  if (from.inode == nullptr) return absl::NotFoundError(fmt::format("no \"{}\"", from.name));
  if (from.directory == nullptr || to.directory == nullptr) {
    return absl::FailedPreconditionError("the root cannot be renamed");
  }
  if (from.inode == to.inode) return absl::OkStatus();
  if (IsMount(from) || IsMount(to) || from.directory->device != to.directory->device) {
    return absl::FailedPreconditionError(
        fmt::format("\"{}\" and \"{}\" are not on one device", from.name, to.name));
  }
  if (std::find(to.above.begin(), to.above.end(), from.inode) != to.above.end()) {
    return absl::FailedPreconditionError(fmt::format("\"{}\" would move into itself", from.name));
  }
  if (to.inode != nullptr && to.inode->is_directory()) {
    return absl::FailedPreconditionError(fmt::format("\"{}\" is a directory", to.name));
  }
  if (to.inode != nullptr && from.inode->is_directory()) return NotADirectory(to.name);
  Push({.from = from.directory,
        .from_name = from.name,
        .to = to.directory,
        .to_name = to.name,
        .inode = from.inode,
        .replaced = to.inode});
  return absl::OkStatus();
}

absl::Status NameTree::Remove(const Place& place) {
  if (place.directory == nullptr) {
    return absl::FailedPreconditionError("the root cannot be removed");
  }
  if (place.inode == nullptr) return absl::NotFoundError(fmt::format("no \"{}\"", place.name));
  if (IsMount(place)) {
    return absl::FailedPreconditionError(fmt::format("\"{}\" is mounted", place.name));
  }
  if (place.inode->is_directory() && !place.inode->names->empty()) {
    return absl::FailedPreconditionError(fmt::format("\"{}\" is not empty", place.name));
  }
  Push({.from = place.directory, .from_name = place.name, .inode = place.inode});
  return absl::OkStatus();
}

void NameTree::Release(Inode& inode) {
  HW_CHECK(inode.references > 0);
  if (--inode.references > 0) return;
  // A directory that goes takes along what still has its name in it.
  if (inode.is_directory()) {
    const std::unique_ptr<Inode::Entries> names = std::move(inode.names);
    inode.names = std::make_unique<Inode::Entries>();
    for (auto& [name, child] : *names) Release(*child);
  }
  released_(inode);
  inodes_.erase(inode.id);
}

Inode* NameTree::FindById(uint64_t id) const {
  const auto it = inodes_.find(id);
  return it == inodes_.end() ? nullptr : it->second.get();
}

// Changes one name, with the references that names hold.
void NameTree::SetEntry(Inode& directory, const std::string& name, Inode* inode) {
  Inode* before = nullptr;
  if (inode != nullptr) {
    AddReference(*inode);
    Inode*& entry = (*directory.names)[name];
    before = std::exchange(entry, inode);
  } else if (const auto it = directory.names->find(name); it != directory.names->end()) {
    before = it->second;
    directory.names->erase(it);
  }
  if (before != nullptr) Release(*before);
}

void NameTree::Apply(const Operation& operation) {
  AddReference(*operation.inode);  // while it has no name
  if (operation.from != nullptr) SetEntry(*operation.from, operation.from_name, nullptr);
  if (operation.to != nullptr) SetEntry(*operation.to, operation.to_name, operation.inode);
  Release(*operation.inode);
}

void NameTree::TakeBack(const Operation& operation) {
  AddReference(*operation.inode);
  if (operation.to != nullptr) SetEntry(*operation.to, operation.to_name, operation.replaced);
  if (operation.from != nullptr) SetEntry(*operation.from, operation.from_name, operation.inode);
  Release(*operation.inode);
}

void NameTree::Push(Operation operation) {
  operation.sequence = sequence_++;
  for (Inode* used : {operation.from, operation.to, operation.inode, operation.replaced}) {
    if (used != nullptr) AddReference(*used);
  }
  Apply(operation);
  pending_.push_back(std::move(operation));
}

void NameTree::Retire(const Operation& operation) {
  for (Inode* used : {operation.replaced, operation.inode, operation.to, operation.from}) {
    if (used != nullptr) Release(*used);
  }
}

// What a set of operations touches, to find those that depend on it or that it depends on. Ordered
// by inode numbers.
struct NameTree::Dependencies {
  absl::btree_set<std::pair<uint64_t, std::string>> names;
  absl::btree_set<uint64_t> inodes;        // that got, lost or changed a name
  absl::btree_set<uint64_t> directories;   // in which names changed
  absl::btree_set<uint64_t> destinations;  // directories into which something moved
  absl::btree_set<uint64_t> removed;       // directories that were removed

  static bool Moves(const Operation& o) {
    return o.from != nullptr && o.to != nullptr && o.from != o.to;
  }
  static bool RemovesDirectory(const Operation& o) {
    return o.to == nullptr && o.inode->is_directory();
  }

  void Add(const Operation& o, bool needs_destination) {
    if (o.from != nullptr) {
      names.emplace(o.from->id, o.from_name);
      directories.insert(o.from->id);
    }
    if (o.to != nullptr) {
      names.emplace(o.to->id, o.to_name);
      directories.insert(o.to->id);
      if (needs_destination || Moves(o)) destinations.insert(o.to->id);
    }
    inodes.insert(o.inode->id);
    if (o.replaced != nullptr) inodes.insert(o.replaced->id);
    if (RemovesDirectory(o)) removed.insert(o.inode->id);
  }
  [[nodiscard]] bool Share(const Operation& o) const {
    return (o.from != nullptr && names.contains({o.from->id, o.from_name})) ||
           (o.to != nullptr && names.contains({o.to->id, o.to_name})) ||
           inodes.contains(o.inode->id) ||
           (o.replaced != nullptr && inodes.contains(o.replaced->id));
  }
  // Whether the set, being later, depends on `o`.
  [[nodiscard]] bool DependOn(const Operation& o) const {
    return Share(o) || destinations.contains(o.inode->id) ||
           (o.from != nullptr && removed.contains(o.from->id)) ||
           (o.to != nullptr && removed.contains(o.to->id));
  }
  // Whether `o`, being later, depends on the set.
  [[nodiscard]] bool AreNeededBy(const Operation& o) const {
    return Share(o) || (o.to != nullptr && inodes.contains(o.to->id)) ||
           (RemovesDirectory(o) && directories.contains(o.inode->id));
  }
};

bool NameTree::HasPending(const Inode& directory, uint64_t upto) const {
  return std::any_of(pending_.begin(), pending_.end(), [&](const Operation& o) {
    return o.sequence < upto && (o.from == &directory || o.to == &directory);
  });
}

bool NameTree::HasPending(size_t device) const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [&](const Operation& o) { return DeviceOf(o) == device; });
}

size_t NameTree::DeviceOf(const Operation& operation) {
  return operation.to != nullptr ? operation.to->device : operation.from->device;
}

void NameTree::MakeDurable(const Inode& directory, uint64_t upto) {
  MakeDurableIf(upto,
                [&](const Operation& o) { return o.from == &directory || o.to == &directory; });
}

void NameTree::MakeDurable(size_t device, uint64_t upto) {
  MakeDurableIf(upto, [&](const Operation& o) { return DeviceOf(o) == device; });
}

template <typename Predicate>
void NameTree::MakeDurableIf(uint64_t upto, Predicate wanted) {
  Dependencies needed;
  std::vector<Operation> durable;
  std::vector<Operation> left;
  for (size_t i = pending_.size(); i > 0; --i) {
    Operation& o = pending_[i - 1];
    if (o.sequence < upto && (wanted(o) || needed.DependOn(o))) {
      // A directory that has to be on the device because something moved into it needs its own way
      // to the root.
      needed.Add(o, needed.destinations.contains(o.inode->id));
      durable.push_back(std::move(o));
    } else {
      left.push_back(std::move(o));
    }
  }
  std::reverse(left.begin(), left.end());
  pending_ = std::move(left);
  for (const Operation& o : durable) Retire(o);
}

NameTree::LossSummary NameTree::LosePower(core::Random& random) {
  const std::vector<Operation> operations = std::move(pending_);
  pending_.clear();
  LossSummary summary{.pending = operations.size()};
  if (operations.empty()) return summary;
  for (size_t i = operations.size(); i > 0; --i) TakeBack(operations[i - 1]);

  const uint64_t mode = random.Below(4);
  const uint64_t prefix = random.Below(operations.size() + 1);
  Dependencies lost;
  for (size_t i = 0; i < operations.size(); ++i) {
    const Operation& o = operations[i];
    bool survives = mode == 1 || (mode == 2 && i < prefix);
    if (mode == 3) survives = random.Chance(1, 2);
    if (survives && !lost.AreNeededBy(o)) {
      Apply(o);
      ++summary.survived;
    } else {
      lost.Add(o, false);
    }
  }
  for (const Operation& o : operations) Retire(o);
  return summary;
}

void NameTree::WithDurableNames(const std::function<void()>& use) {
  for (size_t i = pending_.size(); i > 0; --i) TakeBack(pending_[i - 1]);
  use();
  for (const Operation& o : pending_) Apply(o);
}

void NameTree::ForEachFile(const std::function<void(const std::string&, Inode&)>& use) const {
  std::vector<std::pair<std::string, const Inode*>> directories = {{"", root_}};
  while (!directories.empty()) {
    const auto [path, directory] = std::move(directories.back());
    directories.pop_back();
    std::vector<std::pair<std::string, const Inode*>> below;
    for (const auto& [name, inode] : *directory->names) {
      std::string full = path.empty() ? name : path + "/" + name;
      if (inode->is_directory()) {
        below.emplace_back(std::move(full), inode);
      } else {
        use(full, *inode);
      }
    }
    directories.insert(directories.end(), below.rbegin(), below.rend());
  }
}

}  // namespace highwater::sim
