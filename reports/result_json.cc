#include "reports/result_json.h"

#include <fmt/format.h>

#include "reports/json_text.h"

namespace highwater::reports {
namespace {

using core::LatencyHistogram;
using scenarios::CampaignResult;
using scenarios::CaseResult;
using scenarios::ChainEvent;
using scenarios::FiredFault;
using scenarios::LedgerRow;
using scenarios::MarkCount;
using scenarios::SeedMetrics;
using scenarios::SeedResult;
using scenarios::Timeline;
using scenarios::TimelineEvent;
using scenarios::TimelineHost;
using scenarios::Violation;
using scenarios::ZoneTraffic;

// ---- between processes: arrays without keys, times as nanoseconds ----

Json Pack(const ChainEvent& e) {
  return Json::array({Nanos(e.at), static_cast<int>(e.kind), e.actor, e.text, e.note, e.decisive});
}
Json Pack(const LedgerRow& r) { return Json::array({r.kind, r.requested, r.applied, r.observed}); }
Json Pack(const MarkCount& m) { return Json::array({m.name, m.count}); }
Json Pack(const FiredFault& f) { return Json::array({f.key, f.hit, f.other_hit, f.roles}); }
Json Pack(const ZoneTraffic& t) { return Json::array({t.from, t.to, t.bytes}); }

Json Pack(const TimelineHost& h) { return Json::array({h.name, h.zone, static_cast<int>(h.kind)}); }
Json Pack(const TimelineEvent& e) {
  return Json::array({Nanos(e.at), Nanos(e.until), static_cast<int>(e.kind), e.ended ? 1 : 0,
                      e.host, e.peer, e.partition, e.name, e.from, e.to, e.epoch, e.brokers});
}

Json Pack(const Violation& v);

template <typename Items>
Json PackList(const Items& items) {
  Json list = Json::array();
  for (const auto& item : items) list.push_back(Pack(item));
  return list;
}

Json Pack(const Violation& v) {
  return Json::array({v.invariant, v.sentence, v.witnesses, PackList(v.chain), Nanos(v.at)});
}

// The maximum, then index and count of each bucket.
Json Pack(const LatencyHistogram& h) {
  Json list = Json::array({Nanos(h.max())});
  for (const LatencyHistogram::Bucket& bucket : h.Buckets()) {
    list.push_back(bucket.index);
    list.push_back(bucket.count);
  }
  return list;
}

Json Pack(const SeedMetrics& m) {
  return Json::array({m.produced, m.acked, m.consumed, m.bytes_sent, m.events,
                      Pack(m.produce_latency), Pack(m.time_to_leader), Nanos(m.unavailable),
                      m.greatest_lag_records, PackList(m.traffic), m.lost, Pack(m.write_stall),
                      m.majority_writes.offered, m.majority_writes.written,
                      m.minority_writes.offered, m.minority_writes.written});
}

Json Pack(const Timeline& t) {
  return Json::array({PackList(t.hosts), t.partitions, t.names, PackList(t.events), t.left_out});
}

Json Pack(const SeedResult& r) {
  return Json::array({r.scenario, r.seed, static_cast<int>(r.verdict), r.signature, r.trace_hash,
                      r.strategy, PackList(r.violations), Nanos(r.simulated), Nanos(r.host),
                      Pack(r.metrics), PackList(r.ledger), PackList(r.marks), PackList(r.checks),
                      r.dump, r.history, Pack(r.timeline), PackList(r.fired), r.victim_effects});
}

// Reads the elements of an array one after the other; a wrong type or a missing element makes it
// not ok.
class Unpacker {
 public:
  explicit Unpacker(const Json& array) : array_(array), ok_(array.is_array()) {}

