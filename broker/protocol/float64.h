#pragma once

// Float64: a field of type `f64`, which Kafka uses for the values of client quotas and nothing
// else. Only carried here: who enforces a quota converts it to an integer first.

namespace highwater::broker::protocol {

using Float64 = double;

}  // namespace highwater::broker::protocol
