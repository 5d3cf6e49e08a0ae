#pragma once

// Paths of znodes: which are legal, where a path ends, in which order paths stand.
//
//   if (!IsValidPath(path)) return ErrorCode::kBadArguments;
//   ParentOf("/a/b") == "/a";  NameOf("/a/b") == "b";  ParentOf("/a") == "/"
//
// Follows ZooKeeper facts 4.1 (built-in nodes), 4.2 (names).

#include <string>
#include <string_view>

namespace highwater::broker::zookeeper {

inline constexpr std::string_view kQuotaPath = "/zookeeper/quota";
inline constexpr std::string_view kConfigPath = "/zookeeper/config";

// [4.2] `path` is UTF-8.
[[nodiscard]] bool IsValidPath(std::string_view path);
// [4.1] The four built-in nodes, which can not be deleted.
[[nodiscard]] bool IsSpecialPath(std::string_view path);

// All before the last slash; "/" for a child of the root. REQUIRES: a slash in it.
[[nodiscard]] std::string_view ParentOf(std::string_view path);
// All behind the last slash.
[[nodiscard]] std::string_view NameOf(std::string_view path);
[[nodiscard]] std::string ChildPath(std::string_view parent, std::string_view name);
// [4.2] What is put behind the name of a sequential node: at least ten digits.
[[nodiscard]] std::string SequenceSuffix(int32_t parent_cversion);

// Depth first: "/" < "/a" < "/a/b" < "/a-b". '/' counts as less than every other byte.
struct PathLess {
  using is_transparent = void;
  [[nodiscard]] bool operator()(std::string_view a, std::string_view b) const;
};

}  // namespace highwater::broker::zookeeper
