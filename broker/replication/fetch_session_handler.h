#pragma once

// FetchSessionHandler: the fetching side of a fetch session (KIP-227): which session and epoch the
// next request carries, and whether it must be full. Pure.
//
//   request.session_id = session.id(); request.session_epoch = session.epoch();
//   if (session.full()) ... all partitions ... else ... those that changed ...
//   session.OnResponse(response.error_code, response.session_id);   // false: nothing else counts
//   session.OnFailure();                                            // no response
//
// Follows replication fact P14. Invariant: an incremental request follows only a response of the
// same session.

#include <cstdint>
#include <limits>

#include "broker/protocol/error_code.h"

namespace highwater::broker {

class FetchSessionHandler {
 public:
  [[nodiscard]] int32_t id() const { return id_; }
  [[nodiscard]] int32_t epoch() const { return epoch_; }
  [[nodiscard]] bool full() const { return epoch_ == 0; }

  // Whether the partitions of the response may be looked at.
  [[nodiscard]] bool OnResponse(protocol::ErrorCode error, int32_t session_id) {
    if (error != protocol::ErrorCode::NONE) {
      // Gone: a new one. Anything else: the next full request closes what there is.
      const bool gone = error == protocol::ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
      epoch_ = 0;
      if (gone) id_ = 0;
      return false;
    }
    if (full()) id_ = session_id;
    // Without a session every request is full.
    epoch_ = id_ == 0 ? 0 : Next(epoch_);
    return true;
  }
  // What the other side did with the request is not known.
  void OnFailure() { epoch_ = 0; }

  // The epoch after `epoch`: it wraps to 1.
  [[nodiscard]] static int32_t Next(int32_t epoch) {
    return epoch == std::numeric_limits<int32_t>::max() ? 1 : epoch + 1;
  }

 private:
  int32_t id_ = 0;
  int32_t epoch_ = 0;
};

}  // namespace highwater::broker
