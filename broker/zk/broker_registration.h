#pragma once

// BrokerRegistration: what a broker says of itself in /brokers/ids [Z30].

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/types.h"

namespace highwater::broker::zk {

// With their numbers on the wire.
enum class SecurityProtocol : int16_t {
  kPlaintext = 0,
  kSsl = 1,
  kSaslPlaintext = 2,
  kSaslSsl = 3,
};

struct BrokerEndpoint {
  std::string listener = "PLAINTEXT";
  SecurityProtocol protocol = SecurityProtocol::kPlaintext;
  std::string host;
  int32_t port = 0;

  friend bool operator==(const BrokerEndpoint&, const BrokerEndpoint&) = default;
};

struct BrokerRegistration {
  BrokerId id;        // from the path
  BrokerEpoch epoch;  // czxid of the znode; not part of its data
  std::vector<BrokerEndpoint> endpoints;
  std::string rack;  // "" is none
  int32_t jmx_port = -1;
  int64_t timestamp_ms = 0;
  // The process found no clean-shutdown marker at its start, and no controller has answered to that
  // yet: its logs may have lost what was not flushed (W1). A field of ours, `unclean_start`, which
  // is written only when it is true; Kafka's own readers ignore it.
  bool unclean_start = false;

  friend bool operator==(const BrokerRegistration&, const BrokerRegistration&) = default;
};

[[nodiscard]] std::string_view NameOf(SecurityProtocol protocol);
[[nodiscard]] std::optional<SecurityProtocol> FindSecurityProtocol(std::string_view name);

}  // namespace highwater::broker::zk
