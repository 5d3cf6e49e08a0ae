#include "scenarios/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>

namespace highwater::scenarios {
namespace {

// Names longer than this are not typing mistakes of ours.
constexpr size_t kLongestName = 80;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Insertions, deletions, substitutions and swaps of neighbours; case does not count.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) table[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) table[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = Lower(a[i - 1]) == Lower(b[j - 1]);
      size_t best = std::min(
          {table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && Lower(a[i - 1]) == Lower(b[j - 2]) &&
          Lower(a[i - 2]) == Lower(b[j - 1])) {
        best = std::min(best, table[i - 2][j - 2] + 1);
      }
      table[i][j] = best;
    }
  }
  return table[a.size()][b.size()];
}

}  // namespace

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

std::string Nearest(std::string_view word, absl::Span<const std::string_view> candidates) {
  if (word.size() > kLongestName) return "";
  // A third of the letters may be wrong, and at least one of them must be right.
  const size_t limit = std::max<size_t>(1, word.size() / 3);
  std::string_view best;
  size_t best_distance = limit + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kLongestName) continue;
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return std::string(best);
}

std::string DidYouMean(std::string_view word, absl::Span<const std::string_view> candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", nearest);
}

}  // namespace highwater::scenarios
