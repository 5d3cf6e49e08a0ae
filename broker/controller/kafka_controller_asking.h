#pragma once

// KafkaController::Ask: a request waits for its turn in the controller's queue and for its answer.

#include <memory>
#include <optional>
#include <utility>

#include "broker/controller/kafka_controller.h"
#include "core/wait_queue.h"

namespace highwater::broker::controller {

template <typename Response>
std::optional<Response> KafkaController::Ask(const char* name, core::MonotonicTime deadline,
                                             absl::AnyInvocable<Response()> work,
                                             std::optional<Response> preempted) {
  struct Shared {
    std::optional<Response> response;
    core::WaitQueue waiter;
    void Answer(Response answer) {
      response = std::move(answer);
      waiter.WakeAll();
    }
  };
  auto shared = std::make_shared<Shared>();
  // [C3] Without an answer of their own, dropped requests leave the sender to its time-out.
  absl::AnyInvocable<void()> preempt;
  if (preempted) preempt = [shared, answer = *std::move(preempted)] { shared->Answer(answer); };
  events_.Put({.name = name,
               .process = [shared, work = std::move(work)]() mutable { shared->Answer(work()); },
               .preempt = std::move(preempt)});
  while (!shared->response) {
    if (shared->waiter.Wait(env_.fibers, "the controller's answer", deadline) !=
        core::Wake::kSignaled) {
      return std::nullopt;
    }
  }
  return std::move(shared->response);
}

}  // namespace highwater::broker::controller
