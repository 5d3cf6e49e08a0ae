#include "scenarios/repro.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "scenarios/fault_table.h"
#include "scenarios/loader.h"
#include "scenarios/resolved_yaml.h"

namespace highwater::scenarios {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kReproVersion = 1;

std::string TextOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

Json JsonOf(const faults::FaultOrder& order) {
  Json json = {{"kind", order.kind},
               {"at_ns", absl::ToInt64Nanoseconds(order.at)},
               {"for_ns", absl::ToInt64Nanoseconds(order.length)},
               {"target", faults::FormatAim(order.aim)}};
  if (order.when) {
    json["when"] = faults::KindOf(order.when->event).name;
    json["of"] = faults::FormatMomentOf(*order.when);
    json["after_ns"] = absl::ToInt64Nanoseconds(order.after);
  }
  if (order.hit) json["hit"] = faults::FormatAim(*order.hit);
  json["other"] = faults::FormatAim(order.other);
  if (order.other_hit) json["other_hit"] = faults::FormatAim(*order.other_hit);
  json["numbers"] = order.numbers;
  json["choices"] = order.choices;
  json["place"] = order.place;
  json["key"] = FormatHash(order.key);
  return json;
}

Json JsonOf(const EffectCrash& crash) {
  return {{"target", faults::FormatAim(crash.victim)},
          {"effect", crash.effect},
          {"power_loss", crash.power_loss},
          {"for_ns", absl::ToInt64Nanoseconds(crash.down)}};
}

// Reads the members of one object; the first that is missing or of a wrong type is what status()
// names.
class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string what) : json_(json), what_(std::move(what)) {
    if (!json.is_object()) Fail("an object");
  }

  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] bool Has(const char* key) const { return json_.is_object() && json_.contains(key); }

  std::string Text(const char* key) {
    const Json* found = Find(key);
    if (found != nullptr && found->is_string()) return found->get<std::string>();
    Fail(fmt::format("a text at \"{}\"", key));
    return "";
  }
  template <typename Integer>
  Integer Number(const char* key) {
    const Json* found = Find(key);
    if (found != nullptr && found->is_number_integer()) return found->get<Integer>();
    Fail(fmt::format("a whole number at \"{}\"", key));
    return 0;
  }
  bool Flag(const char* key) {
    const Json* found = Find(key);
    if (found != nullptr && found->is_boolean()) return found->get<bool>();
    Fail(fmt::format("true or false at \"{}\"", key));
    return false;
  }
  absl::Duration Nanos(const char* key) { return absl::Nanoseconds(Number<int64_t>(key)); }
  uint64_t Hash(const char* key) {
    uint64_t hash = 0;
    const std::string text = Text(key);
    if (text.size() != 16 || !absl::SimpleHexAtoi(text, &hash)) {
      Fail(fmt::format("16 hexadecimal digits at \"{}\"", key));
    }
    return hash;
  }
  faults::Aim Aim(const char* key) {
    absl::StatusOr<faults::Aim> aim = faults::ParseAim(Text(key));
    if (aim.ok()) return *std::move(aim);
    Fail(fmt::format("a target at \"{}\": {}", key, TextOf(aim.status())));
    return {};
  }
  std::optional<faults::Aim> OptionalAim(const char* key) {
    return Has(key) ? std::optional(Aim(key)) : std::nullopt;
  }
  std::vector<std::string> Texts(const char* key) {
    std::vector<std::string> texts;
    ForEach(key, [&](const Json& item) {
      if (item.is_string()) texts.push_back(item.get<std::string>());
      return item.is_string();
    });
    return texts;
  }
  // `visit` says whether an item is what was expected.
  template <typename Visit>
  void ForEach(const char* key, Visit visit) {
    const Json* found = Find(key);
    bool good = found != nullptr && found->is_structured();
    if (good) {
      for (const Json& item : *found) good = good && visit(item);
    }
    if (!good) Fail(fmt::format("a list or a map at \"{}\"", key));
  }
  const Json* Find(const char* key) { return Has(key) ? &json_[key] : nullptr; }
  void Fail(std::string_view expected) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(fmt::format("{}: expected {}", what_, expected));
    }
  }

 private:
  const Json& json_;
  std::string what_;
  absl::Status status_;
};

