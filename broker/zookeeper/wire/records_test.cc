#include "broker/zookeeper/wire/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/zookeeper/jute/jute.h"
#include "broker/zookeeper/wire/frame.h"
#include "broker/zookeeper/wire/multi.h"

namespace highwater::broker::zookeeper {
namespace {

// A visitor that gives every field an arbitrary value.
class Filler {
 public:
  void operator()(bool& value) { value = *rc::gen::arbitrary<bool>(); }
  void operator()(int32_t& value) { value = *rc::gen::arbitrary<int32_t>(); }
  void operator()(int64_t& value) { value = *rc::gen::arbitrary<int64_t>(); }
  void operator()(std::string& value) { value = *rc::gen::arbitrary<std::string>(); }
  void operator()(core::Bytes& value) {
    value = core::Bytes::Copy(*rc::gen::arbitrary<std::string>());
  }
  void operator()(std::optional<core::Bytes>& value) {
    value.reset();
    if (*rc::gen::arbitrary<bool>()) (*this)(value.emplace());
  }
  template <typename Tag, typename Rep>
  void operator()(core::StrongInt<Tag, Rep>& value) {
    value = core::StrongInt<Tag, Rep>(*rc::gen::arbitrary<Rep>());
  }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void operator()(Enum& value) {
    value = static_cast<Enum>(*rc::gen::arbitrary<int32_t>());
  }
  template <typename T>
  void operator()(std::vector<T>& values) {
    values.resize(*rc::gen::inRange<size_t>(0, 4));
    for (T& value : values) (*this)(value);
  }
  template <typename Record>
    requires requires(Record& record, Filler& filler) { Record::Visit(record, filler); }
  void operator()(Record& record) {
    Record::Visit(record, *this);
  }
};

template <typename Record>
Record Arbitrary() {
  Record record;
  Filler filler;
  filler(record);
  return record;
}

// One type for the properties of all records: RapidCheck's machinery is dear to compile.
bool Holds(const std::function<void()>& property) { return rc::check(property); }
bool HoldsForAny(const std::function<void(const std::string&)>& property) {
  return rc::check(property);
}

template <typename Record>
class RecordTest : public testing::Test {};
using Records =
    testing::Types<ConnectRequest, ConnectResponse, RequestHeader, ReplyHeader, WatcherEvent,
                   PathResponse, PathAndStatResponse, StatResponse, GetDataResponse, GetAclResponse,
                   GetChildrenResponse, GetChildren2Response, IntResponse, WhoAmIResponse,
                   SaslResponse, CreateRequest, CreateTtlRequest, DeleteRequest, ExistsRequest,
                   GetAclRequest, SetDataRequest, SetAclRequest, AuthPacket, SetWatchesRequest,
                   SetWatches2Request, AddWatchRequest, CheckWatchesRequest, SaslRequest,
                   PingRequest>;
TYPED_TEST_SUITE(RecordTest, Records);

TYPED_TEST(RecordTest, SurvivesARoundTripAndNoCutOfItParses) {
  EXPECT_TRUE(Holds([] {
    const TypeParam record = Arbitrary<TypeParam>();
    const core::Bytes bytes = ToJute(record);
    JuteReader reader(bytes);
    TypeParam back;
    reader(back);
    RC_ASSERT(reader.status().ok());
    RC_ASSERT(reader.remaining() == 0u);
    RC_ASSERT(back == record);
    if (bytes.empty()) return;
    JuteReader cut(bytes.Slice(0, *rc::gen::inRange<size_t>(0, bytes.size())));
    TypeParam half;
    cut(half);
    RC_ASSERT(!cut.status().ok());
  }));
}

TYPED_TEST(RecordTest, AnyBytesGiveAValueOrAnError) {
  EXPECT_TRUE(HoldsForAny([](const std::string& noise) {
    JuteReader reader(core::Bytes::Copy(noise));
    TypeParam record;
    reader(record);
    RC_ASSERT(reader.remaining() <= noise.size());
  }));
}

MultiOp ArbitraryOp(bool reads) {
  if (reads) {
    if (*rc::gen::arbitrary<bool>()) return Arbitrary<GetChildrenRequest>();
    return Arbitrary<GetDataRequest>();
  }
  switch (*rc::gen::inRange(0, 7)) {
    case 0:
      return Arbitrary<CreateRequest>();
    case 1:
      return Arbitrary<Create2Request>();
    case 2:
      return Arbitrary<CreateContainerRequest>();
    case 3:
      return Arbitrary<CreateTtlRequest>();
    case 4:
      return Arbitrary<DeleteRequest>();
    case 5:
      return Arbitrary<SetDataRequest>();
    default:
      return Arbitrary<CheckRequest>();
  }
}

// [1.6]
RC_GTEST_PROP(MultiTest, ARequestSurvivesARoundTrip, ()) {
  MultiRequest request;
  MultiReadRequest reads;
  for (int i = *rc::gen::inRange(0, 5); i > 0; --i) {
    request.ops.push_back(ArbitraryOp(false));
    reads.ops.push_back(ArbitraryOp(true));
  }
  MultiRequest request_back;
  MultiReadRequest reads_back;
  JuteReader(ToJute(request))(request_back);
  JuteReader(ToJute(reads))(reads_back);
  RC_ASSERT(request_back == request);
  RC_ASSERT(reads_back == reads);
}

TEST(MultiTest, AReadInAMultiAndAWriteInAMultiReadAreRefused) {
  JuteReader mixed(ToJute(MultiRequest{.ops = {GetDataRequest{.path = "/a"}}}));
  MultiRequest request;
  mixed(request);
  EXPECT_FALSE(mixed.status().ok());

  JuteReader other(ToJute(MultiReadRequest{.ops = {DeleteRequest{.path = "/a"}}}));
  MultiReadRequest reads;
  other(reads);
  EXPECT_FALSE(other.status().ok());
}

TEST(MultiTest, ASuccessfulAnswerKeepsItsBodies) {
  const MultiResponse answer{
      .results = {{.body = PathResponse{.path = "/a"}},
                  {.body = PathAndStatResponse{.path = "/b", .stat = {.version = 3}}},
                  {.body = StatResponse{.stat = {.version = 9}}},
                  {.body = Empty{}}}};
  JuteReader reader(ToJute(answer));
  MultiResponse back;
  reader(back);
  ASSERT_TRUE(reader.status().ok());
  EXPECT_EQ(back, answer);
  EXPECT_EQ(back.error(), ErrorCode::kOk);
}

// [1.6]
TEST(MultiTest, AFailedAnswerNamesTheFirstErrorOfAll) {
  const MultiResponse answer{.results = {{.error = ErrorCode::kOk},
                                         {.error = ErrorCode::kBadVersion},
                                         {.error = ErrorCode::kRuntimeInconsistency}}};
  JuteReader reader(ToJute(answer));
  MultiResponse back;
  reader(back);
  ASSERT_TRUE(reader.status().ok());
  EXPECT_EQ(back, answer);
  EXPECT_EQ(back.error(), ErrorCode::kBadVersion);
}

// [1.6]
TEST(MultiTest, AnEmptyMultiIsOnlyItsEnd) { EXPECT_EQ(ToJute(MultiRequest{}).size(), 9u); }

TEST(HandshakeTest, HasTheSizesThatServersAndClientsKnow) {
  ConnectRequest request{.timeout_ms = 4000, .password = core::Bytes::Zeros(kPasswordSize)};
  EXPECT_EQ(EncodeHandshake<ConnectRequest>({request, std::nullopt}).size(), 4u + 44);
  EXPECT_EQ(EncodeHandshake<ConnectRequest>({request, false}).size(), 4u + 45);
  ConnectResponse response{.timeout_ms = 4000, .password = core::Bytes::Zeros(kPasswordSize)};
  EXPECT_EQ(EncodeHandshake<ConnectResponse>({response, std::nullopt}).size(), 4u + 36);
  EXPECT_EQ(EncodeHandshake<ConnectResponse>({response, true}).size(), 4u + 37);
}

TEST(HandshakeTest, KeepsTheByteThatOldClientsLeaveOut) {
  for (const std::optional<bool> read_only :
       {std::optional<bool>(), std::optional<bool>(false), std::optional<bool>(true)}) {
    const Handshake<ConnectRequest> message{{.last_zxid_seen = Zxid(5)}, read_only};
    const core::Bytes frame = EncodeHandshake(message);
    const auto back = DecodeHandshake<ConnectRequest>(frame.Slice(4, frame.size() - 4));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, message);
  }
}

// [1.5]
TEST(FrameTest, AStatTakes68Bytes) { EXPECT_EQ(ToJute(Stat{}).size(), 68u); }

// [1.1]
TEST(FrameTest, FramesComeOutWholeHoweverTheBytesArrive) {
  const core::Bytes first =
      EncodeFrame(RequestHeader{Xid(1), OpCode::kGetData}, GetDataRequest{.path = "/a"});
  const core::Bytes second = EncodeFrame(RequestHeader{kPingXid, OpCode::kPing});
  const std::string stream = first.ToString() + second.ToString();
  for (size_t step = 1; step <= stream.size(); ++step) {
    FrameAssembler assembler(kDefaultMaxBuffer);
    std::vector<std::string> frames;
    for (size_t at = 0; at < stream.size(); at += step) {
      assembler.Add(core::ByteChain(core::Bytes::Copy(stream.substr(at, step))));
      while (const auto frame = assembler.Next()) frames.push_back(frame->ToString());
    }
    EXPECT_THAT(frames,
                testing::ElementsAre(first.ToString().substr(4), second.ToString().substr(4)));
    EXPECT_TRUE(assembler.empty());
  }
}

// [1.1]
TEST(FrameTest, ALengthBelowZeroOrAboveTheLimitEndsTheStream) {
  for (const int32_t length : {-1, 11}) {
    JuteWriter writer;
    writer(length);
    FrameAssembler assembler(10);
    assembler.Add(core::ByteChain(std::move(writer).Finish()));
    EXPECT_FALSE(assembler.Next().has_value());
    EXPECT_FALSE(assembler.status().ok());
  }
}

}  // namespace
}  // namespace highwater::broker::zookeeper
