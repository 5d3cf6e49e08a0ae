#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "core/os/errors.h"
#include "core/os/file_system.h"
#include "core/status_macros.h"

namespace highwater::core::os {
namespace {

constexpr uint64_t kGreatestOffset = std::numeric_limits<int64_t>::max();
// A read of more first asks for the file's size, so that a great `length` costs no memory.
constexpr size_t kUnaskedRead = 64 << 10;
constexpr size_t kReadBlock = 1 << 20;
constexpr size_t kPage = 4096;

using Vectors = absl::InlinedVector<iovec, 8>;

bool IsUnsupported(int error) { return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL; }

// Drops the first `n` bytes of vectors[first, ...); returns the new first.
size_t Consume(Vectors& vectors, size_t first, size_t n) {
  while (n > 0 && n >= vectors[first].iov_len) n -= vectors[first++].iov_len;
  if (n > 0) {
    vectors[first].iov_base = static_cast<uint8_t*>(vectors[first].iov_base) + n;
    vectors[first].iov_len -= n;
  }
  return first;
}

ssize_t WriteVectors(int fd, Vectors& vectors, size_t first, uint64_t offset, int flags) {
  const size_t count = std::min<size_t>(vectors.size() - first, IOV_MAX);
  return pwritev2(fd, &vectors[first], static_cast<int>(count), static_cast<off_t>(offset), flags);
}

}  // namespace

OsFile::~OsFile() {
  workers_.RunDetached(lane_, [fd = fd_.Release()] { close(fd); });
}

absl::StatusOr<ByteChain> OsFile::ReadAt(uint64_t offset, size_t length) {
  ByteChain result;
  if (offset > kGreatestOffset) return FileError(EINVAL, "read", path_);
  if (length > kUnaskedRead) {
    HW_ASSIGN_OR_RETURN(const uint64_t size, Size());
    length = static_cast<size_t>(std::min<uint64_t>(length, size > offset ? size - offset : 0));
  }
  while (result.size() < length) {
    const size_t wanted = std::min(length - result.size(), kReadBlock);
    BytesBuilder builder(wanted);
    HW_RETURN_IF_ERROR(ReadBlock(offset + result.size(), wanted, builder));
    const size_t got = builder.size();
    result.Append(std::move(builder).Freeze());
    if (got < wanted) break;
  }
  return result;
}

absl::Status OsFile::ReadBlock(uint64_t offset, size_t length, BytesBuilder& builder) {
  uint8_t* const to = builder.Grow(length);
  size_t got = 0;
  int error = 0;
  bool at_end = false;
  const auto read = [&](int flags) {
    while (got < length && error == 0 && !at_end) {
      const iovec vector{.iov_base = to + got, .iov_len = length - got};
      const ssize_t n = preadv2(fd_.get(), &vector, 1, static_cast<off_t>(offset + got), flags);
      if (n > 0) got += static_cast<size_t>(n);
      if (n == 0) at_end = true;
      if (n < 0 && errno != EINTR) error = errno;
    }
  };
  if (reads_nowait_) {
    read(RWF_NOWAIT);
    if (error != 0 && error != EAGAIN && IsUnsupported(error)) reads_nowait_ = false;
  }
  if (!reads_nowait_ || error != 0) {
    error = 0;
    HW_RETURN_IF_ERROR(
        workers_.Run(lane_, WorkKind::kOrdinary, "a file read", [&read] { read(0); }));
  }
  builder.Truncate(got);
  return error == 0 ? absl::OkStatus() : FileError(error, "read", path_);
}

absl::Status OsFile::WriteAt(uint64_t offset, const ByteChain& data) {
  if (data.empty()) return absl::OkStatus();
  if (offset > kGreatestOffset - data.size()) return FileError(EINVAL, "write", path_);
  Vectors vectors;
  for (const Bytes& slice : data.slices()) {
    vectors.push_back({.iov_base = const_cast<uint8_t*>(slice.data()), .iov_len = slice.size()});
  }
  size_t first = 0;
  int error = 0;
  const auto write = [&](int flags) {
    while (first < vectors.size() && error == 0) {
      const ssize_t n = WriteVectors(fd_.get(), vectors, first, offset, flags);
      if (n > 0) {
        first = Consume(vectors, first, static_cast<size_t>(n));
        offset += static_cast<uint64_t>(n);
      } else if (n == 0) {
        error = EIO;
      } else if (errno != EINTR) {
        error = errno;
      }
    }
  };
  if (writes_nowait_) {
    write(RWF_NOWAIT);
    if (error != 0 && error != EAGAIN && IsUnsupported(error)) writes_nowait_ = false;
  }
  if (!writes_nowait_ || error != 0) {
    error = 0;
    HW_RETURN_IF_ERROR(
        workers_.Run(lane_, WorkKind::kOrdinary, "a file write", [&write] { write(0); }));
  }
  return error == 0 ? absl::OkStatus() : FileError(error, "write", path_);
}

absl::Status OsFile::Truncate(uint64_t size) {
  if (size > kGreatestOffset) return FileError(EINVAL, "truncate", path_);
  int error = 0;
  HW_RETURN_IF_ERROR(workers_.Run(lane_, WorkKind::kOrdinary, "a truncate", [&] {
    if (ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) error = errno;
  }));
  // A file that was opened for reading gives EINVAL here and EBADF for a write: one meaning.
  if (error == EINVAL) error = EBADF;
  return error == 0 ? absl::OkStatus() : FileError(error, "truncate", path_);
}

absl::Status OsFile::Sync() {
  int error = 0;
  HW_RETURN_IF_ERROR(workers_.Run(lane_, WorkKind::kSync, "a file sync", [&] {
    if (fdatasync(fd_.get()) != 0) error = errno;
  }));
  return error == 0 ? absl::OkStatus() : FileError(error, "sync", path_);
}

absl::StatusOr<uint64_t> OsFile::Size() {
  struct stat info;
  if (fstat(fd_.get(), &info) != 0) return FileError(errno, "stat", path_);
  return static_cast<uint64_t>(info.st_size);
}

bool OsFile::IsResident(uint64_t offset, size_t length) {
  if (!reads_nowait_) return false;
  // One byte of each page: cheaper than moving the pages, and unlike mincore or cachestat it is not
  // deceived by pages whose read has only begun.
  for (uint64_t at = offset; at < offset + length; at = (at / kPage + 1) * kPage) {
    uint8_t byte;
    const iovec vector{.iov_base = &byte, .iov_len = 1};
    const ssize_t n = preadv2(fd_.get(), &vector, 1, static_cast<off_t>(at), RWF_NOWAIT);
    if (n < 0 && IsUnsupported(errno)) reads_nowait_ = false;
    if (n < 0) return false;
    if (n == 0) return true;  // past the end: nothing to wait for
  }
  return true;
}

}  // namespace highwater::core::os