// The fault table is what makes sure that the injector finds every parameter that it asks for.
void ReadParameters(ObjectReader& in, faults::FaultOrder& order) {
  const FaultKind* kind = FindFaultKind(order.kind);
  if (kind == nullptr) return in.Fail(fmt::format("a known fault, not \"{}\"", order.kind));
  const Json none;
  const Json* given_numbers = in.Find("numbers");
  const Json* given_choices = in.Find("choices");
  ObjectReader numbers(given_numbers == nullptr ? none : *given_numbers,
                       fmt::format("numbers of {}", order.kind));
  ObjectReader choices(given_choices == nullptr ? none : *given_choices,
                       fmt::format("choices of {}", order.kind));
  for (const FaultParameter& parameter : kind->parameters) {
    const std::string name(parameter.name);
    switch (parameter.type) {
      case ParameterType::kDuration:
        if (name == "for") break;
        [[fallthrough]];
      case ParameterType::kCount:
      case ParameterType::kSize:
      case ParameterType::kPercent:
        order.numbers[name] = numbers.Number<int64_t>(name.c_str());
        break;
      case ParameterType::kChoice:
      case ParameterType::kBrokers:
      case ParameterType::kSetting:
        order.choices[name] = choices.Text(name.c_str());
        break;
      case ParameterType::kTarget:
        break;
    }
  }
  for (const ObjectReader* reader : {&numbers, &choices}) {
    if (!reader->status().ok()) in.Fail(TextOf(reader->status()));
  }
}

absl::StatusOr<faults::FaultOrder> ReadOrder(const Json& json, size_t index) {
  ObjectReader in(json, fmt::format("faults[{}]", index));
  faults::FaultOrder order;
  order.kind = in.Text("kind");
  order.at = in.Nanos("at_ns");
  order.length = in.Nanos("for_ns");
  order.aim = in.Aim("target");
  order.hit = in.OptionalAim("hit");
  order.other = in.Aim("other");
  order.other_hit = in.OptionalAim("other_hit");
  order.place = in.Text("place");
  order.key = in.Hash("key");
  if (in.Has("when")) {
    const absl::StatusOr<faults::Moment> when = faults::ParseMoment(in.Text("when"), in.Text("of"));
    if (when.ok()) order.when = *when;
    if (!when.ok()) in.Fail(fmt::format("an event at \"when\": {}", TextOf(when.status())));
    order.after = in.Nanos("after_ns");
  }
  if (in.status().ok()) ReadParameters(in, order);
  if (!in.status().ok()) return in.status();
  return order;
}

absl::StatusOr<EffectCrash> ReadEffectCrash(const Json& json) {
  ObjectReader in(json, "effect_crash");
  EffectCrash crash;
  crash.victim = in.Aim("target");
  crash.effect = in.Number<uint64_t>("effect");
  crash.power_loss = in.Flag("power_loss");
  crash.down = in.Nanos("for_ns");
  if (!in.status().ok()) return in.status();
  return crash;
}

absl::StatusOr<Scenario> ReadScenario(const std::string& file,
                                      const std::vector<std::string>& lines,
                                      const LoadContext& context) {
  LoadedScenario loaded =
      LoadScenario(file + "#scenario", fmt::format("{}\n", fmt::join(lines, "\n")), context);
  if (loaded.scenario) return *std::move(loaded.scenario);
  return absl::InvalidArgumentError(loaded.diagnostics.empty()
                                        ? "its scenario cannot be read"
                                        : FormatDiagnostic(loaded.diagnostics.front()));
}

