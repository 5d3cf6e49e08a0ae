#pragma once

// RunSource: the one run that a command is about: a scenario and a seed, or a repro file; on the
// product, or with a defect of the zoo planted.

#include <optional>
#include <string>
#include <string_view>

#include "scenarios/commands.h"
#include "scenarios/repro.h"

namespace highwater::scenarios {

struct RunSource {
  Scenario scenario;
  uint64_t seed = 0;
  std::string mutant;
  Harness harness;             // that plants it
  std::optional<Repro> repro;  // where it came from a file
};

// Prints what is wrong and gives nothing. `path`: a repro file if it ends in `.json`. `seed` and
// `mutant` are asked for before those of the file; a scenario needs a seed.
[[nodiscard]] std::optional<RunSource> ReadRunSource(const std::string& path,
                                                     std::optional<uint64_t> seed,
                                                     const std::string& mutant,
                                                     const Harness& harness, const Output& output);

// The harness with defect `id` planted; as it is where `id` is empty. Nothing, and a message, for
// an unknown one.
[[nodiscard]] std::optional<Harness> WithMutant(const Harness& harness, std::string_view id,
                                                const Output& output);

}  // namespace highwater::scenarios
