#include "scenarios/world/operators.h"

#include "scenarios/world/operator_tools.h"

namespace highwater::scenarios {
namespace {

using Tool = void (*)(OperatorShift& shift);

struct Operation {
  std::string_view kind;
  Tool tool;
};

constexpr Operation kOperations[] = {
    {"add_broker", AddBroker},
    {"remove_broker", RemoveBroker},
    {"alter_config", AlterConfig},
    {"cancel_reassignment", CancelReassignment},
    {"create_partitions", CreatePartitions},
    {"create_topic", CreateTopic},
    {"delete_topic", DeleteTopic},
    {"elect_leaders", ElectLeaders},
    {"migrate_zone", MigrateZone},
    {"reassign_partition", ReassignPartition},
};

Tool ToolOf(std::string_view kind) {
  for (const Operation& operation : kOperations) {
    if (operation.kind == kind) return operation.tool;
  }
  return nullptr;
}

}  // namespace

bool Operators::Do(std::string_view kind) { return ToolOf(kind) != nullptr; }

void Operators::Order(std::vector<faults::FaultOrder> orders) {
  for (faults::FaultOrder& order : orders) {
    const sim::FaultId id = world_.ledger().Request(order.kind);
    orders_.push_back(std::make_unique<faults::FaultOrder>(std::move(order)));
    const faults::FaultOrder* kept = orders_.back().get();
    world_.At(kept->at, [this, kept, id] { Start(*kept, id); });
  }
}

void Operators::Start(const faults::FaultOrder& order, sim::FaultId id) {
  if (!context_.topics_created || context_.now() >= context_.load_end) return;
  if (order.kind == sham_) return world_.ledger().Applied(id);
  const std::string name = fmt::format("operator-{}", started_++);
  sim::Host& host = add_host_(name);
  host.SetProgram(sim::ProgramOf([this, &order, id, name](core::Environment& env) {
    OperationReport report{.applied =
                               [&](std::string text) {
                                 if (world_.ledger()[id].applied > 0) return;
                                 world_.ledger().Applied(id);
                                 context_.recorder.Fault(std::move(text), order.place);
                               },
                           .observed =
                               [&] {
                                 if (world_.ledger()[id].observed > 0) return;
                                 world_.ledger().Observed(id);
                                 context_.recorder.Tell(name, "sees that it is done");
                               }};
    OperatorShift shift(env, context_, order, std::move(report), name);
    ToolOf(order.kind)(shift);
  }));
  host.Start();
}

}  // namespace highwater::scenarios
