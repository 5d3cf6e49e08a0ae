// Precompiled third-party and standard headers. Nothing of our own: our headers change.
#pragma once
#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>
#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <absl/types/span.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// Compiled once, in instances.cc: without this each file that formats one of our own types compiles
// nearly all of fmt again.
extern template void fmt::detail::vformat_to(buffer<char>&, string_view,
                                             basic_format_args<format_context>, locale_ref);
