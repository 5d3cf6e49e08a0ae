// Defects of clients: order of retries, validation of positions, metadata.

#include "broker/client/client_rules.h"
#include "broker/client/producer_rules.h"
#include "scenarios/world/simulated_seed_runner.h"
#include "scenarios/zoo/mutants.h"

namespace highwater::scenarios {
namespace {

namespace client = broker::client;
using broker::LeaderEpoch;
using broker::Offset;

constexpr Mutant kMutants[] = {
    {"M108", "producer", "KAFKA-3197, N4",
     "a batch that is sent again goes to the end of its queue",
     [](RunHooks& hooks) {
       hooks.producer_rules.GoesBefore = [](const client::ProducerBatch&,
                                            const client::ProducerBatch&) { return false; };
     }},
    {"N1", "producer", "KAFKA-5494 class",
     "batches are pipelined before the broker knows the producer (as in 3.2.3)",
     [](RunHooks& hooks) { hooks.producer_rules = client::ProducerRules::Kafka323(); }},
    {"N5", "producer", "N5, KIP-360",
     "a broker that misses a batch's predecessor proves that the batch is nowhere (as in 3.2.3)",
     [](RunHooks& hooks) {
       hooks.producer_rules.DenialIsProof = client::ProducerRules::Kafka323().DenialIsProof;
     }},
    {"M172", "client", "KIP-320, KAFKA-9261", "metadata of an older leader epoch are taken",
     [](RunHooks& hooks) {
       hooks.consumer_rules.MayTakeMetadata = [](LeaderEpoch, LeaderEpoch) { return true; };
     }},
    {"M170", "client", "KAFKA-9338 class",
     "what was fetched at another position is handed to the application",
     [](RunHooks& hooks) {
       hooks.consumer_rules.AnswersPosition = [](Offset, Offset) { return true; };
     }},
    {"M174", "client", "KAFKA-9543, KAFKA-14379",
     "a position is given up as soon as the leader changes",
     [](RunHooks& hooks) {
       hooks.consumer_rules.JudgePosition = [](const client::FetchPosition&,
                                               const client::EpochEnd&) {
         return client::PositionVerdict::kCutBefore;
       };
     }},
    {"N31", "client", "KIP-320", "a position is never compared with a new leader's log",
     [](RunHooks& hooks) {
       hooks.consumer_rules.MustValidate = [](const client::FetchPosition&) { return false; };
     }},
};

}  // namespace

absl::Span<const Mutant> ClientMutants() { return kMutants; }

std::vector<PlantedDefect> PlantedDefects() {
  std::vector<PlantedDefect> defects;
  for (const auto mutants : {ReplicationMutants(), ControllerMutants(), StorageMutants(),
                             ClientMutants(), ZooKeeperMutants()}) {
    for (const Mutant& mutant : mutants) {
      defects.push_back({.id = std::string(mutant.id),
                         .area = std::string(mutant.area),
                         .source = std::string(mutant.source),
                         .sentence = std::string(mutant.sentence),
                         .make_runner = nullptr});
      defects.back().make_runner = [plant = mutant.plant] {
        RunHooks hooks;
        plant(hooks);
        return std::make_unique<SimulatedSeedRunner>(std::move(hooks));
      };
    }
  }
  return defects;
}

}  // namespace highwater::scenarios
