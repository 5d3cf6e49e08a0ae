#pragma once

// ProducerIdManager: gives each idempotent producer an id of its own [X45].
//
//   const auto [error, id] = producer_ids.Generate(deadline);
//
// Drives ProducerIdBlocks: a fiber asks for the next block once 90 % of the last are used, so that
// hardly anybody waits. Not responsible for producers with a transactional id.

#include "broker/controller/producer_id_block_source.h"
#include "broker/controller/producer_id_blocks.h"
#include "core/environment.h"
#include "core/wait_group.h"
#include "core/wait_queue.h"

namespace highwater::broker {

class ProducerIdManager {
 public:
  // Both outlive it.
  ProducerIdManager(core::Environment& env, ProducerIdBlockSource& source)
      : env_(env), source_(source), fetching_(env.fibers) {}
  ProducerIdManager(const ProducerIdManager&) = delete;
  ProducerIdManager& operator=(const ProducerIdManager&) = delete;

  struct Result {
    protocol::ErrorCode error = protocol::ErrorCode::NONE;
    ProducerId id = kNoProducerId;
  };
  // Waits for a block if there is no id left; REQUEST_TIMED_OUT at the deadline. REQUIRES: on a
  // fiber.
  [[nodiscard]] Result Generate(core::MonotonicTime deadline);
  // Whoever waits is told COORDINATOR_NOT_AVAILABLE. Returns once nobody asks for a block any more.
  void Stop();

 private:
  void BeginFetch();
  void Fetch();
  // Whether a block came; whether to ask again at once.
  enum class Outcome : uint8_t { kGot, kAgain, kFailed };
  Outcome FetchOne();

  core::Environment& env_;
  ProducerIdBlockSource& source_;
  ProducerIdBlocks blocks_;
  core::WaitGroup fetching_;
  core::WaitQueue available_;
  core::WaitQueue stop_;
  uint64_t waiting_ = 0;
  bool stopping_ = false;
};

}  // namespace highwater::broker
