#include "broker/controller/producer_id_manager.h"

#include "core/mark.h"

namespace highwater::broker {

using core::Wake;
using protocol::ErrorCode;

namespace {

constexpr absl::Duration kAllocateTimeout = absl::Seconds(30);
constexpr absl::Duration kRetryBackoff = absl::Milliseconds(100);

}  // namespace

ProducerIdManager::Result ProducerIdManager::Generate(core::MonotonicTime deadline) {
  while (!stopping_) {
    const std::optional<ProducerId> id = blocks_.Take();
    if (blocks_.NeedsBlock()) BeginFetch();
    if (id) return {.id = *id};
    ++waiting_;
    const Wake wake = available_.Wait(env_.fibers, "a block of producer ids", deadline);
    --waiting_;
    if (wake == Wake::kDeadline) return {.error = ErrorCode::REQUEST_TIMED_OUT};
    if (wake == Wake::kCancelled) break;
  }
  return {.error = ErrorCode::COORDINATOR_NOT_AVAILABLE};
}

void ProducerIdManager::Stop() {
  stopping_ = true;
  available_.WakeAll();
  stop_.WakeAll();
  fetching_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
}

void ProducerIdManager::BeginFetch() {
  if (fetching_.pending() > 0) return;
  fetching_.Add();
  env_.fibers.Spawn("producer id block", [this] {
    Fetch();
    fetching_.Done();
    available_.WakeAll();
  });
}

// Until a block has come or nobody waits for one.
void ProducerIdManager::Fetch() {
  while (!stopping_) {
    const Outcome outcome = FetchOne();
    if (outcome == Outcome::kGot) return;
    if (outcome == Outcome::kAgain) continue;
    if (waiting_ == 0) return;
    const Wake wake = stop_.Wait(env_.fibers, "another try for a block of producer ids",
                                 env_.fibers.Now() + kRetryBackoff);
    if (wake == Wake::kCancelled) return;
  }
}

ProducerIdManager::Outcome ProducerIdManager::FetchOne() {
  const ProducerIdBlockSource::Result result =
      source_.Allocate(env_.fibers.Now() + kAllocateTimeout);
  if (result.error == ErrorCode::NONE && blocks_.Offer(result.block)) return Outcome::kGot;
  HW_MARK("producer_id_block_not_allocated");
  // [X45] This broker has registered anew, or is about to: the next answer is another one.
  const bool again = result.error == ErrorCode::STALE_BROKER_EPOCH ||
                     result.error == ErrorCode::BROKER_ID_NOT_REGISTERED;
  return again ? Outcome::kAgain : Outcome::kFailed;
}

}  // namespace highwater::broker
