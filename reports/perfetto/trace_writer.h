#pragma once

// TraceWriter: events on named tracks as a Perfetto trace: protobuf bytes that ui.perfetto.dev and
// Perfetto's own tools read.
//
//   TraceWriter writer;
//   const Track broker = writer.AddProcess(3, "broker-2 (az-b)");
//   const Track disk = writer.AddTrack(broker, "disk");
//   writer.Instant(disk, at, "flush", {{"offset", 57}});
//   std::string bytes = writer.Finish();
//
// Follows Perfetto's protos (trace.proto beside this holds the part that is used).
//
// Invariants
// 1. Equal calls give equal bytes.
// 2. Events are written by ascending time; those of one time in the order in which they were given,
//    so that on a track an end stands before the beginning that follows it.
// 3. Ends close the innermost slice of their track: what overlaps needs a track each (SliceLanes).

#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highwater::reports {

struct Track {
  uint64_t uuid = 0;
};

// One thing said about an event.
struct Annotation {
  std::string_view name;
  int64_t number = 0;
  std::string text = {};  // instead of the number, unless empty
};
using Annotations = std::vector<Annotation>;

class TraceWriter {
 public:
  TraceWriter();

  // Processes are shown in the order in which they were added.
  Track AddProcess(int32_t pid, std::string_view name);
  // Tracks of one parent and one name are drawn as one, with a row for each that is busy.
  Track AddTrack(Track parent, std::string_view name);
  Track AddCounter(Track parent, std::string_view name);

  void Begin(Track track, absl::Duration at, std::string_view name, Annotations about = {});
  void End(Track track, absl::Duration at);
  // `flow`: the id of a message, or 0; `ends`: it arrives here.
  void Instant(Track track, absl::Duration at, std::string_view name, Annotations about = {},
               uint64_t flow = 0, bool ends = false);
  void Count(Track track, absl::Duration at, int64_t value);

  [[nodiscard]] std::string Finish();

 private:
  enum class Type : uint8_t { kBegin, kEnd, kInstant, kCount };
  struct Event {
    int64_t at;
    Type type;
    uint64_t track;
    uint32_t name = 0;  // index in names_
    int64_t value = 0;
    uint64_t flow = 0;
    bool flow_ends = false;
    std::vector<std::pair<uint32_t, Annotation>> about;  // by the index of its name
  };

  Event& Add(Track track, absl::Duration at, Type type);
  [[nodiscard]] std::vector<std::pair<uint32_t, Annotation>> Intern(Annotations about);
  [[nodiscard]] static uint32_t IndexOf(std::string_view name,
                                        std::map<std::string, uint32_t, std::less<>>& known,
                                        std::vector<std::string>& names);

  std::string descriptors_;  // packets
  uint64_t next_uuid_ = 1;
  int32_t processes_ = 0;
  std::map<uint64_t, int32_t> children_;  // by parent
  std::vector<Event> events_;
  std::map<std::string, uint32_t, std::less<>> name_indices_;
  std::vector<std::string> names_;
  std::map<std::string, uint32_t, std::less<>> annotation_indices_;
  std::vector<std::string> annotation_names_;
};

// SliceLanes: tracks of one name for slices that may overlap.
class SliceLanes {
 public:
  SliceLanes(TraceWriter& writer, Track parent, std::string name)
      : writer_(writer), parent_(parent), name_(std::move(name)) {}
  // A slice on a track that is free then. REQUIRES: `at` never goes back.
  void Slice(absl::Duration at, absl::Duration until, std::string_view name,
             Annotations about = {});

 private:
  struct Lane {
    Track track;
    absl::Duration free_from;
  };
  TraceWriter& writer_;
  Track parent_;
  std::string name_;
  std::vector<Lane> lanes_;
};

}  // namespace highwater::reports
