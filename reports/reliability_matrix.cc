#include "reports/reliability_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "reports/binomial.h"
#include "reports/text.h"

namespace highwater::reports {
namespace {

using core::LatencyHistogram;
using scenarios::CampaignResult;
using scenarios::Claim;
using scenarios::ClaimCase;
using scenarios::ClaimedLoss;
using scenarios::ClaimedWrites;
using scenarios::ClaimSection;
using scenarios::ScenarioSummary;
using scenarios::SeedsThat;
using scenarios::WatchedSeeds;

constexpr std::array<std::string_view, kClaimVerdicts> kVerdictWords = {
    "–", "holds", "not seen", "partly", "**left out**", "**wrong**", "not run"};
constexpr std::array<std::string_view, 3> kLossWords = {"", "none", "possible"};
constexpr std::array<std::string_view, 4> kWritesWords = {"", "all", "some", "none"};

std::string_view WordOf(ClaimVerdict verdict) {
  return kVerdictWords[static_cast<size_t>(verdict)];
}

// A cell of a table: one line, no column marks.
std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c == '\n' ? ' ' : c;
  }
  return cell;
}

const SeedsThat& SeedsOf(const WatchedSeeds& seeds, ClaimedWrites kind) {
  return kind == ClaimedWrites::kAll    ? seeds.all
         : kind == ClaimedWrites::kSome ? seeds.some
                                        : seeds.none;
}

ClaimedWrites MostSeen(const WatchedSeeds& seeds) {
  ClaimedWrites most = ClaimedWrites::kAll;
  for (const ClaimedWrites kind : {ClaimedWrites::kSome, ClaimedWrites::kNone}) {
    if (SeedsOf(seeds, kind).count > SeedsOf(seeds, most).count) most = kind;
  }
  return most;
}

ClaimVerdict JudgeTime(const std::optional<absl::Duration>& claimed,
                       const LatencyHistogram& measured) {
  if (!claimed) return ClaimVerdict::kSilent;
  if (measured.empty()) return ClaimVerdict::kNotRun;
  return measured.Quantile(50, 100) <= *claimed ? ClaimVerdict::kHolds : ClaimVerdict::kWrong;
}

std::string MedianText(const LatencyHistogram& times) {
  if (times.empty()) return "–";
  return fmt::format("{} / {}", RoughTime(times.Quantile(50, 100)), RoughTime(times.max()));
}

std::string LossText(const ScenarioSummary& s) {
  std::string text = ShareText(s.lost.count, s.decided);
  if (s.totals.lost > 0) text += fmt::format(", {} records", Grouped(s.totals.lost));
  return text;
}

// `all: 198 of 200 (…)`: of what is claimed if it is claimed, else of what most runs showed.
std::string WritesText(ClaimedWrites claimed, const WatchedSeeds& seeds) {
  if (seeds.count() == 0) return "–";
  const ClaimedWrites most = MostSeen(seeds);
  const auto text = [&](ClaimedWrites kind) {
    return fmt::format("{}: {}", kWritesWords[static_cast<size_t>(kind)],
                       ShareText(SeedsOf(seeds, kind).count, seeds.count()));
  };
  if (claimed == ClaimedWrites::kSilent || claimed == most) return text(most);
  return text(claimed) + "; " + text(most);
}

// A case with what was measured of it, and what that says of the document.
struct Compared {
  const ClaimCase* said;
  const ScenarioSummary* measured;  // null: not run
  ClaimVerdict loss = ClaimVerdict::kNotRun;
  ClaimVerdict writes = ClaimVerdict::kNotRun;
  ClaimVerdict cut_off = ClaimVerdict::kNotRun;
  ClaimVerdict leader = ClaimVerdict::kNotRun;
  ClaimVerdict latency = ClaimVerdict::kNotRun;

  [[nodiscard]] ClaimVerdict Gravest() const {
    return std::max({loss, writes, cut_off, leader, latency});
  }
};

Compared Compare(const ClaimCase& said, const CampaignResult& campaign) {
  const auto found =
      std::find_if(campaign.scenarios.begin(), campaign.scenarios.end(),
                   [&](const ScenarioSummary& s) { return s.name == said.scenario; });
  if (found == campaign.scenarios.end() || found->decided == 0) {
    return {.said = &said, .measured = nullptr};
  }
  return {.said = &said,
          .measured = &*found,
          .loss = JudgeLoss(said.loss, *found),
          .writes = JudgeWrites(said.writes, found->majority_writes),
          .cut_off = JudgeWrites(said.cut_off_writes, found->minority_writes),
          .leader = JudgeTime(said.time_to_leader, found->totals.time_to_leader),
          .latency = JudgeTime(said.produce_latency, found->totals.produce_latency)};
}

std::string ReplayCommand(const ScenarioSummary& s, uint64_t seed) {
  return fmt::format("`highwater replay {} --seed {}`", s.file, seed);
}

