#pragma once

// The `highwater` program's command line: run, replay, list, validate, hash-check.
//
// What was asked for (lists, replay logs, JSON) goes to standard output; progress, summaries and
// errors go to standard error. Exit codes are those of ExitCode.

#include <cstdio>

#include "scenarios/harness.h"

namespace highwater::scenarios {

// REQUIRES: no other thread runs in this process (campaigns fork).
[[nodiscard]] int RunCommandLine(int argc, const char* const* argv, const Harness& harness,
                                 std::FILE* out, std::FILE* err);

}  // namespace highwater::scenarios
