#pragma once

// Jute: how ZooKeeper writes values as bytes. Big-endian integers; strings, buffers and vectors
// with an int32 length in front, -1 for null; records are their fields in order.
//
//   JuteWriter writer;
//   writer(request);                       // anything with a static Visit(self, visitor)
//   core::Bytes body = std::move(writer).Finish();
//
//   JuteReader reader(body);
//   GetDataRequest request;
//   reader(request);
//   HW_RETURN_IF_ERROR(reader.status());
//
// Follows ZooKeeper facts 1.1. Null and empty buffers are kept apart (std::optional<Bytes>); a null
// string or vector reads as an empty one. Not responsible for: frames (wire/frame.h), which record
// an operation has (wire/).
//
// Invariants of the reader (the bytes may be hostile):
//   1. Total: any bytes give values or an error. After the first error every read gives a zero or
//   an empty value, and the error stays.
//   2. Never reads outside of the bytes.
//   3. Memory is bounded by the bytes: a vector's count is held against what is left.
//   4. A buffer is a slice of the same block.

#include <absl/status/status.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "broker/zookeeper/types.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

class JuteWriter {
 public:
  explicit JuteWriter(size_t capacity = 128) : bytes_(capacity) {}

  void operator()(bool value) { *bytes_.Grow(1) = value ? 1 : 0; }
  void operator()(int32_t value);
  void operator()(int64_t value);
  void operator()(const std::string& value);
  void operator()(const core::Bytes& value);
  void operator()(const std::optional<core::Bytes>& value);
  template <typename Tag, typename Rep>
  void operator()(core::StrongInt<Tag, Rep> value) {
    (*this)(value.value());
  }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void operator()(Enum value) {
    (*this)(static_cast<int32_t>(value));
  }
  template <typename T>
  void operator()(const std::vector<T>& values) {
    (*this)(static_cast<int32_t>(values.size()));
    for (const T& value : values) (*this)(value);
  }
  template <typename Record>
    requires requires(const Record& record, JuteWriter& writer) { Record::Visit(record, writer); }
  void operator()(const Record& record) {
    Record::Visit(record, *this);
  }

  // Overwrites the int32 at `at` with what has been written after it: for lengths.
  void PatchLength(size_t at);
  [[nodiscard]] size_t size() const { return bytes_.size(); }
  [[nodiscard]] core::Bytes Finish() && { return std::move(bytes_).Freeze(); }

 private:
  core::BytesBuilder bytes_;
};

class JuteReader {
 public:
  explicit JuteReader(core::Bytes bytes) : bytes_(std::move(bytes)) {}

  void operator()(bool& value);
  void operator()(int32_t& value);
  void operator()(int64_t& value);
  void operator()(std::string& value);
  void operator()(core::Bytes& value);
  void operator()(std::optional<core::Bytes>& value);
  template <typename Tag, typename Rep>
  void operator()(core::StrongInt<Tag, Rep>& value) {
    Rep raw = 0;
    (*this)(raw);
    value = core::StrongInt<Tag, Rep>(raw);
  }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void operator()(Enum& value) {
    int32_t raw = 0;
    (*this)(raw);
    value = static_cast<Enum>(raw);
  }
  template <typename T>
  void operator()(std::vector<T>& values) {
    values.clear();
    const int32_t count = ReadCount();
    for (int32_t i = 0; i < count && status_.ok(); ++i) (*this)(values.emplace_back());
    if (!status_.ok()) values.clear();
  }
  template <typename Record>
    requires requires(Record& record, JuteReader& reader) { Record::Visit(record, reader); }
  void operator()(Record& record) {
    Record::Visit(record, *this);
  }

  // InvalidArgument at the first value that does not parse.
  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] size_t remaining() const { return status_.ok() ? bytes_.size() - at_ : 0; }
  // What is left, as a slice.
  [[nodiscard]] core::Bytes Rest();
  // For a record that finds its own content wrong: the reader fails here, with `what` in its error.
  void Reject(std::string_view what) { Fail(what); }

 private:
  [[nodiscard]] const uint8_t* Take(size_t size, std::string_view what);
  // The length in front of a string or buffer; -1 for null.
  [[nodiscard]] int32_t ReadLength(std::string_view what);
  [[nodiscard]] int32_t ReadCount();
  void Fail(std::string_view what);

  core::Bytes bytes_;
  size_t at_ = 0;
  absl::Status status_;
};

// The bytes of one record.
template <typename Record>
[[nodiscard]] core::Bytes ToJute(const Record& record) {
  JuteWriter writer;
  writer(record);
  return std::move(writer).Finish();
}

}  // namespace highwater::broker::zookeeper
