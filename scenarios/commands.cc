#include "scenarios/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

#include "core/mark.h"
#include "reports/result_json.h"
#include "scenarios/fault_table.h"
#include "scenarios/hash_check.h"
#include "scenarios/loader.h"
#include "scenarios/quantity.h"

namespace highwater::scenarios {
namespace {

using reports::Color;
using reports::ListEntry;
using reports::Style;

std::string TargetForms(absl::Span<const faults::Aim::Role> kinds) {
  std::string forms;
  for (const faults::Aim::Role kind : kinds) {
    forms += fmt::format("{}{}", forms.empty() ? "" : ", ", faults::AimForm(kind));
  }
  return forms;
}

std::string_view TypeName(ParameterType type) {
  switch (type) {
    case ParameterType::kDuration:
      return "duration";
    case ParameterType::kCount:
      return "count";
    case ParameterType::kSize:
      return "size";
    case ParameterType::kPercent:
      return "percent";
    case ParameterType::kChoice:
      return "choice";
    case ParameterType::kTarget:
      return "target";
    case ParameterType::kBrokers:
      return "brokers";
    case ParameterType::kSetting:
      return "setting";
  }
  return "";
}

ListEntry ParameterEntry(const FaultParameter& parameter) {
  ListEntry entry{.name = std::string(parameter.name)};
  const auto add = [&](const char* key, std::string_view value) {
    if (!value.empty()) entry.fields.emplace_back(key, std::string(value));
  };
  add("type", TypeName(parameter.type));
  add("about", parameter.about);
  add("default", parameter.default_value);
  add("minimum", parameter.minimum);
  add("maximum", parameter.maximum);
  add("choices", fmt::format("{}", fmt::join(parameter.choices, ", ")));
  add("targets", TargetForms(parameter.targets));
  add("alias", parameter.alias);
  return entry;
}

std::vector<ListEntry> FaultEntries() {
  std::vector<ListEntry> entries;
  for (const FaultKind& kind : FaultTable()) {
    ListEntry entry{.name = std::string(kind.name),
                    .fields = {{"about", std::string(kind.about)},
                               {"observed", "once " + std::string(kind.observed)},
                               {"targets", TargetForms(kind.targets)}}};
    for (const FaultParameter& parameter : kind.parameters) {
      entry.parts.push_back(ParameterEntry(parameter));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<ListEntry> InvariantEntries(const LoadContext& context) {
  std::vector<ListEntry> entries;
  for (const InvariantInfo& invariant : context.invariants) {
    entries.push_back({.name = invariant.id, .fields = {{"about", invariant.sentence}}});
  }
  return entries;
}

std::vector<ListEntry> MarkEntries() {
  std::vector<ListEntry> entries;
  for (const core::Mark::Count& mark : core::Mark::Counts()) {
    entries.push_back({.name = std::string(mark.name)});
  }
  return entries;
}

std::vector<ListEntry> ScenarioEntries(const std::vector<Scenario>& scenarios) {
  std::vector<ListEntry> entries;
  for (const Scenario& s : scenarios) {
    entries.push_back({.name = s.name,
                       .fields = {{"about", s.about},
                                  {"file", s.file},
                                  {"seeds", FormatSeedRange(s.seeds)},
                                  {"expect", fmt::format("{}", fmt::join(s.expect, ", "))}}});
  }
  return entries;
}

void PrintEntries(const std::vector<ListEntry>& entries, const Output& output) {
  const Style style = output.StyleOf(output.out);
  for (const ListEntry& entry : entries) {
    fmt::print(output.out, "{}", style.Paint(Color::kBold, entry.name));
    for (const auto& [key, value] : entry.fields) {
      if (value.empty()) continue;
      fmt::print(output.out, "\n    {}{}", key == "about" ? "" : key + ": ", value);
    }
    for (const ListEntry& part : entry.parts) {
      std::string about;
      std::string rest;
      for (const auto& [key, value] : part.fields) {
        if (key == "about") {
          about = value;
        } else {
          rest += fmt::format("{}{} {}", rest.empty() ? "" : "; ", key, value);
        }
      }
      fmt::print(output.out, "\n      {} {}\n        {}", reports::PadRight(part.name, 10), about,
                 rest);
    }
    fmt::print(output.out, "\n");
  }
}

std::string DescribePoint(const std::optional<HashPoint>& point) {
  if (!point) return "the run had ended";
  return fmt::format("event {} at {} on {}: {}, hash {}", point->index,
                     reports::ClockTime(absl::Nanoseconds(point->time_ns)), point->host,
                     point->kind, FormatHash(point->hash));
}

void PrintDifference(const Scenario& scenario, const HashCheckResult& result,
                     const Output& output) {
  fmt::print(output.out, "{} seed {}: {}\n", scenario.name, result.seed,
             result.failure.empty()
                 ? fmt::format("not deterministic: {} and {}", FormatHash(result.first_hash),
                               FormatHash(result.second_hash))
                 : result.failure);
  if (result.divergence) {
    if (result.divergence->last_common) {
      fmt::print(output.out, "    last in common  {}\n",
                 DescribePoint(result.divergence->last_common));
    }
    fmt::print(output.out, "    one run         {}\n    the other       {}\n",
               DescribePoint(result.divergence->first), DescribePoint(result.divergence->second));
  } else if (result.failure.empty()) {
    fmt::print(output.out, "    it did not come again when the events were recorded\n");
  }
}

}  // namespace

Style Output::StyleOf(std::FILE* file) const {
  if (color == "always") return Style(true);
  const char* no_color = std::getenv("NO_COLOR");
  const bool unwanted = color == "never" || (no_color != nullptr && *no_color != '\0');
  return Style(!unwanted && isatty(fileno(file)) == 1);
}

void Output::Error(std::string_view message) const {
  fmt::print(err, "{} {}\n", StyleOf(err).Paint(Color::kRed, "highwater:"), message);
}

std::optional<std::vector<Scenario>> LoadAll(const std::vector<std::string>& paths,
                                             const LoadContext& context, const Output& output) {
  std::vector<Scenario> scenarios;
  std::map<std::string, std::string> files;
  bool failed = false;
  for (const std::string& path : paths) {
    const absl::StatusOr<std::vector<std::string>> found = FindScenarioFiles(path);
    if (!found.ok()) {
      const absl::string_view message = found.status().message();
      output.Error({message.data(), message.size()});
      failed = true;
      continue;
    }
    for (const std::string& file : *found) {
      LoadedScenario loaded = LoadScenarioFile(file, context);
      for (const Diagnostic& d : loaded.diagnostics)
        fmt::print(output.err, "{}\n", FormatDiagnostic(d));
      failed = failed || !loaded.scenario;
      if (!loaded.scenario) continue;
      const auto [other, is_new] = files.emplace(loaded.scenario->name, file);
      if (is_new) {
        scenarios.push_back(*std::move(loaded.scenario));
      } else if (other->second != file) {
        output.Error(fmt::format("{}: the name \"{}\" is taken by {}", file, loaded.scenario->name,
                                 other->second));
        failed = true;
      }
    }
  }
  if (failed) return std::nullopt;
  return scenarios;
}

ExitCode HashCheck(const HashCheckCommand& command, const Harness& harness, const Output& output) {
  if (command.seeds.drawn) {
    output.Error("--seeds: hash-check takes a seed or a range");
    return ExitCode::kUsage;
  }
  const std::optional<std::vector<Scenario>> scenarios =
      LoadAll(command.scenarios, harness.load, output);
  if (!scenarios) return ExitCode::kUsage;
  uint64_t checked = 0;
  uint64_t differing = 0;
  for (const Scenario& scenario : *scenarios) {
    const SeedRange seeds = command.seeds.range.value_or(scenario.seeds);
    for (uint64_t seed = seeds.first;; ++seed) {
      const HashCheckResult result = CheckHashes(scenario, seed, harness);
      ++checked;
      if (!result.agrees) {
        ++differing;
        PrintDifference(scenario, result, output);
      }
      if (seed == seeds.last) break;
    }
  }
  fmt::print(output.err, "{} of {} seeds agree with themselves\n", checked - differing, checked);
  if (checked == 0) return ExitCode::kNothingSelected;
  return differing == 0 ? ExitCode::kHeld : ExitCode::kNotDeterministic;
}

ExitCode List(const std::string& what, const std::vector<std::string>& paths,
              const Harness& harness, const Output& output) {
  std::vector<ListEntry> entries;
  if (what == "scenarios") {
    const std::optional<std::vector<Scenario>> scenarios = LoadAll(
        paths.empty() ? std::vector<std::string>{"scenarios"} : paths, harness.load, output);
    if (!scenarios) return ExitCode::kUsage;
    entries = ScenarioEntries(*scenarios);
  } else if (what == "invariants") {
    entries = InvariantEntries(harness.load);
  } else if (what == "events") {
    for (const faults::MomentKind& kind : faults::MomentKinds()) {
      entries.push_back(
          {.name = std::string(kind.name),
           .fields = {{"about", "A fault with `when` waits until " + std::string(kind.about) + "."},
                      {"of", kind.of_partition ? "a partition (orders-0), or any" : "any"}}});
    }
  } else if (what == "faults") {
    entries = FaultEntries();
  } else {
    entries = MarkEntries();
  }
  if (output.json) {
    fmt::print(output.out, "{}\n", reports::ListJson(what, entries));
  } else {
    PrintEntries(entries, output);
  }
  return ExitCode::kHeld;
}

ExitCode Validate(const std::vector<std::string>& paths, const Harness& harness,
                  const Output& output) {
  const std::optional<std::vector<Scenario>> scenarios = LoadAll(paths, harness.load, output);
  if (!scenarios) return ExitCode::kUsage;
  if (scenarios->empty()) {
    output.Error("no scenario found");
    return ExitCode::kNothingSelected;
  }
  fmt::print(output.err, "{} scenario{} valid\n", scenarios->size(),
             scenarios->size() == 1 ? " is" : "s are");
  return ExitCode::kHeld;
}

}  // namespace highwater::scenarios
