#include "invariants/phantom.h"

namespace highwater::invariants {
namespace {

class Phantom final : public Invariant {
 public:
  Phantom(const RunFacts& facts, ViolationSink& sink) : history_(facts.history), sink_(sink) {}

  std::string_view id() const override { return "phantom"; }

  void OnConsumed(const ConsumedRecord& record) override {
    Checked();
    const std::optional<RecordId>& id = record.id;
    if (!id.has_value()) {
      return Report(record, fmt::format("its {} bytes are no record that any client writes",
                                        record.value.size()));
    }
    const Send* send = history_.Find(*id);
    if (send == nullptr) {
      return Report(record,
                    fmt::format("it names {}, which was never sent", history_.Describe(*id)));
    }
    const bool elsewhere =
        send->partition.topic != record.partition.topic ||
        (send->partition.partition.value() >= 0 && send->partition != record.partition);
    if (elsewhere) {
      return Report(record,
                    fmt::format("{} was sent to {}", history_.Describe(*id), send->partition));
    }
    if (send->value_size != record.value.size()) {
      return Report(record,
                    fmt::format("{} was sent with {} bytes and has {}", history_.Describe(*id),
                                send->value_size, record.value.size()));
    }
  }

 private:
  void Report(const ConsumedRecord& record, std::string why) {
    Violation violation{.invariant = "phantom",
                        .sentence = "a consumer read a record that nobody sent so.",
                        .at = record.at,
                        .partition = record.partition,
                        .offset = record.offset};
    violation.witnesses.push_back(fmt::format("topic {}, partition {}, offset {}, read by {}",
                                              record.partition.topic, record.partition.partition,
                                              record.offset, record.consumer));
    violation.witnesses.push_back(std::move(why));
    sink_.Report(std::move(violation));
  }

  const ClientHistory& history_;
  ViolationSink& sink_;
};

}  // namespace

std::unique_ptr<Invariant> MakePhantom(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<Phantom>(facts, sink);
}

}  // namespace highwater::invariants
