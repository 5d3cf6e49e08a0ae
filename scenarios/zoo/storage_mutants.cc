// Defects of the log and of its disk: recovery, syncs, the producers' state.

#include "broker/storage/log_recovery.h"
#include "broker/storage/producer_state_rules.h"
#include "faults/mutants/file_system_mutants.h"
#include "scenarios/zoo/mutants.h"

namespace highwater::scenarios {
namespace {

using broker::Offset;
using broker::storage::ProducerAppend;
using broker::storage::ProducerBatchMetadata;
using broker::storage::ProducerStateEntry;

constexpr Mutant kMutants[] = {
    {"M81", "storage", "KAFKA-15375, KAFKA-13070",
     "the clean-shutdown marker of an earlier stop is never removed",
     [](RunHooks& hooks) {
       hooks.decorate_files = [](core::FileSystem& inner, uint64_t) {
         return faults::MakeLastingCleanMarker(inner);
       };
     }},
    {"M85", "storage", "K12", "recovery trusts a batch's length and does not compare its checksum",
     [](RunHooks& hooks) {
       hooks.broker_options.recovery.MustVerifyChecksum = [](Offset, Offset) { return false; };
     }},
    {"W20", "storage", "K12b", "recovery keeps what follows a hole",
     [](RunHooks& hooks) {
       hooks.broker_options.recovery = broker::storage::RecoveryRules::Kafka323();
     }},
    {"M87", "storage", "KAFKA-919 class", "every batch is stored with one bit of its value changed",
     [](RunHooks& hooks) {
       hooks.decorate_files = [](core::FileSystem& inner, uint64_t) {
         return faults::MakeAlteredRecords(inner);
       };
     }},
    {"M83", "storage", "KAFKA-10778, fsyncgate", "syncs answer OK and do nothing",
     [](RunHooks& hooks) {
       hooks.decorate_files = [](core::FileSystem& inner, uint64_t) {
         return faults::MakeLyingSync(inner);
       };
     }},
    {"M83b", "storage", "KAFKA-10778, fsyncgate",
     "a sync that failed is taken for one that did not",
     [](RunHooks& hooks) {
       hooks.decorate_files = [](core::FileSystem& inner, uint64_t) {
         return faults::MakeSwallowedSyncErrors(inner);
       };
     }},
    {"M82", "storage", "KAFKA-10101", "the recovery point moves although the segment is not synced",
     [](RunHooks& hooks) {
       hooks.decorate_files = [](core::FileSystem& inner, uint64_t) {
         return faults::MakeUnsyncedSegments(inner);
       };
     }},
    {"M91", "storage", "KAFKA-16541 class, K6", "checkpoints are rewritten in place",
     [](RunHooks& hooks) {
       hooks.decorate_files = [](core::FileSystem& inner, uint64_t) {
         return faults::MakeRewrittenCheckpoints(inner);
       };
     }},
    {"M91b", "storage", "K6", "directories are never synced: a new file's name may be lost",
     [](RunHooks& hooks) {
       hooks.decorate_files = [](core::FileSystem& inner, uint64_t) {
         return faults::MakeUnsyncedDirectories(inner);
       };
     }},
    {"M89", "storage", "KAFKA-12964, KAFKA-12520",
     "a producer snapshot is never removed, whatever becomes of the records behind it",
     [](RunHooks& hooks) {
       hooks.decorate_files = [](core::FileSystem& inner, uint64_t) {
         return faults::MakeLastingSnapshots(inner);
       };
     }},
    {"M55", "storage", "KAFKA-7165 class", "a broker that crashed can never take its lock again",
     [](RunHooks& hooks) { hooks.decorate_files = faults::MakeStaleLock; }},
    {"M100", "producer", "KAFKA-5494", "a duplicate is looked for in the last batch alone",
     [](RunHooks& hooks) {
       hooks.broker_options.producers.FindDuplicate =
           [](const ProducerStateEntry& entry,
              const ProducerAppend& append) -> const ProducerBatchMetadata* {
         const bool same = entry.epoch == append.epoch && !entry.batches.empty() &&
                           entry.last_sequence() == append.last_sequence;
         return same ? &entry.batches.back() : nullptr;
       };
     }},
    {"M100b", "producer", "KIP-98", "no duplicate is ever recognised",
     [](RunHooks& hooks) {
       hooks.broker_options.producers.FindDuplicate =
           [](const ProducerStateEntry&, const ProducerAppend&) -> const ProducerBatchMetadata* {
         return nullptr;
       };
       hooks.broker_options.producers.CheckSequence = [](const ProducerStateEntry&,
                                                         const ProducerAppend&) {
         return broker::protocol::ErrorCode::NONE;
       };
     }},
    {"I3", "producer", "I3", "a producer's older epoch is accepted",
     [](RunHooks& hooks) {
       hooks.broker_options.producers.CheckEpoch = [](const ProducerStateEntry&,
                                                      const ProducerAppend&) {
         return broker::protocol::ErrorCode::NONE;
       };
     }},
    {"M101", "producer", "KAFKA-12153, I13, I16",
     "producer state is not rebuilt when a log is opened or cut",
     [](RunHooks& hooks) { hooks.broker_options.producers.RebuildsState = [] { return false; }; }},
    {"M104", "producer", "KAFKA-6683, I8", "what is on its way to the log is no duplicate",
     [](RunHooks& hooks) { hooks.broker_options.producers.CountsAdmitted = [] { return false; }; }},
    {"W12", "producer", "I11", "a snapshot keeps only the last batch of each producer",
     [](RunHooks& hooks) {
       hooks.broker_options.producers = broker::storage::ProducerStateRules::Kafka323();
     }},
    {"I4", "producer", "KIP-98, KAFKA-5494 class", "a gap in a producer's sequence is accepted",
     [](RunHooks& hooks) {
       hooks.broker_options.producers.CheckSequence = [](const ProducerStateEntry&,
                                                         const ProducerAppend&) {
         return broker::protocol::ErrorCode::NONE;
       };
     }},
};

}  // namespace

absl::Span<const Mutant> StorageMutants() { return kMutants; }

}  // namespace highwater::scenarios