// The first seed that is not as documented.
uint64_t SeedAgainst(ClaimedWrites claimed, const WatchedSeeds& seeds) {
  uint64_t first = UINT64_MAX;
  for (const ClaimedWrites kind :
       {ClaimedWrites::kAll, ClaimedWrites::kSome, ClaimedWrites::kNone}) {
    const SeedsThat& those = SeedsOf(seeds, kind);
    if (kind != claimed && those.count > 0) first = std::min(first, those.first);
  }
  return first;
}

// One whose times can be looked at.
uint64_t AnySeed(const ScenarioSummary& s) {
  const uint64_t watched = SeedAgainst(ClaimedWrites::kSilent, s.majority_writes);
  return watched == UINT64_MAX ? std::max<uint64_t>(s.lost.first, 1) : watched;
}

// Sentences on where the document and the runs part, each with a seed that shows it.
std::vector<std::string> Differences(const Compared& c) {
  std::vector<std::string> list;
  if (c.measured == nullptr) return list;
  const ScenarioSummary& s = *c.measured;
  if (c.loss == ClaimVerdict::kWrong || c.loss == ClaimVerdict::kLeftOut) {
    list.push_back(fmt::format("records are lost in {} runs: {}",
                               ShareText(s.lost.count, s.decided), ReplayCommand(s, s.lost.first)));
  }
  const auto add_writes = [&](ClaimVerdict verdict, ClaimedWrites claimed,
                              const WatchedSeeds& seeds, std::string_view whose) {
    if (verdict != ClaimVerdict::kWrong) return;
    const ClaimedWrites most = MostSeen(seeds);
    list.push_back(fmt::format("{} write to {} of the partitions, not to {}, in {} runs: {}", whose,
                               kWritesWords[static_cast<size_t>(most)],
                               kWritesWords[static_cast<size_t>(claimed)],
                               ShareText(SeedsOf(seeds, most).count, seeds.count()),
                               ReplayCommand(s, SeedAgainst(claimed, seeds))));
  };
  add_writes(c.writes, c.said->writes, s.majority_writes, "clients");
  add_writes(c.cut_off, c.said->cut_off_writes, s.minority_writes, "clients that are cut off");
  const auto add_time = [&](ClaimVerdict verdict, const std::optional<absl::Duration>& claimed,
                            const LatencyHistogram& times, std::string_view what) {
    if (verdict != ClaimVerdict::kWrong) return;
    list.push_back(fmt::format("{}: half take more than {}, where at most {} is claimed: {}", what,
                               RoughTime(times.Quantile(50, 100)), RoughTime(*claimed),
                               ReplayCommand(s, AnySeed(s))));
  };
  add_time(c.leader, c.said->time_to_leader, s.totals.time_to_leader, "time to a leader");
  add_time(c.latency, c.said->produce_latency, s.totals.produce_latency, "acknowledgements");
  return list;
}

std::string Versus(std::string_view said, std::string_view measured) {
  return fmt::format("{} | {}", said.empty() ? "–" : said, measured);
}

std::string LineOf(const Compared& c) {
  if (c.measured == nullptr) {
    return fmt::format("| {} | – | – | – | – | – | – | – | {} |\n", c.said->scenario,
                       WordOf(ClaimVerdict::kNotRun));
  }
  const ScenarioSummary& s = *c.measured;
  std::string writes = WritesText(c.said->writes, s.majority_writes);
  std::string said(kWritesWords[static_cast<size_t>(c.said->writes)]);
  if (s.minority_writes.count() > 0) {
    writes += "; cut off: " + WritesText(c.said->cut_off_writes, s.minority_writes);
  }
  if (c.said->cut_off_writes != ClaimedWrites::kSilent) {
    said += fmt::format("; cut off: {}", kWritesWords[static_cast<size_t>(c.said->cut_off_writes)]);
  }
  return fmt::format(
      "| {} ([{}]({})) | {} | {} | {} | {} | {} | {} |\n", Cell(s.about), s.name, "../" + s.file,
      Versus(kLossWords[static_cast<size_t>(c.said->loss)], LossText(s)), Versus(said, writes),
      MedianText(s.totals.time_to_leader), MedianText(s.totals.write_stall),
      MedianText(s.totals.produce_latency), WordOf(c.Gravest()));
}

constexpr std::string_view kReading =
    "**Loss** counts runs in which a record is gone of which its producer was told that it is "
    "sent. "
    "**Writes**: while the fault lasts and the cluster has had time to react, into how many of the "
    "partitions that were offered records at least one was acknowledged; by clients that exchange "
    "messages with at least half of all hosts, and by those that are cut off. **Time to leader** "
    "is from the loss of a partition's leader to one that can serve, **stall** the longest time "
    "that a partition answered nobody, **latency** that of acknowledged records: half of them / "
    "the longest. Bounds in parentheses are exact binomial ones at 95 %; where all runs agree, "
    "one-sided (none of n: about 3/n).\n\n"
    "*holds*: as documented. *not seen*: the document allows a loss that no run showed. *partly*: "
    "more than a twentieth of the runs, but not all others, are as documented. *left out*: records "
    "are lost, and the document does not say so. *wrong*: the runs contradict the document. Timers "
    "are short (a ZooKeeper session of 3 s, `replica.lag.time.max.ms` 2 s) unless the scenario "
    "says otherwise: times scale with them.\n";

