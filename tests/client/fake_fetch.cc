// How a fake broker answers Fetch.

#include <algorithm>

#include "broker/protocol/fetch.h"
#include "tests/client/fake_exchange.h"

namespace highwater::tests {
namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;
using Partition = FakeSession::Partition;

void Remember(FakeSession& session, const FetchRequest& request) {
  for (const auto& topic : request.topics) {
    for (const auto& asked : topic.partitions) {
      const auto known = std::find_if(
          session.partitions.begin(), session.partitions.end(), [&](const Partition& p) {
            return p.topic == topic.topic && p.topic_id == topic.topic_id &&
                   p.index == asked.partition;
          });
      Partition& p = known == session.partitions.end() ? session.partitions.emplace_back() : *known;
      p.topic = topic.topic;
      p.topic_id = topic.topic_id;
      p.index = asked.partition;
      p.fetch_offset = Offset(asked.fetch_offset);
      p.leader_epoch = asked.current_leader_epoch;
      p.max_bytes = asked.partition_max_bytes;
    }
  }
}

void Forget(FakeSession& session, const FetchRequest& request) {
  for (const auto& topic : request.forgotten_topics_data) {
    for (const int32_t index : topic.partitions) {
      std::erase_if(session.partitions, [&](const Partition& p) {
        return p.topic == topic.topic && p.topic_id == topic.topic_id && p.index == index;
      });
    }
  }
}

// The session that the request belongs to, or the error; `id` is for the answer.
std::shared_ptr<FakeSession> SessionOf(const Exchange& x, const FetchRequest& request, int32_t& id,
                                       ErrorCode& error) {
  auto& sessions = x.cluster.sessions;
  id = 0;
  error = ErrorCode::NONE;
  if (request.session_epoch <= 0) {
    ++x.cluster.full_fetches;
    sessions.erase({x.self, request.session_id});
    auto session = std::make_shared<FakeSession>();
    session->uses_ids = x.request.header.api_version >= 13;
    Remember(*session, request);
    if (request.session_epoch == 0 && x.cluster.keeps_sessions &&
        x.request.header.api_version >= 7) {
      id = x.cluster.full_fetches;
      sessions[{x.self, id}] = session;
    }
    return session;
  }
  ++x.cluster.incremental_fetches;
  const auto found = sessions.find({x.self, request.session_id});
  if (found == sessions.end()) {
    error = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
    return nullptr;
  }
  const std::shared_ptr<FakeSession> session = found->second;
  if (request.session_epoch != session->epoch + 1) {
    error = ErrorCode::INVALID_FETCH_SESSION_EPOCH;
    return nullptr;
  }
  if (session->uses_ids != (x.request.header.api_version >= 13)) {
    error = ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR;
    return nullptr;
  }
  ++session->epoch;
  Forget(*session, request);
  Remember(*session, request);
  id = request.session_id;
  return session;
}

// Records from `from` below `limit`; the `first` of an answer gives a batch of any size [P13].
core::ByteChain Read(const FakePartition& partition, Offset from, Offset limit, int64_t max_bytes,
                     bool first) {
  core::ByteChain bytes;
  for (const auto& batch : partition.batches) {
    if (batch.header().next_offset() <= from) continue;
    if (batch.header().base_offset >= limit) break;
    const bool fits = static_cast<int64_t>(bytes.size() + batch.size()) <= max_bytes;
    if (!fits && !(first && bytes.empty())) break;
    bytes.Append(batch.bytes());
  }
  return bytes;
}

FetchResponse::PartitionData AnswerOne(const Exchange& x, const FetchRequest& request,
                                       const Partition& asked, int64_t& room, bool& something) {
  FetchResponse::PartitionData answer{.partition_index = asked.index};
  answer.records = protocol::Records::Empty();
  const std::string name = asked.topic.empty() ? x.NameOf(asked.topic_id) : asked.topic;
  const FakePartition* partition = x.Held(name, asked.index, answer.error_code, asked.leader_epoch);
  if (x.verdict.error != ErrorCode::NONE) answer.error_code = x.verdict.error;
  something = true;
  if (partition == nullptr || answer.error_code != ErrorCode::NONE) return answer;
  const bool leads = partition->leader == x.self;
  const Offset limit = leads ? partition->end : partition->followers.at(x.self);
  if (leads && !request.rack_id.empty() && partition->preferred_read_replica.has_value() &&
      partition->preferred_read_replica != x.self) {
    answer.preferred_read_replica = partition->preferred_read_replica->value();
    answer.high_watermark = answer.last_stable_offset = limit.value();
    return answer;
  }
  if (asked.fetch_offset < partition->start || asked.fetch_offset > limit) {
    answer.error_code = ErrorCode::OFFSET_OUT_OF_RANGE;
    return answer;
  }
  answer.high_watermark = answer.last_stable_offset = limit.value();
  core::ByteChain bytes = Read(*partition, asked.fetch_offset, limit,
                               std::min<int64_t>(asked.max_bytes, room), room == request.max_bytes);
  room -= static_cast<int64_t>(bytes.size());
  something = !bytes.empty();
  answer.records = protocol::Records(std::move(bytes));
  return answer;
}

}  // namespace

core::Payload AnswerFetch(const Exchange& x) {
  const auto request = x.Decode<FetchRequest>();
  ++x.cluster.fetches[x.self];
  FetchResponse response;
  const std::shared_ptr<FakeSession> session =
      SessionOf(x, request, response.session_id, response.error_code);
  if (session == nullptr) return x.Encode(response);
  const bool full = request.session_epoch <= 0;
  const core::MonotonicTime until = x.env.clock.Now() + absl::Milliseconds(request.max_wait_ms);
  while (true) {
    bool any = false;
    int64_t room = request.max_bytes;
    std::vector<FetchResponse::PartitionData> answers;
    for (const Partition& asked : session->partitions) {
      bool something = false;
      answers.push_back(AnswerOne(x, request, asked, room, something));
      any = any || something;
    }
    if (!any && x.env.clock.Now() < until) {
      x.env.fibers.SleepFor(absl::Milliseconds(5));
      continue;
    }
    std::vector<Partition> at_the_end;
    std::vector<Partition> others;
    for (size_t i = 0; i < answers.size(); ++i) {
      Partition& asked = session->partitions[i];
      // [P15]
      const bool changed = Offset(answers[i].high_watermark) != asked.sent_high_watermark ||
                           answers[i].error_code != ErrorCode::NONE ||
                           answers[i].preferred_read_replica >= 0 || !answers[i].records.empty();
      asked.sent_high_watermark = answers[i].error_code == ErrorCode::NONE
                                      ? Offset(answers[i].high_watermark)
                                      : broker::kNoOffset;
      (answers[i].records.empty() ? others : at_the_end).push_back(asked);
      if (!full && !changed) continue;
      auto& out = response.responses.emplace_back();
      out.topic = asked.topic;
      out.topic_id = asked.topic_id;
      out.partitions.push_back(std::move(answers[i]));
    }
    // Those that gave records come last the next time.
    session->partitions = std::move(others);
    session->partitions.insert(session->partitions.end(), at_the_end.begin(), at_the_end.end());
    return x.Encode(response);
  }
}

}  // namespace highwater::tests
