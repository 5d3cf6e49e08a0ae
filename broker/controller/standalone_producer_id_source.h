#pragma once

// StandaloneProducerIdSource: blocks of producer ids of a broker that is its own controller. What
// was given is written to a file `highwater-producer-ids` in each log directory before it is used:
//
//   version: 0
//   next: 3000
//
// The greatest of the directories counts, as with TopicStore: one that was offline for a while
// knows less. A file that is there and cannot be read stops the allocation, rather than to give ids
// twice, unless another directory has one that can.

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/controller/producer_id_block_source.h"
#include "core/file_system.h"

namespace highwater::broker {

class StandaloneProducerIdSource final : public ProducerIdBlockSource {
 public:
  static constexpr std::string_view kFileName = "highwater-producer-ids";

  // `directories` names the log directories that work. `files` outlives it.
  StandaloneProducerIdSource(core::FileSystem& files,
                             absl::AnyInvocable<std::vector<std::string>()> directories)
      : files_(files), directories_(std::move(directories)) {}

  // KAFKA_STORAGE_ERROR: the disk, or a damaged file. UNKNOWN_SERVER_ERROR: there are no more ids.
  [[nodiscard]] Result Allocate(core::MonotonicTime deadline) override;

  [[nodiscard]] static std::string Print(ProducerId next);
  [[nodiscard]] static absl::StatusOr<ProducerId> Parse(std::string_view text);

 private:
  absl::StatusOr<ProducerId> Load(const std::vector<std::string>& directories);

  core::FileSystem& files_;
  absl::AnyInvocable<std::vector<std::string>()> directories_;
  std::optional<ProducerId> next_;  // once it was read
};

}  // namespace highwater::broker
