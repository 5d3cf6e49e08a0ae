#include "reports/perfetto/trace_writer.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "reports/perfetto/trace.pb.h"

namespace highwater::reports {
namespace {

constexpr uint32_t kSequence = 1;
constexpr uint32_t kCleared = 1;
constexpr uint32_t kNeedsState = 2;
constexpr int32_t kExplicitChildren = 3;
constexpr int32_t kExplicitProcesses = 1;
constexpr int32_t kMergeByName = 1;
constexpr int32_t kUnitCount = 2;

// A Trace of one packet: such bytes one behind the other are a Trace of all of them.
void AppendPacket(perfetto::TracePacket packet, std::string& out) {
  packet.set_trusted_packet_sequence_id(kSequence);
  perfetto::Trace trace;
  *trace.add_packet() = std::move(packet);
  trace.AppendToString(&out);
}

}  // namespace

TraceWriter::TraceWriter() {
  perfetto::TracePacket root;
  root.set_first_packet_on_sequence(true);
  root.mutable_track_descriptor()->set_uuid(0);
  root.mutable_track_descriptor()->set_process_ordering(kExplicitProcesses);
  AppendPacket(std::move(root), descriptors_);
}

Track TraceWriter::AddProcess(int32_t pid, std::string_view name) {
  perfetto::TracePacket packet;
  perfetto::TrackDescriptor& track = *packet.mutable_track_descriptor();
  track.set_uuid(next_uuid_++);
  track.mutable_process()->set_pid(pid);
  track.mutable_process()->set_process_name(std::string(name));
  track.set_child_ordering(kExplicitChildren);
  track.set_sibling_order_rank(processes_++);
  const uint64_t uuid = track.uuid();
  AppendPacket(std::move(packet), descriptors_);
  return {uuid};
}

Track TraceWriter::AddTrack(Track parent, std::string_view name) {
  perfetto::TracePacket packet;
  perfetto::TrackDescriptor& track = *packet.mutable_track_descriptor();
  track.set_uuid(next_uuid_++);
  track.set_parent_uuid(parent.uuid);
  track.set_name(std::string(name));
  track.set_child_ordering(kExplicitChildren);
  track.set_sibling_order_rank(children_[parent.uuid]++);
  track.set_sibling_merge_behavior(kMergeByName);
  const uint64_t uuid = track.uuid();
  AppendPacket(std::move(packet), descriptors_);
  return {uuid};
}

Track TraceWriter::AddCounter(Track parent, std::string_view name) {
  perfetto::TracePacket packet;
  perfetto::TrackDescriptor& track = *packet.mutable_track_descriptor();
  track.set_uuid(next_uuid_++);
  track.set_parent_uuid(parent.uuid);
  track.set_name(std::string(name));
  track.set_sibling_order_rank(children_[parent.uuid]++);
  track.mutable_counter()->set_unit(kUnitCount);
  const uint64_t uuid = track.uuid();
  AppendPacket(std::move(packet), descriptors_);
  return {uuid};
}

TraceWriter::Event& TraceWriter::Add(Track track, absl::Duration at, Type type) {
  events_.push_back({.at = absl::ToInt64Nanoseconds(at), .type = type, .track = track.uuid});
  return events_.back();
}

uint32_t TraceWriter::IndexOf(std::string_view name,
                              std::map<std::string, uint32_t, std::less<>>& known,
                              std::vector<std::string>& names) {
  auto place = known.find(name);
  if (place == known.end()) {
    place = known.emplace(name, static_cast<uint32_t>(names.size())).first;
    names.emplace_back(name);
  }
  return place->second;
}

std::vector<std::pair<uint32_t, Annotation>> TraceWriter::Intern(Annotations about) {
  std::vector<std::pair<uint32_t, Annotation>> result;
  for (Annotation& annotation : about) {
    const uint32_t index = IndexOf(annotation.name, annotation_indices_, annotation_names_);
    result.emplace_back(index, std::move(annotation));
  }
  return result;
}

void TraceWriter::Begin(Track track, absl::Duration at, std::string_view name, Annotations about) {
  Event& event = Add(track, at, Type::kBegin);
  event.name = IndexOf(name, name_indices_, names_);
  event.about = Intern(std::move(about));
}

void TraceWriter::End(Track track, absl::Duration at) { Add(track, at, Type::kEnd); }

void TraceWriter::Instant(Track track, absl::Duration at, std::string_view name, Annotations about,
                          uint64_t flow, bool ends) {
  Event& event = Add(track, at, Type::kInstant);
  event.name = IndexOf(name, name_indices_, names_);
  event.about = Intern(std::move(about));
  event.flow = flow;
  event.flow_ends = ends;
}

void TraceWriter::Count(Track track, absl::Duration at, int64_t value) {
  Add(track, at, Type::kCount).value = value;
}

std::string TraceWriter::Finish() {
  std::stable_sort(events_.begin(), events_.end(),
                   [](const Event& a, const Event& b) { return a.at < b.at; });
  std::string out = std::move(descriptors_);
  perfetto::TracePacket names;
  names.set_sequence_flags(kCleared | kNeedsState);
  const auto intern = [](const std::vector<std::string>& texts, auto add) {
    for (size_t i = 0; i < texts.size(); ++i) {
      auto* entry = add();
      entry->set_iid(i + 1);
      entry->set_name(texts[i]);
    }
  };
  perfetto::InternedData& data = *names.mutable_interned_data();
  intern(names_, [&] { return data.add_event_names(); });
  intern(annotation_names_, [&] { return data.add_debug_annotation_names(); });
  AppendPacket(std::move(names), out);

  static constexpr perfetto::TrackEvent::Type kTypes[] = {
      perfetto::TrackEvent::TYPE_SLICE_BEGIN, perfetto::TrackEvent::TYPE_SLICE_END,
      perfetto::TrackEvent::TYPE_INSTANT, perfetto::TrackEvent::TYPE_COUNTER};
  for (const Event& event : events_) {
    perfetto::TracePacket packet;
    packet.set_timestamp(static_cast<uint64_t>(event.at));
    packet.set_sequence_flags(kNeedsState);
    perfetto::TrackEvent& out_event = *packet.mutable_track_event();
    out_event.set_type(kTypes[static_cast<size_t>(event.type)]);
    out_event.set_track_uuid(event.track);
    if (event.type == Type::kBegin || event.type == Type::kInstant) {
      out_event.set_name_iid(event.name + 1);
    }
    if (event.type == Type::kCount) out_event.set_counter_value(event.value);
    if (event.flow != 0 && event.flow_ends) out_event.add_terminating_flow_ids(event.flow);
    if (event.flow != 0 && !event.flow_ends) out_event.add_flow_ids(event.flow);
    for (const auto& [name, annotation] : event.about) {
      perfetto::DebugAnnotation& said = *out_event.add_debug_annotations();
      said.set_name_iid(name + 1);
      if (annotation.text.empty()) {
        said.set_int_value(annotation.number);
      } else {
        said.set_string_value(annotation.text);
      }
    }
    AppendPacket(std::move(packet), out);
  }
  return out;
}

void SliceLanes::Slice(absl::Duration at, absl::Duration until, std::string_view name,
                       Annotations about) {
  auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& l) { return l.free_from <= at; });
  if (lane == lanes_.end()) {
    lanes_.push_back({.track = writer_.AddTrack(parent_, name_), .free_from = at});
    lane = lanes_.end() - 1;
  }
  lane->free_from = until;
  writer_.Begin(lane->track, at, name, std::move(about));
  writer_.End(lane->track, until);
}

}  // namespace highwater::reports
