#include "broker/zookeeper/server/prep_request_processor.h"

#include <utility>

#include "broker/zookeeper/jute/jute.h"
#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

PrepRequestProcessor::PrepRequestProcessor(const DataTree& tree, SessionTracker& sessions,
                                           PrepOptions options, const ZooKeeperRules& rules)
    : tree_(tree), sessions_(sessions), options_(options), rules_(rules) {}

void PrepRequestProcessor::Start(Zxid last, int64_t now_ms) {
  last_proposed_ = last;
  records_.clear();
  outstanding_.clear();
  for (const auto& [session, timeout_ms] : tree_.sessions()) {
    sessions_.Add(session, timeout_ms, now_ms);
  }
}

Txn PrepRequestProcessor::Prepare(const ClientRequest& request, const Instant& at) {
  ++last_proposed_;
  Txn txn{.header = {.client_id = request.session,
                     .cxid = request.xid,
                     .zxid = last_proposed_,
                     .time = at.wall_ms,
                     .type = request.op}};
  undo_.clear();
  outstanding_before_ = outstanding_.size();
  Decided decided = DecideBody({request, txn.header}, at);
  if (const ErrorCode* error = std::get_if<ErrorCode>(&decided)) {
    // [1.7] It takes its zxid all the same, so that its answer is ordered with other writes.
    RollBack();
    txn.header.type = OpCode::kError;
    txn.body = ErrorTxn{.error = *error};
  } else {
    txn.body = std::get<TxnBody>(std::move(decided));
  }
  return txn;
}

template <typename Record>
PrepRequestProcessor::Decided PrepRequestProcessor::Decode(const Context& context) {
  JuteReader reader(context.request.body);
  Record record;
  reader(record);
  if (!reader.status().ok()) return ErrorCode::kMarshallingError;
  return Decide(context, record);
}

PrepRequestProcessor::Decided PrepRequestProcessor::DecideBody(const Context& context,
                                                               const Instant& at) {
  switch (context.request.op) {
    case OpCode::kCreate:
      return Decode<CreateRequest>(context);
    case OpCode::kCreate2:
      return Decode<Create2Request>(context);
    case OpCode::kCreateContainer:
      return Decode<CreateContainerRequest>(context);
    case OpCode::kCreateTtl:
      return Decode<CreateTtlRequest>(context);
    case OpCode::kDelete:
      return Decode<DeleteRequest>(context);
    case OpCode::kSetData:
      return Decode<SetDataRequest>(context);
    case OpCode::kSetAcl:
      return Decode<SetAclRequest>(context);
    case OpCode::kMulti:
      return Decode<MultiRequest>(context);
    case OpCode::kCreateSession:
      return DecideCreateSession(context, at);
    case OpCode::kCloseSession:
      return DecideCloseSession(context);
    case OpCode::kDeleteContainer:
      return DecideDeleteContainer(context);
    case OpCode::kReconfig:
      return ErrorCode::kReconfigDisabled;
    default:
      HW_UNREACHABLE("{} is not a write", OpCodeName(context.request.op));
  }
}

// Operations one by one, each checked against what the ones before it leave [4.6].
PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context& context,
                                                           const MultiRequest& request) {
  MultiTxn txn;
  std::optional<size_t> failed;
  ErrorCode error = ErrorCode::kOk;
  for (size_t i = 0; i < request.ops.size() && !failed.has_value(); ++i) {
    Decided decided =
        std::visit([&](const auto& op) { return Decide(context, op); }, request.ops[i]);
    if (const ErrorCode* code = std::get_if<ErrorCode>(&decided)) {
      error = *code;
      failed = i;
    } else {
      txn.parts.push_back(EncodePart(OpCodeOf(request.ops[i]), std::get<TxnBody>(decided)));
    }
  }
  if (!failed.has_value()) return TxnBody(std::move(txn));
  // [1.6] The operations in front of it say OK, those behind it that they were not looked at.
  HW_MARK("zk_multi_rolled_back");
  RollBack();
  txn.parts.clear();
  for (size_t i = 0; i < request.ops.size(); ++i) {
    const ErrorCode code = i < *failed    ? ErrorCode::kOk
                           : i == *failed ? error
                                          : ErrorCode::kRuntimeInconsistency;
    txn.parts.push_back(EncodePart(OpCode::kError, TxnBody(ErrorTxn{.error = code})));
  }
  return TxnBody(std::move(txn));
}

PrepRequestProcessor::Decided PrepRequestProcessor::DecideCreateSession(const Context& context,
                                                                        const Instant& at) {
  JuteReader reader(context.request.body);
  CreateSessionTxn txn;
  reader(txn);
  if (!reader.status().ok()) return ErrorCode::kMarshallingError;
  sessions_.Add(context.request.session, txn.timeout_ms, at.now_ms);
  sessions_.SetOwner(context.request.session, context.request.owner);
  return TxnBody(txn);
}

// [2.2] The list is made first and the session marked after it, in one step: nothing that the
// session writes can come between them.
PrepRequestProcessor::Decided PrepRequestProcessor::DecideCloseSession(const Context& context) {
  CloseSessionTxn txn{.paths_to_delete = EphemeralsOf(context.request.session)};
  for (const std::string& path : txn.paths_to_delete) RecordDelete(context, path);
  sessions_.SetClosing(context.request.session);
  return TxnBody(std::move(txn));
}

std::vector<std::string> PrepRequestProcessor::EphemeralsOf(SessionId session) const {
  absl::btree_set<std::string> paths = tree_.EphemeralsOf(session);
  for (const auto& [path, record] : records_) {
    if (record.exists && record.stat.ephemeral_owner == session) {
      paths.insert(path);
    } else {
      paths.erase(path);
    }
  }
  return {paths.begin(), paths.end()};
}

std::optional<PrepRequestProcessor::ChangeRecord> PrepRequestProcessor::RecordOf(
    std::string_view path) const {
  const auto pending = records_.find(path);
  if (pending != records_.end()) {
    if (!pending->second.exists) return std::nullopt;
    return pending->second;
  }
  const Znode* node = tree_.Find(path);
  if (node == nullptr) return std::nullopt;
  return ChangeRecord{.stat = node->stat,
                      .child_count = static_cast<int32_t>(node->children.size()),
                      .acl = node->acl};
}

void PrepRequestProcessor::SetRecord(const Context& context, std::string_view path,
                                     ChangeRecord record) {
  record.zxid = context.header.zxid;
  const auto [at, inserted] = records_.try_emplace(std::string(path));
  undo_.push_back({at->first, inserted ? std::nullopt : std::optional(std::move(at->second))});
  at->second = std::move(record);
  outstanding_.emplace_back(context.header.zxid, at->first);
}

// [3.7] To the records of the transactions before, those of parents included: forgetting them would
// let the next request be decided against a tree that is behind.
void PrepRequestProcessor::RollBack() {
  while (!undo_.empty()) {
    Undo& undo = undo_.back();
    if (undo.before.has_value()) {
      records_.find(undo.path)->second = *std::move(undo.before);
    } else {
      records_.erase(undo.path);
    }
    undo_.pop_back();
  }
  outstanding_.resize(outstanding_before_);
}

void PrepRequestProcessor::OnApplied(const TxnHeader& header) {
  while (!outstanding_.empty() && outstanding_.front().first <= header.zxid) {
    const auto found = records_.find(outstanding_.front().second);
    if (found != records_.end() && found->second.zxid <= header.zxid) records_.erase(found);
    outstanding_.pop_front();
  }
  if (header.type == OpCode::kCloseSession) sessions_.Remove(header.client_id);
}

}  // namespace highwater::broker::zookeeper