  void Text(std::string& out) {
    if (const Json* j = Next(); j != nullptr && j->is_string()) {
      out = j->get_ref<const std::string&>();
    } else {
      ok_ = false;
    }
  }
  template <typename Integer>
  void Number(Integer& out) {
    if (const Json* j = Next(); j != nullptr && j->is_number_integer()) {
      out = j->get<Integer>();
    } else {
      ok_ = false;
    }
  }
  void Flag(bool& out) {
    int value = 0;
    Number(value);
    out = value != 0;
  }
  void Time(absl::Duration& out) {
    int64_t nanos = 0;
    Number(nanos);
    out = absl::Nanoseconds(nanos);
  }
  template <typename Enum>
  void Choice(Enum& out, int limit) {
    int value = 0;
    Number(value);
    ok_ = ok_ && value >= 0 && value < limit;
    if (ok_) out = static_cast<Enum>(value);
  }
  void Numbers(std::vector<int32_t>& out) {
    ForEach([&](const Json& j) {
      if (j.is_number_integer()) out.push_back(j.get<int32_t>());
      return j.is_number_integer();
    });
  }
  void Texts(std::vector<std::string>& out) {
    ForEach([&](const Json& j) {
      if (j.is_string()) out.push_back(j.get<std::string>());
      return j.is_string();
    });
  }
  template <typename Item>
  void List(std::vector<Item>& out);
  template <typename Item>
  void One(Item& out);

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  const Json* Next() {
    if (!ok_ || index_ >= array_.size()) return nullptr;
    return &array_[index_++];
  }
  template <typename Visit>
  void ForEach(Visit visit) {
    const Json* list = Next();
    ok_ = list != nullptr && list->is_array();
    if (!ok_) return;
    for (const Json& j : *list) ok_ = ok_ && visit(j);
  }

