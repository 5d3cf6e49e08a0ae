#include "reports/failure_screen.h"

#include <fmt/format.h>

#include <algorithm>

namespace highwater::reports {
namespace {

using scenarios::CaseResult;
using scenarios::ChainEvent;
using scenarios::ChainEventKind;
using scenarios::ScenarioSummary;
using scenarios::SeedResult;
using scenarios::Verdict;
using scenarios::Violation;

constexpr size_t kWidestActor = 28;
constexpr size_t kWidestText = 60;
constexpr size_t kDumpLines = 60;

std::string ShortHash(uint64_t hash) {
  const std::string whole = scenarios::FormatHash(hash);
  return whole.substr(0, 4) + "…" + whole.substr(12);
}

std::string Trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string Header(const ScenarioSummary& scenario, const CaseResult& result,
                   const BuildInfo& build, const Style& style) {
  const bool expected = result.result.verdict == Verdict::kExpected;
  std::string hash;
  if (result.result.trace_hash != 0) {
    hash = fmt::format("  trace-hash {}", ShortHash(result.result.trace_hash));
  }
  return fmt::format(
      "{}  {}  seed {}  build {}{}\n",
      expected ? style.Paint(Color::kCyan, "EXPECTED") : style.Paint(Color::kRed, "FAIL"),
      style.Paint(Color::kBold, scenario.name), result.result.seed, DescribeBuild(build), hash);
}

// Columns are as wide as their widest cell, within reason.
struct Columns {
  size_t actor = 0;
  size_t text = 0;
};

Columns Measure(const std::vector<ChainEvent>& chain) {
  Columns columns;
  for (const ChainEvent& event : chain) {
    if (event.kind == ChainEventKind::kEvent) {
      columns.actor = std::max(columns.actor, std::min(Width(event.actor), kWidestActor));
    }
    columns.text = std::max(columns.text, std::min(Width(event.text), kWidestText));
  }
  return columns;
}

std::string ChainLine(const ChainEvent& event, const Columns& columns, const Style& style) {
  std::string remark = event.note;
  if (!event.decisive.empty()) {
    remark += fmt::format("{}{}", remark.empty() ? "" : "  ",
                          style.Paint(Color::kYellow, "← " + Printable(event.decisive)));
  }
  std::string middle;
  if (event.kind == ChainEventKind::kEvent) {
    middle = PadRight(Printable(event.actor), columns.actor) + "   " +
             PadRight(Printable(event.text), columns.text);
  } else {
    const bool fault = event.kind == ChainEventKind::kFault;
    const std::string_view word = fault ? "FAULT" : "VIOLATION";
    // A fault has no actor: its text takes both columns.
    const size_t width = columns.actor + 3 + columns.text;
    const std::string text = fmt::format("{}  {}", word, Printable(event.text));
    const std::string blanks(width > Width(text) ? width - Width(text) : 0, ' ');
    middle = style.Paint(fault ? Color::kMagenta : Color::kRed, text) + blanks;
  }
  return Trimmed(fmt::format("{}  {}   {}", ClockTime(event.at), middle, remark));
}

std::string ViolationText(const Violation& violation, const SeedResult& result,
                          std::string_view shrunk, const Style& style) {
  std::string out = fmt::format("\n  {} {}\n", style.Paint(Color::kBold, violation.invariant + ":"),
                                Printable(violation.sentence));
  for (const std::string& witness : violation.witnesses) {
    out += fmt::format("    {}\n", Printable(witness));
  }
  if (violation.chain.empty()) return out;
  out += fmt::format("\n  What led to it ({}{}{} simulated{}):\n", shrunk,
                     shrunk.empty() ? "" : "; ", RoughTime(result.simulated),
                     result.strategy.empty() ? "" : fmt::format(", scheduler {}", result.strategy));
  const Columns columns = Measure(violation.chain);
  for (const ChainEvent& event : violation.chain) {
    out += fmt::format("    {}\n", ChainLine(event, columns, style));
  }
  return out;
}

std::string DumpText(const std::string& dump) {
  std::string out = "\n";
  const std::string text = Printable(dump);
  size_t lines = 0;
  size_t at = 0;
  while (at < text.size() && lines < kDumpLines) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out += fmt::format("    {}\n", std::string_view(text).substr(at, end - at));
    at = end + 1;
    ++lines;
  }
  if (at < text.size()) {
    const auto rest = std::count(text.begin() + static_cast<ptrdiff_t>(at), text.end(), '\n') + 1;
    out += fmt::format("    … {} more lines: the replay prints them all\n", rest);
  }
  return out;
}

// An argument that a shell takes as one word.
std::string ShellWord(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-+:,=@").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string Commands(const ScenarioSummary& scenario, const CaseResult& result,
                     const BuildInfo& build) {
  // A file is this run whatever the scenario's file says by then; and it knows what was planted.
  const bool kept = !result.repro_path.empty();
  const std::string replay = kept ? "highwater replay " + ShellWord(result.repro_path)
                                  : ReplayCommand(scenario, result.result.seed);
  const SeedResult& shown = result.shrunk ? result.shrunk->result : result.result;
  std::string out = fmt::format("\n  Replay  {}\n", replay);
  if (!shown.violations.empty()) {
    const Violation& violation = shown.violations.front();
    out += fmt::format("  Stop    {} --break-on {}\n", replay, violation.invariant);
    const absl::Duration before = violation.at - absl::Milliseconds(1);
    if (before > absl::ZeroDuration()) {
      out += fmt::format("  Before  {} --until {}\n", replay, UntilArgument(before));
    }
  }
  if (kept && result.shrunk && result.repro_path.ends_with("/repro.json")) {
    const std::string folder = result.repro_path.substr(0, result.repro_path.rfind('/'));
    out += fmt::format("  Whole   highwater replay {}\n", ShellWord(folder + "/unshrunk.json"));
  }
  if (kept) out += fmt::format("  Keep    highwater pin {}\n", ShellWord(result.repro_path));
  out += fmt::format("  Note    the seed reproduces on build {} only{}.\n", build.id,
                     kept ? "; later builds try the same faults with the repro file" : "");
  return out;
}

}  // namespace

