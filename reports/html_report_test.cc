#include "reports/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "reports/lanes.h"
#include "reports/log_table.h"
#include "reports/story.h"

namespace highwater::reports {
namespace {

using scenarios::CampaignResult;
using scenarios::ExitCode;
using scenarios::Timeline;
using scenarios::TimelineEvent;
using scenarios::TimelineHostKind;
using scenarios::Verdict;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Kind = scenarios::TimelineKind;

absl::Duration Ms(int64_t ms) { return absl::Milliseconds(ms); }

// Record 57 is stored by both brokers, acknowledged by broker-0, and lost with broker-1's power.
Timeline ALostRecord() {
  Timeline timeline;
  timeline.hosts = {{"broker-0", "az-a", TimelineHostKind::kBroker},
                    {"broker-1", "az-b", TimelineHostKind::kBroker},
                    {"producer-0", "az-a", TimelineHostKind::kClient}};
  timeline.partitions = {"orders-0"};
  timeline.names = {"Produce", "acked", "broker-1 <loses> power", "acked-durable"};
  const auto add = [&](TimelineEvent event) {
    if (event.until < event.at) event.until = event.at;
    timeline.events.push_back(std::move(event));
  };
  add({.at = Ms(10), .kind = Kind::kLeads, .host = 0, .partition = 0, .to = 0, .epoch = 5});
  add({.at = Ms(90),
       .until = Ms(120),
       .kind = Kind::kSend,
       .host = 2,
       .partition = 0,
       .name = 1,
       .from = 57});
  add({.at = Ms(91),
       .until = Ms(95),
       .kind = Kind::kMessage,
       .host = 2,
       .peer = 0,
       .name = 0,
       .to = 300});
  add({.at = Ms(100),
       .kind = Kind::kAppended,
       .host = 0,
       .partition = 0,
       .from = 0,
       .to = 58,
       .epoch = 5});
  add({.at = Ms(110),
       .kind = Kind::kAppended,
       .host = 1,
       .partition = 0,
       .from = 0,
       .to = 58,
       .epoch = 5});
  add({.at = Ms(114),
       .kind = Kind::kHighWatermark,
       .host = 0,
       .partition = 0,
       .to = 58,
       .epoch = 5});
  add({.at = Ms(115),
       .kind = Kind::kAcknowledged,
       .host = 0,
       .partition = 0,
       .from = 57,
       .to = 58,
       .epoch = 5});
  add({.at = Ms(200), .until = Ms(900), .kind = Kind::kFault, .name = 2, .brokers = {1}});
  add({.at = Ms(200), .kind = Kind::kDown, .host = 1});
  add({.at = Ms(5000), .kind = Kind::kLoaded, .host = 1, .partition = 0, .from = 0, .to = 57});
  add({.at = Ms(5100), .kind = Kind::kLeads, .host = 1, .partition = 0, .to = 57, .epoch = 6});
  add({.at = Ms(5100), .kind = Kind::kViolation, .partition = 0, .name = 3, .from = 57});
  add({.at = Ms(9000), .kind = Kind::kUp, .host = 1});
  return timeline;
}

CampaignResult ACampaign() {
  CampaignResult campaign;
  campaign.scenarios.push_back({.name = "az-<loss>",
                                .file = "az-loss.yaml",
                                .about = "",
                                .resolved_yaml = "name: <script>alert(1)</script>"});
  campaign.scenarios[0].cases = 3;
  campaign.scenarios[0].verdicts[static_cast<size_t>(Verdict::kViolated)] = 1;
  campaign.scenarios[0].ledger = {{.kind = "power_loss", .requested = 3, .applied = 3}};
  campaign.guarantees = {{.invariant = "acked-durable", .sentence = "Nothing is lost."},
                         {.invariant = "phantom", .sentence = "Nothing is invented."}};
  campaign.guarantees[0].checks = 1234;
  campaign.guarantees[0].seeds_checked = 3;
  campaign.guarantees[0].seeds_violated = 1;
  campaign.marks = {{"fenced_fetch", 3}, {"torn_tail", 0}};
  campaign.cases = 3;
  campaign.exit_code = ExitCode::kViolated;
  scenarios::SignatureGroup group{
      .signature = "acked-durable/power_loss", .count = 1, .seeds = {7}};
  group.first.result = {.scenario = "az-loss", .seed = 7, .verdict = Verdict::kViolated};
  group.first.result.violations.push_back(
      {.invariant = "acked-durable",
       .sentence = "a record is gone.",
       .chain = {{.at = Ms(115), .actor = "broker-0", .decisive = "acknowledged here"}},
       .at = Ms(5100)});
  group.first.result.timeline = ALostRecord();
  campaign.groups.push_back(std::move(group));
  return campaign;
}

TEST(HtmlReportTest, SaysTheVerdictTheGuaranteesTheFaultsAndTheMarks) {
  const std::string html = HtmlReport(ACampaign(), {.command = {"highwater", "run"}}, {.id = "4f"});
  EXPECT_THAT(html, AllOf(HasSubstr("1 guarantee was broken, in 1 of 3 seeds."), HasSubstr("1 234"),
                          HasSubstr("never exercised"), HasSubstr("power_loss"),
                          HasSubstr("<b>Never:</b> torn_tail"),
                          HasSubstr("highwater replay az-loss.yaml --seed 7")));
}

TEST(HtmlReportTest, NothingOfAWorldBecomesMarkupAndNothingIsFetched) {
  const std::string html = HtmlReport(ACampaign(), {}, {});
  EXPECT_THAT(html, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("az-<loss>")),
                          Not(HasSubstr("<loses>")), HasSubstr("broker-1 &lt;loses&gt; power")));
  EXPECT_THAT(html, AllOf(Not(HasSubstr("style=")), Not(HasSubstr("src=")), Not(HasSubstr("<link")),
                          Not(HasSubstr("url(http"))));
}

