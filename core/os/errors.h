#pragma once

// What errno means at the seam: the table of core/seam_errors.md.

#include <absl/status/status.h>

#include <string_view>

namespace highwater::core::os {

// `what` says what was tried ("open"), `subject` on what (a path, an endpoint).
[[nodiscard]] absl::Status FileError(int error, std::string_view what, std::string_view subject);
[[nodiscard]] absl::Status NetworkError(int error, std::string_view what, std::string_view subject);

}  // namespace highwater::core::os