std::string_view VerdictSentence(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHeld:
      return "Every check was decided and held.";
    case Verdict::kViolated:
      return "A guarantee was broken.";
    case Verdict::kExpected:
      return "Only guarantees were broken that this scenario expects to be broken.";
    case Verdict::kInconclusive:
      return "The run ended before its checks were decided.";
    case Verdict::kVacuous:
      return "Nothing was proved: no record was acknowledged.";
    case Verdict::kLivelock:
      return "The world did not end: events without end at one instant of simulated time.";
    case Verdict::kStuck:
      return "The world did not end: nothing was left to happen, and the run was not over.";
    case Verdict::kBrokerAborted:
      return "A check in the broker's code failed.";
    case Verdict::kInternalError:
      return "A check in Highwater's own code failed: please report this.";
    case Verdict::kCrashed:
      return "The process that ran this seed died.";
  }
  return "";
}

std::string ReplayCommand(const ScenarioSummary& scenario, uint64_t seed) {
  return fmt::format("highwater replay {} --seed {}", ShellWord(scenario.file), seed);
}

std::string FailureScreen(const ScenarioSummary& scenario, const CaseResult& result,
                          const BuildInfo& build, const Style& style) {
  std::string out = Header(scenario, result, build, style);
  const SeedResult& shown = result.shrunk ? result.shrunk->result : result.result;
  const std::string_view shrunk = result.shrunk ? result.shrunk->sentence : std::string_view();
  for (const Violation& violation : shown.violations) {
    out += ViolationText(violation, shown, shrunk, style);
  }
  if (result.result.violations.empty()) {
    out += fmt::format("\n  {}: {}\n",
                       style.Paint(Color::kBold, scenarios::VerdictName(result.result.verdict)),
                       VerdictSentence(result.result.verdict));
  }
  if (!result.differs.empty()) {
    out += fmt::format(
        "\n  {}: two runs of this seed differ: {}.\n"
        "    Find the first event: highwater hash-check {} --seeds {}\n",
        style.Paint(Color::kRed, "not deterministic"), result.differs, ShellWord(scenario.file),
        result.result.seed);
  }
  if (!result.result.dump.empty()) out += DumpText(result.result.dump);
  return out + Commands(scenario, result, build);
}

}  // namespace highwater::reports
