#include "invariants/g1a.h"

#include "invariants/record_set.h"

namespace highwater::invariants {
namespace {

class G1a final : public Invariant {
 public:
  G1a(const RunFacts& facts, ViolationSink& sink) : history_(facts.history), sink_(sink) {}

  std::string_view id() const override { return "G1a"; }

  void OnConsumed(const ConsumedRecord& record) override {
    if (!record.id.has_value() || !read_.Insert(*record.id)) return;
    Checked();
    const Send* send = history_.Find(*record.id);
    if (send == nullptr || send->outcome != SendOutcome::kFailed) return;
    Report(*record.id, record.partition, record.offset, record.at,
           fmt::format("read by {} although the send had failed", record.consumer));
  }
  void OnSendFailed(const FailedSend& send) override {
    if (!read_.Contains(send.id)) return;
    Report(send.id, send.partition, broker::kNoOffset, send.at,
           "it had been read before its send was said to have failed");
  }

 private:
  void Report(RecordId id, const broker::TopicPartition& partition, broker::Offset offset,
              absl::Duration at, std::string how) {
    Violation violation{.invariant = "G1a",
                        .sentence = "a record was read whose send had failed for certain.",
                        .at = at,
                        .partition = partition,
                        .offset = offset};
    violation.witnesses.push_back(fmt::format("topic {}, partition {}, record {}", partition.topic,
                                              partition.partition, history_.Describe(id)));
    violation.witnesses.push_back(std::move(how));
    sink_.Report(std::move(violation));
  }

  const ClientHistory& history_;
  ViolationSink& sink_;
  RecordSet read_;
};

}  // namespace

std::unique_ptr<Invariant> MakeG1a(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<G1a>(facts, sink);
}

}  // namespace highwater::invariants