  const Json& array_;
  size_t index_ = 0;
  bool ok_;
};

bool Unpack(const Json& json, ChainEvent& e) {
  Unpacker in(json);
  in.Time(e.at);
  in.Choice(e.kind, 3);
  in.Text(e.actor);
  in.Text(e.text);
  in.Text(e.note);
  in.Text(e.decisive);
  return in.ok();
}

bool Unpack(const Json& json, LedgerRow& r) {
  Unpacker in(json);
  in.Text(r.kind);
  in.Number(r.requested);
  in.Number(r.applied);
  in.Number(r.observed);
  return in.ok();
}

bool Unpack(const Json& json, MarkCount& m) {
  Unpacker in(json);
  in.Text(m.name);
  in.Number(m.count);
  return in.ok();
}

bool Unpack(const Json& json, FiredFault& f) {
  Unpacker in(json);
  in.Number(f.key);
  in.Text(f.hit);
  in.Text(f.other_hit);
  in.Texts(f.roles);
  return in.ok();
}

bool Unpack(const Json& json, Violation& v) {
  Unpacker in(json);
  in.Text(v.invariant);
  in.Text(v.sentence);
  in.Texts(v.witnesses);
  in.List(v.chain);
  in.Time(v.at);
  return in.ok();
}

bool Unpack(const Json& json, ZoneTraffic& t) {
  Unpacker in(json);
  in.Text(t.from);
  in.Text(t.to);
  in.Number(t.bytes);
  return in.ok();
}

bool Unpack(const Json& json, LatencyHistogram& h) {
  Unpacker in(json);
  absl::Duration max;
  in.Time(max);
  std::vector<LatencyHistogram::Bucket> buckets(json.is_array() ? json.size() / 2 : 0);
  for (LatencyHistogram::Bucket& bucket : buckets) {
    in.Number(bucket.index);
    in.Number(bucket.count);
  }
  if (!in.ok()) return false;
  std::optional<LatencyHistogram> made = LatencyHistogram::FromBuckets(buckets, max);
  if (made.has_value()) h = *std::move(made);
  return made.has_value();
}

bool Unpack(const Json& json, SeedMetrics& m) {
  Unpacker in(json);
  in.Number(m.produced);
  in.Number(m.acked);
  in.Number(m.consumed);
  in.Number(m.bytes_sent);
  in.Number(m.events);
  in.One(m.produce_latency);
  in.One(m.time_to_leader);
  in.Time(m.unavailable);
  in.Number(m.greatest_lag_records);
  in.List(m.traffic);
  in.Number(m.lost);
  in.One(m.write_stall);
  in.Number(m.majority_writes.offered);
  in.Number(m.majority_writes.written);
  in.Number(m.minority_writes.offered);
  in.Number(m.minority_writes.written);
  return in.ok();
}

bool Unpack(const Json& json, TimelineHost& h) {
  Unpacker in(json);
  in.Text(h.name);
  in.Text(h.zone);
  in.Choice(h.kind, scenarios::kTimelineHostKinds);
  return in.ok();
}

bool Unpack(const Json& json, TimelineEvent& e) {
  Unpacker in(json);
  in.Time(e.at);
  in.Time(e.until);
  in.Choice(e.kind, scenarios::kTimelineKinds);
  in.Flag(e.ended);
  in.Number(e.host);
  in.Number(e.peer);
  in.Number(e.partition);
  in.Number(e.name);
  in.Number(e.from);
  in.Number(e.to);
  in.Number(e.epoch);
  in.Numbers(e.brokers);
  return in.ok();
}

bool IsIndex(int32_t index, size_t size) {
  return index >= -1 && index < static_cast<int32_t>(size);
}

bool Unpack(const Json& json, Timeline& t) {
  Unpacker in(json);
  in.List(t.hosts);
  in.Texts(t.partitions);
  in.Texts(t.names);
  in.List(t.events);
  in.Number(t.left_out);
  for (const TimelineEvent& e : t.events) {
    const bool good = IsIndex(e.host, t.hosts.size()) && IsIndex(e.peer, t.hosts.size()) &&
                      IsIndex(e.partition, t.partitions.size()) && IsIndex(e.name, t.names.size());
    if (!good) return false;
    for (const int32_t broker : e.brokers) {
      if (!IsIndex(broker, t.hosts.size())) return false;
    }
  }
  return in.ok();
}

bool Unpack(const Json& json, SeedResult& r) {
  Unpacker in(json);
  in.Text(r.scenario);
  in.Number(r.seed);
  in.Choice(r.verdict, scenarios::kVerdicts);
  in.Text(r.signature);
  in.Number(r.trace_hash);
  in.Text(r.strategy);
  in.List(r.violations);
  in.Time(r.simulated);
  in.Time(r.host);
  in.One(r.metrics);
  in.List(r.ledger);
  in.List(r.marks);
  in.List(r.checks);
  in.Text(r.dump);
  in.Text(r.history);
  in.One(r.timeline);
  in.List(r.fired);
  in.Number(r.victim_effects);
  return in.ok();
}

template <typename Item>
void Unpacker::List(std::vector<Item>& out) {
  ForEach([&](const Json& j) { return Unpack(j, out.emplace_back()); });
}

template <typename Item>
void Unpacker::One(Item& out) {
  const Json* json = Next();
  ok_ = json != nullptr && Unpack(*json, out);
}

// ---- for machines ----

double Millis(absl::Duration d) { return static_cast<double>(Nanos(d)) / 1e6; }

// Of nothing there is no quantile: null, and not a time that looks excellent.
void AddQuantiles(const LatencyHistogram& h, const std::string& name, Json& out) {
  const auto value = [&](absl::Duration time) { return h.empty() ? Json() : Json(Millis(time)); };
  out[name + "_p50_ms"] = value(h.Quantile(50, 100));
  out[name + "_p99_ms"] = value(h.Quantile(99, 100));
  out[name + "_p999_ms"] = value(h.Quantile(999, 1000));
  out[name + "_max_ms"] = value(h.max());
}

Json Counts(const std::vector<MarkCount>& counts) {
  Json json = Json::object();
  for (const MarkCount& count : counts) json[count.name] = count.count;
  return json;
}

Json Metrics(const SeedMetrics& m) {
  Json json = {{"produced_records", m.produced},
               {"acked_records", m.acked},
               {"consumed_records", m.consumed},
               {"sent_bytes", m.bytes_sent},
               {"events", m.events}};
  AddQuantiles(m.produce_latency, "produce_latency", json);
  json["leaders_lost"] = m.time_to_leader.count();
  AddQuantiles(m.time_to_leader, "time_to_leader", json);
  json["unavailable_partition_s"] = Seconds(m.unavailable);
  json["greatest_follower_lag_records"] = m.greatest_lag_records;
  json["lost_records"] = m.lost;
  AddQuantiles(m.write_stall, "write_stall", json);
  const auto writes = [](const scenarios::WatchedWrites& w) {
    return Json{{"offered_partitions", w.offered}, {"written_partitions", w.written}};
  };
  if (m.majority_writes.offered > 0) json["majority_writes"] = writes(m.majority_writes);
  if (m.minority_writes.offered > 0) json["minority_writes"] = writes(m.minority_writes);
  Json traffic = Json::array();
  for (const ZoneTraffic& t : m.traffic) {
    traffic.push_back({{"from", t.from}, {"to", t.to}, {"bytes", t.bytes}});
  }
  json["zone_traffic"] = std::move(traffic);
  return json;
}

Json Ledger(const std::vector<LedgerRow>& ledger) {
  Json rows = Json::array();
  for (const LedgerRow& r : ledger) {
    rows.push_back({{"fault", r.kind},
                    {"requested", r.requested},
                    {"applied", r.applied},
                    {"observed", r.observed}});
  }
  return rows;
}

Json Scenario(const scenarios::ScenarioSummary& s) {
  Json verdicts = Json::object();
  for (int i = 0; i < scenarios::kVerdicts; ++i) {
    const auto verdict = static_cast<scenarios::Verdict>(i);
    if (s.Count(verdict) > 0)
      verdicts[std::string(scenarios::VerdictName(verdict))] = s.Count(verdict);
  }
  return {{"scenario", s.name},
          {"file", s.file},
          {"expect", s.expect},
          {"seeds", s.cases},
          {"verdicts", verdicts},
          {"violated", s.shown},
          {"faults", Ledger(s.ledger)},
          {"metrics", Metrics(s.totals)},
          {"simulated_s", Seconds(s.simulated)},
          {"host_s", Seconds(s.host)}};
}

Json Group(const CampaignResult& campaign, const scenarios::SignatureGroup& g) {
  return {{"scenario", campaign.scenarios[g.scenario].name},
          {"signature", g.signature},
          {"verdict", scenarios::VerdictName(g.first.result.verdict)},
          {"seeds", g.count},
          {"first_seeds", g.seeds},
          {"differs", g.first.differs}};
}

}  // namespace

std::string EncodeCase(const CaseResult& c) {
  const std::vector<uint8_t> bytes = Json::to_cbor(
      Json::array({c.scenario, Pack(c.result), c.run_twice ? 1 : 0, c.differs, c.died ? 1 : 0}));
  return std::string(bytes.begin(), bytes.end());
}

std::optional<SeedMetrics> DecodeMetrics(std::string_view exact) {
  SeedMetrics metrics;
  const Json json = Json::parse(exact, nullptr, false);
  if (!Unpack(json, metrics)) return std::nullopt;
  return metrics;
}

absl::StatusOr<CaseResult> DecodeCase(std::string_view bytes) {
  const Json json = Json::from_cbor(bytes.begin(), bytes.end(), true, false);
  CaseResult c;
  Unpacker in(json);
  in.Number(c.scenario);
  in.One(c.result);
  in.Flag(c.run_twice);
  in.Text(c.differs);
  in.Flag(c.died);
  if (!in.ok()) return absl::InvalidArgumentError("not a case's result");
  return c;
}

std::string ResultLine(const CaseResult& c) {
  const SeedResult& r = c.result;
  Json violated = Json::array();
  for (const Violation& v : r.violations) violated.push_back(v.invariant);
  Json line = {{"schema_version", kSchemaVersion},
               {"scenario", r.scenario},
               {"seed", r.seed},
               {"verdict", scenarios::VerdictName(r.verdict)},
               {"signature", r.signature},
               {"violated", violated},
               {"trace_hash", scenarios::FormatHash(r.trace_hash)},
               {"strategy", r.strategy},
               {"simulated_s", Seconds(r.simulated)},
               {"host_ms", Millis(r.host)},
               {"metrics", Metrics(r.metrics)},
               {"exact", Pack(r.metrics)},
               {"faults", Ledger(r.ledger)},
               {"marks", Counts(r.marks)},
               {"checks", Counts(r.checks)}};
  if (c.run_twice) line["run_twice"] = true;
  if (c.died) line["died"] = true;
  if (!c.differs.empty()) line["differs"] = c.differs;
  return Dump(line);
}

std::string SummaryJson(const CampaignResult& campaign, const BuildInfo& build) {
  Json scenario_list = Json::array();
  for (const auto& s : campaign.scenarios) scenario_list.push_back(Scenario(s));
  Json groups = Json::array();
  for (const auto& g : campaign.groups) groups.push_back(Group(campaign, g));
  Json findings = Json::array();
  for (const auto& f : campaign.findings) {
    findings.push_back(
        {{"exit", static_cast<int>(f.code)}, {"scenario", f.scenario}, {"text", f.text}});
  }
  Json guarantees = Json::array();
  for (const scenarios::GuaranteeSummary& g : campaign.guarantees) {
    guarantees.push_back({{"invariant", g.invariant},
                          {"checks", g.checks},
                          {"seeds_checked", g.seeds_checked},
                          {"seeds_violated", g.seeds_violated}});
  }
  return Dump({{"schema_version", kSchemaVersion},
               {"build", Build(build)},
               {"exit", static_cast<int>(campaign.exit_code)},
               {"interrupted", campaign.interrupted},
               {"stopped_at_failures", campaign.stopped_at_failures},
               {"seeds", campaign.cases},
               {"run_twice", campaign.run_twice},
               {"differing", campaign.differing},
               {"elapsed_s", Seconds(campaign.elapsed)},
               {"scenarios", scenario_list},
               {"signatures", groups},
               {"findings", findings},
               {"guarantees", guarantees},
               {"marks", Counts(campaign.marks)}},
              2);
}

}  // namespace highwater::reports
