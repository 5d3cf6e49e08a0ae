#pragma once

// HW_RETURN_IF_ERROR and HW_ASSIGN_OR_RETURN, shaped like Abseil's, which Debian 12's Abseil lacks.
//
//   HW_RETURN_IF_ERROR(file->Sync());
//   HW_ASSIGN_OR_RETURN(core::ByteChain header, file->ReadAt(0, 61));

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#define HW_RETURN_IF_ERROR(expression)                                           \
  do {                                                                           \
    if (::absl::Status hw_status = (expression); !hw_status.ok()) [[unlikely]] { \
      return hw_status;                                                          \
    }                                                                            \
  } while (false)

#define HW_STATUS_CONCAT_INNER(a, b) a##b
#define HW_STATUS_CONCAT(a, b) HW_STATUS_CONCAT_INNER(a, b)

#define HW_ASSIGN_OR_RETURN(declaration, expression) \
  HW_ASSIGN_OR_RETURN_IMPL(HW_STATUS_CONCAT(hw_statusor_, __LINE__), declaration, expression)

#define HW_ASSIGN_OR_RETURN_IMPL(statusor, declaration, expression) \
  auto statusor = (expression);                                     \
  if (!statusor.ok()) [[unlikely]]                                  \
    return std::move(statusor).status();                            \
  declaration = *std::move(statusor)