class MatrixWriter {
 public:
  MatrixWriter(const scenarios::Claims& claims, const CampaignResult& campaign)
      : claims_(claims), campaign_(campaign) {
    matrix_.cases.resize(kClaimVerdicts);
  }

  ReliabilityMatrix Write(const BuildInfo& build) {
    std::string body;
    for (const ClaimSection& section : claims_.sections) body += Section(section);
    std::string differences;
    for (const std::string& line : differences_) differences += line;
    matrix_.markdown = fmt::format(
        "# What the document promises, and what was measured\n\n"
        "Written by `highwater run scenarios/reliability-matrix --matrix FILE`; not by hand. "
        "{} runs of {} scenarios on build {}. The document: {}.\n\n{}\n\n{}\n"
        "## Where the document is wrong, or leaves a loss out\n\n{}\n{}{}",
        Grouped(campaign_.cases), campaign_.scenarios.size(), build.id, claims_.document,
        MatrixLine(matrix_), kReading, differences.empty() ? "Nowhere.\n" : differences, body,
        Unmeasured());
    return std::move(matrix_);
  }

 private:
  std::string Section(const ClaimSection& section) {
    std::string text = fmt::format("## {}\n\n", section.title);
    if (!section.about.empty()) text += section.about + "\n\n";
    for (const Claim& claim : section.claims) text += OneClaim(claim);
    return text;
  }

  std::string OneClaim(const Claim& claim) {
    std::string text = fmt::format(
        "### {}\n\nThe document ({}): {}\n\n"
        "| situation | loss: document | loss: measured | writes: document | writes: measured | "
        "time to leader | stall | latency | |\n|---|---|---|---|---|---|---|---|---|\n",
        claim.title, claim.where, claim.says);
    std::string notes;
    for (const ClaimCase& said : claim.cases) {
      const Compared compared = Compare(said, campaign_);
      ++matrix_.cases[static_cast<size_t>(compared.Gravest())];
      text += LineOf(compared);
      if (!said.note.empty()) notes += fmt::format("- `{}`: {}\n", said.scenario, said.note);
      for (const std::string& difference : Differences(compared)) {
        differences_.push_back(
            fmt::format("- **{}**, `{}`: {}\n", claim.title, said.scenario, difference));
      }
    }
    return text + (notes.empty() ? "" : "\n" + notes) + "\n";
  }

  std::string Unmeasured() const {
    if (claims_.unmeasured.empty()) return "";
    std::string text = "## Not in the matrix\n\n";
    for (const std::string& line : claims_.unmeasured) text += fmt::format("- {}\n", line);
    return text;
  }

  const scenarios::Claims& claims_;
  const CampaignResult& campaign_;
  ReliabilityMatrix matrix_;
  std::vector<std::string> differences_;
};

}  // namespace

ClaimVerdict JudgeLoss(ClaimedLoss claimed, const ScenarioSummary& measured) {
  const bool lost = measured.lost.count > 0;
  switch (claimed) {
    case ClaimedLoss::kSilent:
      return lost ? ClaimVerdict::kLeftOut : ClaimVerdict::kSilent;
    case ClaimedLoss::kNone:
      return lost ? ClaimVerdict::kWrong : ClaimVerdict::kHolds;
    case ClaimedLoss::kPossible:
      return lost ? ClaimVerdict::kHolds : ClaimVerdict::kNotSeen;
  }
  return ClaimVerdict::kSilent;
}

ClaimVerdict JudgeWrites(ClaimedWrites claimed, const WatchedSeeds& measured) {
  if (claimed == ClaimedWrites::kSilent) return ClaimVerdict::kSilent;
  if (measured.count() == 0) return ClaimVerdict::kNotRun;
  const uint64_t as_claimed = SeedsOf(measured, claimed).count;
  if (20 * as_claimed >= 19 * measured.count()) return ClaimVerdict::kHolds;
  return 20 * as_claimed <= measured.count() ? ClaimVerdict::kWrong : ClaimVerdict::kPartly;
}

ReliabilityMatrix MakeReliabilityMatrix(const scenarios::Claims& claims,
                                        const CampaignResult& campaign, const BuildInfo& build) {
  return MatrixWriter(claims, campaign).Write(build);
}

std::string MatrixLine(const ReliabilityMatrix& matrix) {
  const auto count = [&](ClaimVerdict verdict) {
    return matrix.cases[static_cast<size_t>(verdict)];
  };
  uint64_t all = 0;
  for (const uint64_t cases : matrix.cases) all += cases;
  return fmt::format(
      "{} situations: in {} the document holds, in {} it holds partly, in {} the loss that it "
      "allows was not seen, in {} it is wrong, in {} it leaves a loss out; {} only measured, {} "
      "not run.",
      all, count(ClaimVerdict::kHolds), count(ClaimVerdict::kPartly), count(ClaimVerdict::kNotSeen),
      count(ClaimVerdict::kWrong), count(ClaimVerdict::kLeftOut), count(ClaimVerdict::kSilent),
      count(ClaimVerdict::kNotRun));
}

}  // namespace highwater::reports
