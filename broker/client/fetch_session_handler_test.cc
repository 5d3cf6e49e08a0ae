#include "broker/client/fetch_session_handler.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <map>

namespace highwater::broker::client {
namespace {

using protocol::ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;
using protocol::Uuid;

constexpr Uuid kId{.high = 1, .low = 1};

SessionPartition P(int index, int64_t offset, Uuid topic_id = kId) {
  return {.id = {"t", PartitionIndex(index)},
          .topic_id = topic_id,
          .fetch_offset = Offset(offset),
          .current_leader_epoch = LeaderEpoch(0),
          .max_bytes = 100};
}

FetchResponse Answer(int32_t session, const std::vector<int32_t>& partitions) {
  FetchResponse response;
  response.session_id = session;
  auto& topic = response.responses.emplace_back();
  topic.topic_id = kId;
  for (const int32_t index : partitions) topic.partitions.push_back({.partition_index = index});
  return response;
}

FetchResponse Refusal(ErrorCode error) {
  FetchResponse response;
  response.error_code = error;
  return response;
}

std::vector<int32_t> Listed(const FetchRequest& request) {
  std::vector<int32_t> indexes;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) indexes.push_back(partition.partition);
  }
  return indexes;
}

std::vector<int32_t> Forgotten(const FetchRequest& request) {
  std::vector<int32_t> indexes;
  for (const auto& topic : request.forgotten_topics_data) {
    indexes.insert(indexes.end(), topic.partitions.begin(), topic.partitions.end());
  }
  return indexes;
}

class FetchSessionHandlerTest : public ::testing::Test {
 protected:
  FetchRequest& Build(std::vector<SessionPartition> wanted) {
    session.Build(std::move(wanted), request);
    return request;
  }
  void Establish() {
    Build({P(0, 0), P(1, 0)});
    ASSERT_TRUE(session.HandleResponse(Answer(42, {0, 1})));
  }
  FetchSessionHandler session;
  FetchRequest request;
};

