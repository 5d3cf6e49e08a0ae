#pragma once

// LogFileReader: the records of one log file, one after the other, without the whole file in
// memory. Waits for the file; yields while it reads much.
//
//   HW_ASSIGN_OR_RETURN(auto reader, LogFileReader::Open(env, path));
//   while (true) {
//     HW_ASSIGN_OR_RETURN(auto record, reader->Next());
//     if (!record.has_value()) break;                     // the end, or something that is no
//     record
//   }
//   if (!reader->AtEnd()) ... JudgeTail(*reader->Rest(), reader->position(), last)

#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>

#include "broker/zookeeper/log/log_format.h"
#include "core/environment.h"

namespace highwater::broker::zookeeper {

class LogFileReader {
 public:
  // `limit`: where the file is taken to end; nothing for its size.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<LogFileReader>> Open(
      core::Environment& env, std::string path, std::optional<uint64_t> limit = std::nullopt);

  // The next record; nullopt where none stands (and then for ever). Fails when the file does not
  // read, and with DataLoss when a whole record holds no transaction.
  [[nodiscard]] absl::StatusOr<std::optional<LogRecord>> Next();

  [[nodiscard]] const std::string& path() const { return path_; }
  // Behind the last record that Next gave: the end of what is good.
  [[nodiscard]] uint64_t position() const { return position_; }
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] bool AtEnd() const { return position_ == size_; }
  // From position() to the end. ResourceExhausted: that is more than any tail may be.
  [[nodiscard]] absl::StatusOr<core::Bytes> Rest();

 private:
  LogFileReader(core::Environment& env, std::string path, std::shared_ptr<core::File> file,
                uint64_t size)
      : env_(env), path_(std::move(path)), file_(std::move(file)), size_(size) {}
  // Makes `window_` hold `size` bytes from position_, or all until the end.
  [[nodiscard]] absl::Status Fill(size_t size);
  [[nodiscard]] absl::Status ReadHeader();

  core::Environment& env_;
  std::string path_;
  std::shared_ptr<core::File> file_;
  uint64_t size_;
  uint64_t position_ = 0;
  core::Bytes window_;  // from position_
};

}  // namespace highwater::broker::zookeeper
