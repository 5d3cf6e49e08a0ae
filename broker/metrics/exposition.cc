#include "broker/metrics/exposition.h"

#include <fmt/format.h>

#include <iterator>

namespace highwater::broker::metrics {
namespace {

constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram"};

enum class In : uint8_t { kHelp, kLabel };

std::string Escaped(std::string_view text, In where) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '"' && where == In::kLabel) {
      escaped += "\\\"";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

void Exposition::Family(std::string_view name, MetricType type, std::string_view help) {
  family_ = name;
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name,
                 Escaped(help, In::kHelp), name, kTypes[static_cast<size_t>(type)]);
}

void Exposition::Begin(Labels labels, std::string_view suffix) {
  text_ += family_;
  text_ += suffix;
  char separator = '{';
  for (const auto& [name, value] : labels) {
    fmt::format_to(std::back_inserter(text_), "{}{}=\"{}\"", separator, name,
                   Escaped(value, In::kLabel));
    separator = ',';
  }
  if (labels.size() > 0) text_ += '}';
}

void Exposition::Sample(Labels labels, uint64_t value, std::string_view suffix) {
  Begin(labels, suffix);
  fmt::format_to(std::back_inserter(text_), " {}\n", value);
}

void Exposition::SampleThousandths(Labels labels, uint64_t value, std::string_view suffix) {
  Begin(labels, suffix);
  fmt::format_to(std::back_inserter(text_), " {}.{:03}\n", value / 1000, value % 1000);
}

}  // namespace highwater::broker::metrics
