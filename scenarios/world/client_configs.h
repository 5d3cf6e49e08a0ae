#pragma once

// The settings of the clients of a world, and what the clients' words mean to the invariants.

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "broker/client/consumer.h"
#include "core/check.h"
#include "invariants/invariant.h"
#include "scenarios/world/workload.h"

namespace highwater::scenarios {

// The loader has validated every setting.
template <typename Config>
Config ConfigOf(const broker::client::Properties& properties, const WorkloadContext& context,
                std::string_view name) {
  absl::StatusOr<Config> config = Config::FromMap(properties);
  HW_CHECK(config.ok(), "client settings of {}: {}", name, std::string(config.status().message()));
  config->bootstrap_servers = context.bootstrap;
  config->client_id = std::string(name);
  return *std::move(config);
}

// The harness's own clients do not wait for Kafka's 30 s where a broker has silently gone.
template <typename Config>
Config HarnessConfigOf(const broker::client::Properties& properties, const WorkloadContext& context,
                       std::string_view name) {
  auto config = ConfigOf<Config>(properties, context, name);
  config.request_timeout = absl::Seconds(2);
  return config;
}

inline invariants::JumpReason ReasonOf(broker::client::ResetReason reason) {
  switch (reason) {
    case broker::client::ResetReason::kNoPosition:
      return invariants::JumpReason::kAsked;
    case broker::client::ResetReason::kOutOfRange:
      return invariants::JumpReason::kOutOfRange;
    case broker::client::ResetReason::kTruncation:
      return invariants::JumpReason::kTruncation;
  }
  HW_UNREACHABLE();
}

}  // namespace highwater::scenarios