absl::StatusOr<Repro> ReadRepro(const std::string& file, const Json& json,
                                const LoadContext& context) {
  ObjectReader in(json, "the document");
  if (in.Number<int>("repro_version") != kReproVersion) {
    in.Fail(fmt::format("\"repro_version\" {}", kReproVersion));
  }
  Repro repro;
  repro.seed = in.Number<uint64_t>("seed");
  repro.mutant = in.Text("mutant");
  repro.build = in.Text("build");
  repro.signature = in.Text("signature");
  repro.invariants = in.Texts("invariants");
  repro.trace_hash = in.Hash("trace_hash");
  repro.shrunk = in.Text("shrunk");
  const std::optional<Verdict> verdict = VerdictFromName(in.Text("verdict"));
  if (!verdict) in.Fail("a verdict at \"verdict\"");
  Materialised materialised;
  if (in.Has("operations")) materialised.operations = in.Number<int64_t>("operations");
  absl::Status wrong;
  if (const Json* json_crash = in.Find("effect_crash")) {
    const absl::StatusOr<EffectCrash> crash = ReadEffectCrash(*json_crash);
    if (crash.ok()) materialised.effect_crash = *crash;
    wrong = crash.status();
  }
  in.ForEach("faults", [&](const Json& item) {
    absl::StatusOr<faults::FaultOrder> order = ReadOrder(item, materialised.orders.size());
    if (order.ok()) materialised.orders.push_back(*std::move(order));
    if (!order.ok() && wrong.ok()) wrong = order.status();
    return true;
  });
  const std::vector<std::string> lines = in.Texts("scenario");
  const std::string scenario_file = in.Text("scenario_file");
  if (!in.status().ok()) return in.status();
  if (!wrong.ok()) return wrong;
  absl::StatusOr<Scenario> scenario = ReadScenario(file, lines, context);
  if (!scenario.ok()) return scenario.status();
  repro.verdict = *verdict;
  repro.run = *std::move(scenario);
  repro.run.file = scenario_file;
  repro.run.materialised = std::move(materialised);
  return repro;
}

}  // namespace

Repro ReproOf(Scenario run, const SeedResult& result, std::string mutant, std::string build) {
  Repro repro{.run = std::move(run),
              .seed = result.seed,
              .mutant = std::move(mutant),
              .build = std::move(build),
              .verdict = result.verdict,
              .signature = result.signature,
              .invariants = {},
              .trace_hash = result.trace_hash,
              .shrunk = ""};
  for (const Violation& violation : result.violations) {
    repro.invariants.push_back(violation.invariant);
  }
  return repro;
}

std::string ReproJson(const Repro& repro) {
  Json faults = Json::array();
  for (const faults::FaultOrder& order : repro.run.materialised->orders) {
    faults.push_back(JsonOf(order));
  }
  std::vector<std::string> lines = absl::StrSplit(ResolvedYaml(repro.run), '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  Json json = {{"repro_version", kReproVersion},
               {"build", repro.build},
               {"mutant", repro.mutant},
               {"scenario_file", repro.run.file},
               {"seed", repro.seed},
               {"verdict", VerdictName(repro.verdict)},
               {"signature", repro.signature},
               {"invariants", repro.invariants},
               {"trace_hash", FormatHash(repro.trace_hash)},
               {"shrunk", repro.shrunk},
               {"faults", std::move(faults)}};
  const Materialised& materialised = *repro.run.materialised;
  if (materialised.operations) json["operations"] = *materialised.operations;
  if (materialised.effect_crash) json["effect_crash"] = JsonOf(*materialised.effect_crash);
  json["scenario"] = lines;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Repro> ParseRepro(const std::string& file, std::string_view text,
                                 const LoadContext& context) {
  const Json json = Json::parse(text, nullptr, false);
  absl::StatusOr<Repro> repro = json.is_discarded()
                                    ? absl::StatusOr<Repro>(absl::InvalidArgumentError(
                                          "expected JSON, as `highwater run` writes it"))
                                    : ReadRepro(file, json, context);
  if (repro.ok()) return repro;
  return absl::InvalidArgumentError(fmt::format("{}: {}", file, TextOf(repro.status())));
}

absl::StatusOr<Repro> LoadRepro(const std::string& file, const LoadContext& context) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    return absl::InvalidArgumentError(fmt::format("{}: cannot be read", file));
  }
  return ParseRepro(file, text.str(), context);
}

}  // namespace highwater::scenarios
