#pragma once

// A run's timeline as a Perfetto trace: for ui.perfetto.dev, or any tool that reads Perfetto's
// format.
//
//   faults                      the faults in force, violations, partitions without a leader
//   broker-2 (az-b)             a process for each machine: brokers by zone, then ZooKeeper,
//   clients
//     replication / orders-0    who leads and follows, in which epoch; ISR, truncations,
//                               acknowledgements
//     controller                terms of office and elections
//     disk                      logs opened, batches stored, flushes
//     requests                  from when a request had come to when its answer left
//     network                   messages sent and received, joined by flows
//     counters                  high watermark, ISR size and log end offset of each partition
//
// Times are simulated nanoseconds, process ids follow from the machines' names: equal runs give
// equal bytes.

#include <string>

#include "scenarios/timeline.h"

namespace highwater::reports {

[[nodiscard]] std::string PerfettoTrace(const scenarios::Timeline& timeline);

}  // namespace highwater::reports
