#include "scenarios/zoo_table.h"

#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace highwater::scenarios {
namespace {

constexpr std::string_view kSeparator = " · ";

template <typename Format>
std::string OfEachHunt(const ZooRow& row, Format format) {
  std::string text;
  for (const Detection& hunt : row.hunts) {
    text += fmt::format("{}{}", text.empty() ? "" : kSeparator, format(hunt));
  }
  return text;
}

// Each thing once, in the order of the hunts.
template <typename Text>
std::string Distinct(const ZooRow& row, std::string_view separator, Text text) {
  std::vector<std::string> known;
  for (const Detection& hunt : row.hunts) {
    std::string what = text(hunt);
    const bool is_new = std::find(known.begin(), known.end(), what) == known.end();
    if (!what.empty() && is_new) known.push_back(std::move(what));
  }
  return fmt::format("{}", fmt::join(known, separator));
}

// `| M22 | …` → `M22`; empty for what is no row.
std::string IdOf(std::string_view line) {
  const std::vector<std::string> cells =
      absl::StrSplit(absl::string_view(line.data(), line.size()), '|');
  if (cells.size() < 3) return "";
  return std::string(absl::StripAsciiWhitespace(cells[1]));
}

}  // namespace

std::string ZooTableHead() {
  return "| id | area | source | defect | caught by | campaign | trials | CPU s | strategy |\n"
         "|---|---|---|---|---|---|---|---|---|\n";
}

std::string FormatZooRow(const ZooRow& row) {
  const std::string caught_by = Distinct(row, "; ", [](const Detection& d) { return d.what; });
  const std::string campaigns = Distinct(row, ", ", [](const Detection& d) {
    return d.trial.has_value() ? d.trial->scenario.name : std::string();
  });
  const PlantedDefect& defect = *row.defect;
  return fmt::format(
      "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", defect.id, defect.area, defect.source,
      defect.sentence, caught_by.empty() ? "**undetected**" : caught_by, campaigns,
      OfEachHunt(row,
                 [](const Detection& hunt) {
                   return fmt::format("{}{}", hunt.what.empty() ? ">" : "", hunt.trials);
                 }),
      OfEachHunt(row, [](const Detection& hunt) { return fmt::format("{:.1f}", hunt.cpu); }),
      row.strategy);
}

absl::StatusOr<std::string> UpdateZooTable(std::string_view document,
                                           const std::vector<ZooRow>& rows,
                                           const std::vector<PlantedDefect>& zoo) {
  const size_t begin = document.find(kTableBegin);
  const size_t end = document.find(kTableEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    return absl::InvalidArgumentError(
        fmt::format("expected the lines {} and {}", kTableBegin, kTableEnd));
  }
  const size_t inside = begin + kTableBegin.size();
  const std::string_view old = document.substr(inside, end - inside);
  std::map<std::string, std::string> lines;
  for (const absl::string_view line :
       absl::StrSplit(absl::string_view(old.data(), old.size()), '\n')) {
    const std::string id = IdOf({line.data(), line.size()});
    if (!id.empty()) lines[id] = fmt::format("{}\n", std::string_view(line.data(), line.size()));
  }
  for (const ZooRow& row : rows) lines[row.defect->id] = FormatZooRow(row);
  std::string table = ZooTableHead();
  for (const PlantedDefect& defect : zoo) {
    const auto line = lines.find(defect.id);
    if (line != lines.end()) table += line->second;
  }
  return fmt::format("{}\n{}{}", document.substr(0, inside), table, document.substr(end));
}

}  // namespace highwater::scenarios
