#include "core/os/errors.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace highwater::core::os {
namespace {

absl::Status Make(absl::StatusCode code, int error, std::string_view what,
                  std::string_view subject) {
  char buffer[128];
  const char* text = strerror_r(error, buffer, sizeof(buffer));
  return absl::Status(code, fmt::format("{} {}: {}", what, subject, text));
}

}  // namespace

absl::Status FileError(int error, std::string_view what, std::string_view subject) {
  switch (error) {
    case ENOENT:
      return Make(absl::StatusCode::kNotFound, error, what, subject);
    case EEXIST:
      return Make(absl::StatusCode::kAlreadyExists, error, what, subject);
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Make(absl::StatusCode::kResourceExhausted, error, what, subject);
    case EINVAL:
    case ENAMETOOLONG:
    case EFBIG:
    case EOVERFLOW:
      return Make(absl::StatusCode::kInvalidArgument, error, what, subject);
    case EIO:
      return Make(absl::StatusCode::kDataLoss, error, what, subject);
    default:
      // Not a directory, is one, not empty, busy, read-only, no permission, lock held.
      return Make(absl::StatusCode::kFailedPrecondition, error, what, subject);
  }
}

absl::Status NetworkError(int error, std::string_view what, std::string_view subject) {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
      return Make(absl::StatusCode::kAborted, error, what, subject);
    case ETIMEDOUT:
      return Make(absl::StatusCode::kDeadlineExceeded, error, what, subject);
    case EADDRINUSE:
      return Make(absl::StatusCode::kAlreadyExists, error, what, subject);
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:  // of connect: no free local port
      return Make(absl::StatusCode::kResourceExhausted, error, what, subject);
    case EINVAL:
    case EAFNOSUPPORT:
      return Make(absl::StatusCode::kInvalidArgument, error, what, subject);
    case EACCES:
    case EPERM:
      return Make(absl::StatusCode::kFailedPrecondition, error, what, subject);
    default:
      // Refused, no route, network down, no such address.
      return Make(absl::StatusCode::kUnavailable, error, what, subject);
  }
}

}  // namespace highwater::core::os
