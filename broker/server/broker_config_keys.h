#pragma once

// The fields of BrokerConfig that are plain copies of one property; broker_config.cc does the rest.

namespace highwater::broker {
struct BrokerConfig;
namespace internal {

// Fills each such field from config.effective. REQUIRES: valid values for all properties.
void SetFields(BrokerConfig& config);

}  // namespace internal
}  // namespace highwater::broker
