#pragma once

// ClientConnection: the bytes of one client: frames in, answers out in order. What they mean is its
// host's business.
//
// Follows ZooKeeper facts 1.1 (frames), 6.1 (four-letter words come first or never).
//
// Invariants:
//   1. Without input or output it holds no fiber.
//   2. Output leaves in the order of Send; Finish closes behind it.
//   3. While its host says that it may not read, nothing is read or handed over.

#include <deque>
#include <memory>
#include <string_view>

#include "broker/zookeeper/tree/watch_manager.h"
#include "broker/zookeeper/wire/frame.h"
#include "core/environment.h"
#include "core/wait_group.h"

namespace highwater::broker::zookeeper {

class ClientConnection;

class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  virtual void OnFrame(ClientConnection& connection, core::Bytes frame) = 0;
  // The first four bytes. True: they were a four-letter word, and have been answered.
  virtual bool OnFirstWord(ClientConnection& connection, std::string_view word) = 0;
  // Asked again after something was sent: it may turn true only by what is sent to this connection.
  [[nodiscard]] virtual bool MayRead(const ClientConnection& connection) const = 0;
  // After this nothing more is said of it.
  virtual void OnClosed(ClientConnection& connection) = 0;
};

class ClientConnection final : public std::enable_shared_from_this<ClientConnection> {
 public:
  // `env`, `host` and `fibers` outlive it and its fibers.
  ClientConnection(core::Environment& env, ConnectionHost& host, core::WaitGroup& fibers,
                   ConnectionId id, std::unique_ptr<core::Connection> connection,
                   int32_t max_buffer);

  // Reads whatever comes.
  void Start() { AwaitInput(); }
  void Send(core::Bytes bytes);
  // Closes once everything is sent; reads nothing more.
  void Finish();
  // Closes at once.
  void Close();

  [[nodiscard]] ConnectionId id() const { return id_; }
  [[nodiscard]] const core::Endpoint& peer() const { return connection_->peer(); }
  [[nodiscard]] size_t unsent_bytes() const { return unsent_bytes_; }

 private:
  void AwaitInput();
  void AwaitInputUnlessPaused();
  void StartReading(bool readable);
  void Resume();
  void Read();
  void HandOver();
  void Write();

  core::Environment& env_;
  ConnectionHost& host_;
  core::WaitGroup& fibers_;
  ConnectionId id_;
  std::unique_ptr<core::Connection> connection_;
  FrameAssembler assembler_;
  std::deque<core::Bytes> output_;
  size_t unsent_bytes_ = 0;
  bool fresh_ = true;  // nothing was taken from it yet
  bool reading_ = false;
  bool paused_ = false;
  bool writing_ = false;
  bool finishing_ = false;
  bool closed_ = false;
};

}  // namespace highwater::broker::zookeeper
