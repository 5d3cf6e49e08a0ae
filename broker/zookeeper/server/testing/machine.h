#pragma once

// Machine: a server's machines without sockets, fibers or time: frames in, lines of text out. The
// test commits what was proposed. For tests.
//
//   Machine m;
//   m.Connect(1);                                     // and commits its session
//   m.Ask(1, CreateRequest{...});
//   m.Commit();
//   EXPECT_THAT(m.Take(), ElementsAre("1: reply 1 zxid 2"));

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "broker/zookeeper/server/prep_request_processor.h"
#include "broker/zookeeper/server/request_processor.h"

namespace highwater::broker::zookeeper::testing {

class Machine {
 public:
  explicit Machine(ServerConfig config = {.tick_time_ms = 1000});

  // A connection that has said nothing.
  void Open(uint64_t connection);
  void Handshake(uint64_t connection, const ConnectRequest& request, bool with_read_only = true);
  // Open, a new session, committed; says nothing of it in Take. Its requests have the xids 1, 2, …
  void Connect(uint64_t connection, int32_t timeout_ms = 4000);
  // To the session of `other`, with the right password.
  void Reattach(uint64_t connection, uint64_t other, int32_t timeout_ms = 4000);

  template <typename Request>
  void Ask(uint64_t connection, const Request& request) {
    AskWith(connection, Xid(++xids_[connection]), request);
  }
  template <typename Request>
  void AskWith(uint64_t connection, Xid xid, const Request& request) {
    Frame(connection, xid, Request::kOp, ToJute(request));
  }
  void Frame(uint64_t connection, Xid xid, OpCode op, core::Bytes body);
  // A frame without its length, whatever is in it.
  void Receive(uint64_t connection, core::Bytes frame);

  // The oldest `n` proposals.
  void Commit(size_t n = 1);
  void CommitAll() { Commit(proposed.size()); }
  // Proposes the end of every session whose time has come.
  void Expire();
  void Tick();
  void Advance(int64_t ms) { at.now_ms += ms; }

  // What was done since, a line each.
  [[nodiscard]] std::vector<std::string> Take() { return std::exchange(lines_, {}); }
  // The last answer's body to this connection.
  template <typename Response>
  [[nodiscard]] Response Last(uint64_t connection) {
    JuteReader reader(last_.at(connection));
    Response response;
    reader(response);
    return response;
  }
  [[nodiscard]] SessionId SessionOf(uint64_t connection) { return sessions_of_.at(connection); }

  ServerConfig config;
  ZooKeeperRules rules;
  DataTree tree;
  SessionTracker sessions;
  SessionIds ids;
  PrepRequestProcessor prep;
  RequestProcessor processor;
  std::deque<Txn> proposed;
  RequestProcessor::Instant at{.now_ms = 100'000, .wall_ms = 1'000'000};

 private:
  void Perform(Effects effects);
  void Propose(const ClientRequest& request);
  void Do(const Send& send, Effects& more);
  void Do(const CloseConnection& close, Effects& more);
  void Do(const Submit& submit, Effects& more);
  void Do(const Revalidate& revalidate, Effects& more);
  [[nodiscard]] std::string DescribeFrame(uint64_t connection, core::Bytes frame);

  std::vector<std::string> lines_;
  std::map<uint64_t, int32_t> xids_;
  std::map<uint64_t, core::Bytes> last_;
  std::map<uint64_t, SessionId> sessions_of_;  // also says that the handshake is over
};

}  // namespace highwater::broker::zookeeper::testing
