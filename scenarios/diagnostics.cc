#include "scenarios/diagnostics.h"

#include <fmt/format.h>

#include "core/nearest_name.h"

namespace highwater::scenarios {

std::string FormatDiagnostic(const Diagnostic& diagnostic) {
  const std::string_view word = diagnostic.severity == Severity::kError ? "error" : "warning";
  const std::string place = diagnostic.line == 0 ? diagnostic.file
                                                 : fmt::format("{}:{}:{}", diagnostic.file,
                                                               diagnostic.line, diagnostic.column);
  std::string line = fmt::format("{}: {}: {}", place, word, diagnostic.message);
  // The message may quote the file: nothing in it may move a terminal's cursor or begin another
  // line.
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return line;
}

std::string DidYouMean(std::string_view word, absl::Span<const std::string_view> candidates) {
  const std::string_view nearest = core::NearestName(word, candidates);
  return nearest.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", nearest);
}

}  // namespace highwater::scenarios
