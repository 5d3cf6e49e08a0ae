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
#include "scenarios/run_source.h"

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
  const std::optional<RunSource> source =
      ReadRunSource(command.source, command.seed, command.mutant, harness, output);
  if (!source) return ExitCode::kUsage;
  RunOptions options;
  options.timeline_messages = std::numeric_limits<uint64_t>::max();
  SeedResult result = source->harness.make_runner()->Run(source->scenario, source->seed, options);
  JudgeSeed(source->scenario, result);
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
