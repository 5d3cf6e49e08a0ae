#pragma once

// The files acceptedEpoch and currentEpoch: what a server promised, and whose history it took over.
//
//   HW_ASSIGN_OR_RETURN(Epochs epochs, LoadEpochs(env.files, directories, database.last_logged));
//   HW_RETURN_IF_ERROR(StoreAcceptedEpoch(env.files, directories, 7));     // then say it
//
// The file comes first, memory afterwards; acceptedEpoch before currentEpoch. Follows ZooKeeper
// facts 3.1; hazards 13, 15, 16.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "broker/zookeeper/log/data_directories.h"

namespace highwater::broker::zookeeper {

struct Epochs {
  int32_t accepted = 0;  // the highest one promised in discovery
  int32_t current = 0;   // of the last leader whose history was taken over
  friend bool operator==(const Epochs&, const Epochs&) = default;
};

// What the files say, each if it is there.
struct StoredEpochs {
  std::optional<int32_t> accepted;
  std::optional<int32_t> current;
};
// [3.1] What a server starts with whose log ends at `last`. A log of a later epoch than
// currentEpoch is what a crash leaves between the sync data and the epoch file [3.6: log, then
// epoch, then acknowledgement]: by then it is a prefix of that epoch's history, so the epoch is
// taken from it. Apache's server, whose order was the other one, refuses to start. DataLoss: less
// was promised than was taken over, so that a promise was forgotten. Pure.
[[nodiscard]] absl::StatusOr<Epochs> JudgeEpochs(const StoredEpochs& stored, Zxid last);

// A decimal number, perhaps with blanks around it. InvalidArgument: it is none.
[[nodiscard]] absl::StatusOr<int32_t> ParseEpoch(std::string_view text);

// Reads the files, judges them, and writes those that are missing.
[[nodiscard]] absl::StatusOr<Epochs> LoadEpochs(core::FileSystem& files,
                                                const DataDirectories& directories, Zxid last);
// Durable when they return OK.
[[nodiscard]] absl::Status StoreAcceptedEpoch(core::FileSystem& files,
                                              const DataDirectories& directories, int32_t epoch);
[[nodiscard]] absl::Status StoreCurrentEpoch(core::FileSystem& files,
                                             const DataDirectories& directories, int32_t epoch);

}  // namespace highwater::broker::zookeeper