TEST_F(FetchSessionHandlerTest, TheFirstRequestIsFullAndAsksForASession) {
  Build({P(1, 5), P(0, 7)});
  EXPECT_EQ(request.session_id, 0);
  EXPECT_EQ(request.session_epoch, 0);
  EXPECT_EQ(Listed(request), (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(request.topics[0].partitions[0].fetch_offset, 5);
}

TEST_F(FetchSessionHandlerTest, AnIncrementalRequestListsWhatChangedAndForgetsWhatWent) {
  Establish();
  Build({P(1, 9), P(2, 0)});
  EXPECT_EQ(request.session_id, 42);
  EXPECT_EQ(request.session_epoch, 1);
  EXPECT_EQ(Listed(request), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(Forgotten(request), (std::vector<int32_t>{0}));
  ASSERT_TRUE(session.HandleResponse(Answer(42, {})));
  Build({P(1, 9), P(2, 0)});
  EXPECT_EQ(request.session_epoch, 2);
  EXPECT_TRUE(request.topics.empty());
  EXPECT_TRUE(request.forgotten_topics_data.empty());
}

TEST_F(FetchSessionHandlerTest, WithoutASessionEveryRequestIsFull) {
  Build({P(0, 0)});
  ASSERT_TRUE(session.HandleResponse(Answer(0, {0})));
  Build({P(0, 0)});
  EXPECT_EQ(request.session_epoch, 0);
  EXPECT_EQ(Listed(request), (std::vector<int32_t>{0}));
}

TEST_F(FetchSessionHandlerTest, AForgottenSessionIsReplacedByANewOne) {
  Establish();
  Build({P(0, 3)});
  EXPECT_FALSE(session.HandleResponse(Refusal(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)));
  Build({P(0, 3)});
  EXPECT_EQ(request.session_id, 0);
  EXPECT_EQ(request.session_epoch, 0);
  EXPECT_EQ(Listed(request), (std::vector<int32_t>{0}));
  EXPECT_TRUE(Forgotten(request).empty());
}

TEST_F(FetchSessionHandlerTest, AWrongEpochClosesTheSessionAndAsksForAnother) {
  Establish();
  Build({P(0, 3)});
  EXPECT_FALSE(session.HandleResponse(Refusal(ErrorCode::INVALID_FETCH_SESSION_EPOCH)));
  Build({P(0, 3)});
  EXPECT_EQ(request.session_id, 42);
  EXPECT_EQ(request.session_epoch, 0);
}

TEST_F(FetchSessionHandlerTest, ALostAnswerClosesTheSessionAndAsksForAnother) {
  Establish();
  Build({P(0, 3)});
  session.HandleError();
  Build({P(0, 3)});
  EXPECT_EQ(request.session_id, 42);
  EXPECT_EQ(request.session_epoch, 0);
  EXPECT_EQ(Listed(request), (std::vector<int32_t>{0}));
}

TEST_F(FetchSessionHandlerTest, TheBrokerMayCloseTheSession) {
  Establish();
  Build({P(0, 3)});
  EXPECT_TRUE(session.HandleResponse(Answer(0, {})));
  Build({P(0, 3)});
  EXPECT_EQ(request.session_id, 0);
  EXPECT_EQ(request.session_epoch, 0);
}

TEST_F(FetchSessionHandlerTest, AFullAnswerThatLacksAPartitionOrHasOneMoreIsNotBelieved) {
  Build({P(0, 0), P(1, 0)});
  EXPECT_FALSE(session.HandleResponse(Answer(42, {0})));
  Build({P(0, 0), P(1, 0)});
  EXPECT_EQ(request.session_epoch, 0);
  EXPECT_FALSE(session.HandleResponse(Answer(42, {0, 1, 2})));
  EXPECT_EQ(session.session_id(), 0);
}

TEST_F(FetchSessionHandlerTest, AnIncrementalAnswerWithAStrangePartitionIsNotBelieved) {
  Establish();
  Build({P(0, 3)});
  EXPECT_FALSE(session.HandleResponse(Answer(42, {1})));
  EXPECT_EQ(session.session_epoch(), 0);
  EXPECT_EQ(session.session_id(), 42);
}

TEST_F(FetchSessionHandlerTest, ATopicWithAnotherIdIsForgottenUnderTheOldOne) {
  Establish();
  const Uuid other{.high = 2, .low = 2};
  Build({P(0, 0, other), P(1, 0)});
  ASSERT_EQ(request.forgotten_topics_data.size(), 1u);
  EXPECT_EQ(request.forgotten_topics_data[0].topic_id, kId);
  EXPECT_EQ(Forgotten(request), (std::vector<int32_t>{0}));
  ASSERT_EQ(Listed(request), (std::vector<int32_t>{0}));
  EXPECT_EQ(request.topics[0].topic_id, other);
}

TEST_F(FetchSessionHandlerTest, TopicIdsAreUsedIfEveryPartitionHasOne) {
  Build({P(0, 0)});
  EXPECT_TRUE(session.uses_topic_ids());
  Build({P(0, 0), P(1, 0, {})});
  EXPECT_FALSE(session.uses_topic_ids());
}

TEST_F(FetchSessionHandlerTest, FindsByNameAndById) {
  Build({P(0, 3)});
  EXPECT_EQ(session.Find("t", {}, 0)->fetch_offset, Offset(3));
  EXPECT_EQ(session.Find("", kId, 0)->fetch_offset, Offset(3));
  EXPECT_EQ(session.Find("", {.high = 9, .low = 9}, 0), nullptr);
  EXPECT_EQ(session.Find("t", {}, 1), nullptr);
}

TEST(FetchSessionHandlerEpochTest, TheEpochWrapsToOne) {
  EXPECT_EQ(FetchSessionHandler::NextEpoch(0), 1);
  EXPECT_EQ(FetchSessionHandler::NextEpoch(std::numeric_limits<int32_t>::max()), 1);
}

// A broker that keeps sessions by the book, and loses them, its answers or its patience at times.
struct ModelBroker {
  int32_t next_id = 1;
  int32_t id = 0;
  int32_t epoch = 0;
  std::map<int32_t, int64_t> remembered;

  ErrorCode Take(const FetchRequest& request) {
    if (request.session_epoch == 0) {
      remembered.clear();
      id = next_id++;
      epoch = 0;
    } else {
      if (request.session_id != id) return ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
      if (request.session_epoch != epoch + 1) return ErrorCode::INVALID_FETCH_SESSION_EPOCH;
      ++epoch;
    }
    for (const auto& topic : request.forgotten_topics_data) {
      for (const int32_t index : topic.partitions) RC_ASSERT(remembered.erase(index) == 1u);
    }
    for (const auto& topic : request.topics) {
      for (const auto& p : topic.partitions) remembered[p.partition] = p.fetch_offset;
    }
    return ErrorCode::NONE;
  }
};

// Whenever the broker accepts a request it fetches exactly what the consumer wants.
RC_GTEST_PROP(FetchSessionHandlerEpochTest, BrokerAndConsumerAgreeOnWhatIsFetched, ()) {
  FetchSessionHandler session;
  ModelBroker broker;
  const int steps = *rc::gen::inRange(1, 30);
  for (int step = 0; step < steps; ++step) {
    const int mask = *rc::gen::inRange(0, 64);
    std::vector<int> indexes;
    for (int i = 0; i < 6; ++i) {
      if ((mask >> i & 1) != 0) indexes.push_back(i);
    }
    std::map<int32_t, int64_t> wanted;
    std::vector<SessionPartition> partitions;
    for (const int index : indexes) {
      wanted[index] = *rc::gen::inRange(0, 3);
      partitions.push_back(P(index, wanted[index]));
    }
    if (*rc::gen::inRange(0, 8) == 0) broker.id = 0;  // evicted
    FetchRequest request;
    session.Build(partitions, request);
    const bool full = request.session_epoch == 0;
    const ErrorCode error = broker.Take(request);
    RC_ASSERT(error == ErrorCode::NONE || !full);
    if (error == ErrorCode::NONE) RC_ASSERT(broker.remembered == wanted);
    if (*rc::gen::inRange(0, 8) == 0) {
      session.HandleError();
      continue;
    }
    FetchResponse answer =
        Answer(broker.id, full ? std::vector<int32_t>(indexes.begin(), indexes.end())
                               : std::vector<int32_t>());
    if (error != ErrorCode::NONE) answer = Refusal(error);
    RC_ASSERT(session.HandleResponse(answer) == (error == ErrorCode::NONE));
  }
}

}  // namespace
}  // namespace highwater::broker::client
