#pragma once

// Invariant: one guarantee and the events from which it is judged. One file each;
// `CatalogOfInvariants` lists them.
//
// A checker only remembers and compares: it draws nothing, changes nothing, and the world runs the
// same without it.

#include <absl/types/span.h>

#include <memory>
#include <string_view>
#include <vector>

#include "broker/observer.h"
#include "invariants/history.h"
#include "invariants/violation.h"

namespace highwater::invariants {

// A producer was told that its record is stored.
struct AckedRecord {
  RecordId id;
  const broker::TopicPartition& partition;
  broker::Offset offset;
  absl::Duration at;
};

// A consumer was handed a record.
struct ConsumedRecord {
  std::string_view consumer;
  const broker::TopicPartition& partition;
  broker::Offset offset;
  const core::Bytes& value;
  absl::Duration at;
};

// What a reader of the whole partition found once all faults were over.
struct PartitionAtRest {
  broker::TopicPartition partition;
  bool readable = false;  // the reader reached the end in time
  std::string obstacle;   // what it last met, where it did not
  absl::Duration
      as_of;  // when it asked where the log ends: what was acknowledged later may be missing
  broker::Offset log_start;
  broker::Offset log_end;
  std::vector<std::pair<broker::Offset, RecordId>> records;  // by offset; those that parse
};

class Invariant {
 public:
  virtual ~Invariant() = default;
  [[nodiscard]] virtual std::string_view id() const = 0;

  virtual void OnAcked(const AckedRecord&) {}
  virtual void OnConsumed(const ConsumedRecord&) {}
  virtual void OnLogLoaded(broker::BrokerId, const broker::LogLoadedEvent&, absl::Duration /*at*/) {
  }
  virtual void OnTopicDeleted(std::string_view /*topic*/) {}
  virtual void AtRest(const std::vector<PartitionAtRest>&, absl::Duration /*at*/) {}
};

// Whose records are judged where not everybody was promised the guarantee.
enum class Scope : uint8_t { kPromised, kEverybody };

struct InvariantInfo {
  std::string_view id;
  std::string_view guarantee;  // in the client's words
  std::string_view judged;     // when and from what
  std::unique_ptr<Invariant> (*make)(const ClientHistory&, ViolationSink&, Scope);
};

// Sorted by id.
[[nodiscard]] absl::Span<const InvariantInfo> CatalogOfInvariants();

}  // namespace highwater::invariants
