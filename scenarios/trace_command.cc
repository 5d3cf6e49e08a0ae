// `highwater trace`.

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "reports/failure_screen.h"
#include "reports/perfetto/timeline_trace.h"
#include "reports/text.h"
#include "scenarios/commands.h"
#include "scenarios/judge.h"
#include "scenarios/loader.h"

namespace highwater::scenarios {
namespace {

bool WriteWhole(const std::string& path, std::string_view bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return std::fclose(file) == 0 && written;
}

}  // namespace

ExitCode Trace(const TraceCommand& command, const Harness& harness, const Output& output) {
  const LoadedScenario loaded = LoadScenarioFile(command.scenario, harness.load);
  for (const Diagnostic& d : loaded.diagnostics)
    fmt::print(output.err, "{}\n", FormatDiagnostic(d));
  if (!loaded.scenario) return ExitCode::kUsage;
  RunOptions options;
  options.timeline_messages = std::numeric_limits<uint64_t>::max();
  SeedResult result = harness.make_runner()->Run(*loaded.scenario, command.seed, options);
  JudgeSeed(*loaded.scenario, result);
  const std::string trace = reports::PerfettoTrace(result.timeline);
  if (!WriteWhole(command.file, trace)) {
    output.Error(fmt::format("cannot write {}: {}", command.file, std::strerror(errno)));
    return ExitCode::kUsage;
  }
  fmt::print(output.err, "{}: {} events, {} bytes. {}\n", command.file,
             reports::Grouped(result.timeline.events.size()), reports::Grouped(trace.size()),
             reports::VerdictSentence(result.verdict));
  return ExitCode::kHeld;
}

}  // namespace highwater::scenarios
