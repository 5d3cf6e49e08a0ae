#include "reports/json_text.h"
#include "reports/result_json.h"

namespace highwater::reports {
namespace {

using scenarios::CampaignResult;
using scenarios::MarkCount;

Json Entry(const ListEntry& entry) {
  Json json = {{"name", entry.name}};
  for (const auto& [key, value] : entry.fields) json[key] = value;
  if (!entry.parts.empty()) {
    json["parameters"] = Json::array();
    for (const ListEntry& part : entry.parts) json["parameters"].push_back(Entry(part));
  }
  return json;
}
}  // namespace

std::string RunJson(const RunInfo& run, const CampaignResult& campaign, const BuildInfo& build,
                    bool finished) {
  Json files = Json::array();
  for (const auto& s : campaign.scenarios) {
    files.push_back({{"scenario", s.name},
                     {"file", s.file},
                     {"about", s.about},
                     {"expect", s.expect},
                     {"faults_on_timeline", s.faults_on_timeline},
                     {"faults_at_random", s.faults_at_random},
                     {"resolved", s.resolved_yaml}});
  }
  Json guarantees = Json::array();
  for (const scenarios::GuaranteeSummary& g : campaign.guarantees) {
    guarantees.push_back({{"invariant", g.invariant}, {"sentence", g.sentence}});
  }
  Json marks = Json::array();
  for (const MarkCount& m : campaign.marks) marks.push_back(m.name);
  return Dump({{"schema_version", kSchemaVersion},
               {"command", run.command},
               {"started", run.started},
               {"host", run.host},
               {"build", Build(build)},
               {"seeds", run.seeds},
               {"shard", run.shard},
               {"workers", campaign.workers},
               {"scenarios", files},
               {"guarantees", guarantees},
               {"marks", marks},
               {"finished", finished},
               {"interrupted", campaign.interrupted},
               {"stopped_at_failures", campaign.stopped_at_failures},
               {"elapsed_s", Seconds(campaign.elapsed)},
               {"exit", static_cast<int>(campaign.exit_code)}},
              2);
}

std::string ListJson(std::string_view what, const std::vector<ListEntry>& entries) {
  Json list = Json::array();
  for (const ListEntry& entry : entries) list.push_back(Entry(entry));
  return Dump({{"schema_version", kSchemaVersion}, {std::string(what), list}}, 2);
}

}  // namespace highwater::reports
