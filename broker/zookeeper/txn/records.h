#pragma once

// Transactions: what a write has been decided to do. A transaction is a result, not a request: the
// name of a sequential node, the new version, the parent's new cversion are already in it, so that
// applying it needs no decision and applying it again changes nothing.
//
// Follows ZooKeeper facts 3.4 (layouts, the same in the log and between servers), 3.11 (applied
// again after a fuzzy snapshot). Not responsible for: deciding (server/), applying (tree/), files
// (log/).

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/zookeeper/jute/jute.h"
#include "broker/zookeeper/types.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

struct TxnHeader {
  SessionId client_id;
  Xid cxid;
  Zxid zxid;
  int64_t time = 0;  // the leader's wall clock, milliseconds since 1970
  OpCode type = OpCode::kError;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.client_id);
    visitor(self.cxid);
    visitor(self.zxid);
    visitor(self.time);
    visitor(self.type);
  }
  friend bool operator==(const TxnHeader&, const TxnHeader&) = default;
};

// Of create and create2.
struct CreateTxn {
  std::string path;
  std::optional<core::Bytes> data;
  std::vector<Acl> acl;
  bool ephemeral = false;
  int32_t parent_cversion = 0;  // the parent's count of creates afterwards

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.data);
    visitor(self.acl);
    visitor(self.ephemeral);
    visitor(self.parent_cversion);
  }
  friend bool operator==(const CreateTxn&, const CreateTxn&) = default;
};

struct CreateContainerTxn {
  std::string path;
  std::optional<core::Bytes> data;
  std::vector<Acl> acl;
  int32_t parent_cversion = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.data);
    visitor(self.acl);
    visitor(self.parent_cversion);
  }
  friend bool operator==(const CreateContainerTxn&, const CreateContainerTxn&) = default;
};

struct CreateTtlTxn {
  std::string path;
  std::optional<core::Bytes> data;
  std::vector<Acl> acl;
  int32_t parent_cversion = 0;
  int64_t ttl_ms = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.data);
    visitor(self.acl);
    visitor(self.parent_cversion);
    visitor(self.ttl_ms);
  }
  friend bool operator==(const CreateTtlTxn&, const CreateTtlTxn&) = default;
};

// Of delete and deleteContainer.
struct DeleteTxn {
  std::string path;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
  }
  friend bool operator==(const DeleteTxn&, const DeleteTxn&) = default;
};

struct SetDataTxn {
  std::string path;
  std::optional<core::Bytes> data;
  int32_t version = 0;  // the new one

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.data);
    visitor(self.version);
  }
  friend bool operator==(const SetDataTxn&, const SetDataTxn&) = default;
};

struct SetAclTxn {
  std::string path;
  std::vector<Acl> acl;
  int32_t version = 0;  // the new one

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.acl);
    visitor(self.version);
  }
  friend bool operator==(const SetAclTxn&, const SetAclTxn&) = default;
};

struct CheckVersionTxn {
  std::string path;
  int32_t version = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.version);
  }
  friend bool operator==(const CheckVersionTxn&, const CheckVersionTxn&) = default;
};

struct CreateSessionTxn {
  int32_t timeout_ms = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.timeout_ms);
  }
  friend bool operator==(const CreateSessionTxn&, const CreateSessionTxn&) = default;
};

struct CloseSessionTxn {
  std::vector<std::string> paths_to_delete;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.paths_to_delete);
  }
  friend bool operator==(const CloseSessionTxn&, const CloseSessionTxn&) = default;
};

// A write that was refused: it takes a zxid, so that its answer is ordered with the other writes
// [1.7].
struct ErrorTxn {
  ErrorCode error = ErrorCode::kSystemError;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.error);
  }
  friend bool operator==(const ErrorTxn&, const ErrorTxn&) = default;
};

// One part of a multi: its type and its record's bytes.
struct MultiTxnPart {
  OpCode type = OpCode::kError;
  core::Bytes data;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.type);
    visitor(self.data);
  }
  friend bool operator==(const MultiTxnPart&, const MultiTxnPart&) = default;
};

struct MultiTxn {
  std::vector<MultiTxnPart> parts;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.parts);
  }
  friend bool operator==(const MultiTxn&, const MultiTxn&) = default;
};

using TxnBody =
    std::variant<CreateTxn, CreateContainerTxn, CreateTtlTxn, DeleteTxn, SetDataTxn, SetAclTxn,
                 CheckVersionTxn, CreateSessionTxn, CloseSessionTxn, ErrorTxn, MultiTxn>;

struct Txn {
  TxnHeader header;
  TxnBody body;

  friend bool operator==(const Txn&, const Txn&) = default;
};

// Header and record, as in the log and in a proposal.
[[nodiscard]] core::Bytes EncodeTxn(const Txn& txn);
// Bytes behind the record (a digest) are left alone. InvalidArgument: the bytes do not parse or the
// type is unknown.
[[nodiscard]] absl::StatusOr<Txn> DecodeTxn(core::Bytes bytes);

// One part of a multi and its record.
[[nodiscard]] MultiTxnPart EncodePart(OpCode type, const TxnBody& body);
[[nodiscard]] absl::StatusOr<TxnBody> DecodePart(const MultiTxnPart& part);

}  // namespace highwater::broker::zookeeper