TEST(StoryTest, TellsWhatBecameOfTheRecordAndEndsWithTheViolation) {
  const CampaignResult campaign = ACampaign();
  const auto& result = campaign.groups[0].first.result;
  const Story story = TellStory(result.timeline, result.violations);
  std::vector<std::string> texts;
  for (const StoryRow& row : story.rows) texts.push_back(row.text);
  EXPECT_EQ(texts,
            (std::vector<std::string>{
                "leads from offset 0, leader epoch 5", "sends what becomes record 57 (acked)",
                "Produce to broker-0", "appends records 0..57, leader epoch 5",
                "appends records 0..57, leader epoch 5", "high watermark 58",
                "acknowledges record 57, leader epoch 5", "broker-1 <loses> power", "is down",
                "opens its log: log end offset 57", "leads from offset 57, leader epoch 6",
                "acked-durable"}));
  EXPECT_EQ(story.rows[3].caused_by_row, 2);
  EXPECT_EQ(story.rows[6].decisive, "acknowledged here");
  EXPECT_EQ(story.lanes, (std::vector<int32_t>{0, 1, 2}));
  EXPECT_THAT(LanesSvg(story), AllOf(HasSubstr("⋮ 4.8 s"), HasSubstr("marker-end"),
                                     HasSubstr("VIOLATION  acked-durable")));
}

// A retried record may take the offset of the one that was lost, though it was sent before that.
TEST(StoryTest, LeavesOutTheRecordThatCameInstead) {
  Timeline timeline = ALostRecord();
  TimelineEvent instead = timeline.events[1];
  instead.until = Ms(6000);
  timeline.events.insert(timeline.events.begin() + 2, instead);
  const Story story = TellStory(timeline, {});
  const auto sends = std::count_if(story.rows.begin(), story.rows.end(), [](const StoryRow& row) {
    return row.event->kind == Kind::kSend;
  });
  EXPECT_EQ(sends, 1);
}

TEST(LogTableTest, ShowsWhoHeldTheRecordBeforeAndAfter) {
  const Timeline timeline = ALostRecord();
  const LogTable before = LogsAt(timeline, 0, 7);
  EXPECT_EQ(before.committed, 58);
  EXPECT_EQ(before.replicas.at(0).EpochAt(57), 5);
  EXPECT_EQ(before.replicas.at(1).EpochAt(57), 5);
  EXPECT_EQ(before.replicas.at(1).EpochAt(58), std::nullopt);
  const LogTable after = LogsAt(timeline, 0, timeline.events.size());
  EXPECT_EQ(after.replicas.at(0).EpochAt(57), 5);
  EXPECT_EQ(after.replicas.at(1).EpochAt(57), std::nullopt);
  EXPECT_EQ(after.replicas.at(1).EpochAt(56), 5);
}

}  // namespace
}  // namespace highwater::reports
