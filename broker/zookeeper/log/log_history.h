#pragma once

// LogHistory: the log read back from a zxid on, for a follower that lacks what is behind it (DIFF
// from disk, [3.6]).
//
//   HW_ASSIGN_OR_RETURN(auto history, LogHistory::OpenAfter(env, directories, peer,
//   log.last_durable())); while (true) {
//     HW_ASSIGN_OR_RETURN(std::optional<Txn> txn, history->Next());
//     if (!txn.has_value()) break; ...
//   }
//
// May be read while the log is written: it ends at `last`. Files may be purged meanwhile: then a
// later Next fails, and a snapshot has to do.

#include <absl/status/statusor.h>

#include <deque>
#include <memory>
#include <optional>

#include "broker/zookeeper/log/data_directories.h"
#include "broker/zookeeper/log/log_file_reader.h"

namespace highwater::broker::zookeeper {

class LogHistory {
 public:
  // `last`: the last zxid that is durable. OutOfRange: the log does not hold `after` itself, so
  // that nobody knows whether the reader has the same history up to there; zxid 0 is held by every
  // log that begins with the first transaction.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<LogHistory>> OpenAfter(
      core::Environment& env, const DataDirectories& directories, Zxid after, Zxid last);

  // The next transaction; nullopt behind `last`. DataLoss: one is missing.
  [[nodiscard]] absl::StatusOr<std::optional<Txn>> Next();

 private:
  LogHistory(core::Environment& env, DataDirectories directories, Zxid at, Zxid last)
      : env_(env), directories_(std::move(directories)), at_(at), last_(last) {}
  [[nodiscard]] absl::Status FindStart();
  // The next record of the files, whatever it is.
  [[nodiscard]] absl::StatusOr<std::optional<Txn>> Read();

  core::Environment& env_;
  const DataDirectories directories_;
  std::deque<Zxid> files_;  // not opened yet
  std::unique_ptr<LogFileReader> reader_;
  Zxid at_;
  const Zxid last_;
};

}  // namespace highwater::broker::zookeeper
