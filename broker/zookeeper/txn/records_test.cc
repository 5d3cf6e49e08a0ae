#include "broker/zookeeper/txn/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

const std::vector<std::pair<OpCode, TxnBody>>& EveryKind() {
  static const auto& kinds = *new std::vector<std::pair<OpCode, TxnBody>>{
      {OpCode::kCreate, CreateTxn{"/a", core::Bytes::Copy("x"), OpenAcl(), true, 4}},
      {OpCode::kCreate2, CreateTxn{"/a", std::nullopt, OpenAcl(), false, 1}},
      {OpCode::kCreateContainer, CreateContainerTxn{"/c", core::Bytes(), OpenAcl(), 2}},
      {OpCode::kCreateTtl, CreateTtlTxn{"/t", std::nullopt, OpenAcl(), 3, 5000}},
      {OpCode::kDelete, DeleteTxn{"/a"}},
      {OpCode::kDeleteContainer, DeleteTxn{"/c"}},
      {OpCode::kSetData, SetDataTxn{"/a", core::Bytes::Copy("yz"), 7}},
      {OpCode::kSetAcl, SetAclTxn{"/a", OpenAcl(), 1}},
      {OpCode::kCheck, CheckVersionTxn{"/a", 7}},
      {OpCode::kCreateSession, CreateSessionTxn{6000}},
      {OpCode::kCloseSession, CloseSessionTxn{{"/a", "/b"}}},
      {OpCode::kError, ErrorTxn{ErrorCode::kNoNode}},
      {OpCode::kMulti, MultiTxn{{EncodePart(OpCode::kDelete, DeleteTxn{"/a"})}}},
  };
  return kinds;
}

// [3.4]
TEST(TxnTest, EveryKindSurvivesARoundTripAndNoCutOfItParses) {
  for (const auto& [type, body] : EveryKind()) {
    const Txn txn{{SessionId(9), Xid(3), Zxid(0x100000002), 1234, type}, body};
    const core::Bytes bytes = EncodeTxn(txn);
    const absl::StatusOr<Txn> back = DecodeTxn(bytes);
    ASSERT_TRUE(back.ok()) << OpCodeName(type);
    EXPECT_EQ(*back, txn) << OpCodeName(type);
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      // A closeSession without its paths is the form of an older server.
      if (type == OpCode::kCloseSession && cut == ToJute(txn.header).size()) continue;
      EXPECT_FALSE(DecodeTxn(bytes.Slice(0, cut)).ok()) << OpCodeName(type) << " cut at " << cut;
    }
  }
}

TEST(TxnTest, APartOfAMultiSurvivesARoundTrip) {
  for (const auto& [type, body] : EveryKind()) {
    const absl::StatusOr<TxnBody> back = DecodePart(EncodePart(type, body));
    ASSERT_TRUE(back.ok()) << OpCodeName(type);
    EXPECT_EQ(*back, body) << OpCodeName(type);
  }
}

TEST(TxnTest, AnUnknownTypeIsRefusedByName) {
  const Txn txn{{.type = OpCode::kExists}, DeleteTxn{"/a"}};
  const absl::StatusOr<Txn> back = DecodeTxn(EncodeTxn(txn));
  ASSERT_FALSE(back.ok());
  EXPECT_THAT(std::string(back.status().message()), testing::HasSubstr("exists"));
}

TEST(TxnTest, ADigestBehindTheRecordIsLeftAlone) {
  const Txn txn{{.type = OpCode::kDelete}, DeleteTxn{"/a"}};
  const core::Bytes bytes = EncodeTxn(txn);
  const std::string with_digest = bytes.ToString() + std::string(12, '\1');
  EXPECT_EQ(*DecodeTxn(core::Bytes::Copy(with_digest)), txn);
}

RC_GTEST_PROP(TxnTest, AnyBytesGiveATransactionOrAnError, (const std::string& noise)) {
  const absl::StatusOr<Txn> txn = DecodeTxn(core::Bytes::Copy(noise));
  RC_ASSERT(txn.ok() || !txn.status().message().empty());
}

}  // namespace
}  // namespace highwater::broker::zookeeper
