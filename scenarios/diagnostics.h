#pragma once

// What is wrong with a file that a user wrote, where, and what was probably meant.

#include <absl/types/span.h>

#include <string>
#include <string_view>
#include <vector>

namespace highwater::scenarios {

enum class Severity { kWarning, kError };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  int line = 0;    // from 1; 0: the file as a whole
  int column = 0;  // from 1
  std::string message;
};

// `az-loss.yaml:7:12: error: …`
[[nodiscard]] std::string FormatDiagnostic(const Diagnostic& diagnostic);

// ` (did you mean "x"?)`, or nothing.
[[nodiscard]] std::string DidYouMean(std::string_view word,
                                     absl::Span<const std::string_view> candidates);

}  // namespace highwater::scenarios
