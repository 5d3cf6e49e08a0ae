#include "scenarios/load_claims.h"

#include <algorithm>
#include <array>
#include <set>

#include "scenarios/map_reader.h"
#include "scenarios/quantity.h"
#include "scenarios/yaml_tree.h"

namespace highwater::scenarios {
namespace {

constexpr int64_t kFormatVersion = 1;

absl::StatusOr<std::string> ParseText(std::string_view text) { return std::string(text); }

absl::StatusOr<std::optional<absl::Duration>> ParseMost(std::string_view text) {
  absl::StatusOr<absl::Duration> duration = ParseDuration(text);
  if (!duration.ok()) return duration.status();
  return *duration;
}

// `words` in the order of the enumeration's values, from the one behind "says nothing".
template <typename Claimed>
auto OneOfWords(std::vector<std::string_view> words) {
  return [words = std::move(words)](std::string_view text) -> absl::StatusOr<Claimed> {
    const auto found = std::find(words.begin(), words.end(), text);
    if (found != words.end()) return static_cast<Claimed>(found - words.begin() + 1);
    return absl::InvalidArgumentError(fmt::format(
        "expected {}, got \"{}\"{}", fmt::join(words, " or "), text, DidYouMean(text, words)));
  };
}

class ClaimsReader {
 public:
  ClaimsReader(std::string_view file, const std::vector<std::string_view>& known,
               const std::vector<std::string_view>& expected)
      : sink_(file), known_(known), expected_(expected) {}

  LoadedClaims Load(std::string_view text) {
    YamlDocument document = ParseYaml(text);
    for (Diagnostic& diagnostic : document.diagnostics) sink_.Add(std::move(diagnostic));
    if (document.diagnostics.empty()) ReadRoot(document.root);
    LoadedClaims loaded;
    if (!sink_.HasErrors()) loaded.claims = std::move(claims_);
    loaded.diagnostics = sink_.Take();
    return loaded;
  }

 private:
  void ReadRoot(const YamlNode& root) {
    MapReader map(root, "the claims", sink_);
    if (root.kind != YamlNode::Kind::kMap) return;
    int64_t version = 0;
    const YamlNode* node = map.ReadRequired("highwater_claims", "1", ParseCount, version);
    if (node != nullptr && version != kFormatVersion) {
      sink_.Error(*node, fmt::format("highwater_claims: this program reads version {}, got {}",
                                     kFormatVersion, node->scalar));
    }
    map.ReadRequired("document", "the product document", ParseText, claims_.document);
    if (const YamlNode* sections = map.Require("sections", "a list")) {
      for (const YamlNode& item : ListItems(*sections, "sections", sink_)) ReadSection(item);
    }
    if (const YamlNode* unmeasured = map.Find("unmeasured")) {
      claims_.unmeasured = ListWords(*unmeasured, "unmeasured", sink_);
    }
    map.Finish();
    for (const std::string_view scenario : expected_) {
      if (!used_.contains(scenario)) {
        sink_.Error(root, fmt::format("the scenario {} is in no case", scenario));
      }
    }
  }

  void ReadSection(const YamlNode& node) {
    MapReader map(node, "a section", sink_);
    ClaimSection section;
    map.ReadRequired("title", "Leader switches", ParseText, section.title);
    map.Read("about", ParseText, section.about);
    if (const YamlNode* claims = map.Require("claims", "a list")) {
      for (const YamlNode& item : ListItems(*claims, "claims", sink_)) {
        section.claims.push_back(ReadClaim(item));
      }
    }
    map.Finish();
    claims_.sections.push_back(std::move(section));
  }

  Claim ReadClaim(const YamlNode& node) {
    MapReader map(node, "a claim", sink_);
    Claim claim;
    map.ReadRequired("title", "3 replicas, acks=all", ParseText, claim.title);
    map.ReadRequired("where", "lines 1572-1584", ParseText, claim.where);
    map.ReadRequired("says", "Tolerates one broker failure.", ParseText, claim.says);
    if (const YamlNode* cases = map.Require("cases", "a list")) {
      for (const YamlNode& item : ListItems(*cases, "cases", sink_)) {
        claim.cases.push_back(ReadCase(item));
      }
    }
    map.Finish();
    return claim;
  }

  ClaimCase ReadCase(const YamlNode& node) {
    MapReader map(node, "a case", sink_);
    ClaimCase result;
    const YamlNode* name =
        map.ReadRequired("scenario", "3-all-2-crash", ParseText, result.scenario);
    if (name != nullptr) NoticeScenario(*name);
    const auto parse_writes = OneOfWords<ClaimedWrites>({"all", "some", "none"});
    map.Read("loss", OneOfWords<ClaimedLoss>({"none", "possible"}), result.loss);
    map.Read("writes", parse_writes, result.writes);
    map.Read("cut_off_writes", parse_writes, result.cut_off_writes);
    map.Read("time_to_leader", ParseMost, result.time_to_leader);
    map.Read("produce_latency", ParseMost, result.produce_latency);
    map.Read("note", ParseText, result.note);
    map.Finish();
    return result;
  }

  void NoticeScenario(const YamlNode& name) {
    const auto found = std::find(known_.begin(), known_.end(), name.scalar);
    if (found != known_.end()) {
      used_.insert(*found);
      return;
    }
    sink_.Error(name, fmt::format("scenario: there is no {} in this folder{}", DescribeYaml(name),
                                  DidYouMean(name.scalar, known_)));
  }

  DiagnosticSink sink_;
  const std::vector<std::string_view>& known_;
  const std::vector<std::string_view>& expected_;
  std::set<std::string_view> used_;
  Claims claims_;
};

}  // namespace

LoadedClaims LoadClaims(std::string_view file, std::string_view text,
                        const std::vector<std::string_view>& known,
                        const std::vector<std::string_view>& expected) {
  return ClaimsReader(file, known, expected).Load(text);
}

}  // namespace highwater::scenarios
