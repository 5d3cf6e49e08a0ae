// Runs the fuzzer's body over requests of every kind, mutations of them and noise: without clang,
// in every test run.

#include "broker/zookeeper/server/fuzz/fuzz_targets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/zookeeper/wire/frame.h"
#include "broker/zookeeper/wire/multi.h"
#include "core/random.h"

namespace highwater::broker::zookeeper::fuzz {
namespace {

void RunOn(const std::string& input) {
  FuzzRequests({reinterpret_cast<const uint8_t*>(input.data()), input.size()});
}

template <typename Request>
std::string FrameOf(const Request& request) {
  return EncodeFrame(RequestHeader{.xid = Xid(7), .type = Request::kOp}, request).ToString();
}

std::string HandshakeFrame() {
  return EncodeHandshake(zookeeper::Handshake<ConnectRequest>{.record = {.timeout_ms = 4000},
                                                              .read_only = false})
      .ToString();
}

std::vector<std::string> Corpus() {
  const auto create = [](std::string path, CreateMode mode = CreateMode::kPersistent) {
    return CreateRequest{.path = std::move(path), .acl = OpenAcl(), .mode = mode};
  };
  const std::string a = FrameOf(create("/a"));
  std::vector<std::string> requests = {
      FrameOf(create("/a/b", CreateMode::kEphemeral)),
      FrameOf(create("/a/s-", CreateMode::kPersistentSequential)),
      FrameOf(CreateContainerRequest{"/a/c", {}, OpenAcl(), CreateMode::kContainer}),
      FrameOf(CreateTtlRequest{.path = "/t", .acl = OpenAcl(), .ttl_ms = 5}),
      FrameOf(DeleteRequest{"/a"}),
      FrameOf(SetDataRequest{.path = "/a"}),
      FrameOf(SetAclRequest{"/a", {{31, {"ip", "1.2.3.4/8"}}, {1, {"auth", ""}}}, 0}),
      FrameOf(GetAclRequest{"/a"}),
      FrameOf(ExistsRequest{"/a", true}),
      FrameOf(GetDataRequest{"/a", true}),
      FrameOf(GetChildren2Request{"/a", true}),
      FrameOf(MultiRequest{{create("/m"), CheckRequest{"/a", 0}, SetDataRequest{.path = "/m"},
                            DeleteRequest{"/m"}}}),
      FrameOf(MultiReadRequest{{GetDataRequest{"/a"}, GetChildrenRequest{"/"}}}),
      FrameOf(AuthPacket{.scheme = "digest", .auth = core::Bytes::Copy("u:p")}),
      FrameOf(SetWatchesRequest{Zxid(1), {"/a"}, {"/b"}, {"/"}}),
      FrameOf(SetWatches2Request{Zxid(1), {"/a"}, {"/b"}, {"/"}, {"/p"}, {"/r"}}),
      FrameOf(AddWatchRequest{"/", AddWatchMode::kPersistentRecursive}),
      FrameOf(RemoveWatchesRequest{"/"}),
      FrameOf(GetEphemeralsRequest{"/"}),
      FrameOf(GetAllChildrenNumberRequest{"/"}),
      FrameOf(WhoAmIRequest{}),
      FrameOf(SyncRequest{"/"}),
      FrameOf(CloseSessionRequest{}),
  };
  std::string all = HandshakeFrame() + a;
  for (std::string& request : requests) {
    all += request;
    request = HandshakeFrame() + a + request;
  }
  requests.push_back(all);
  return requests;
}

TEST(FuzzTargetsTest, RequestsStand) {
  core::KeyedRandom random(20263);
  for (const std::string& input : Corpus()) {
    RunOn(input);
    for (int i = 0; i < 300; ++i) {
      std::string mutated = input;
      // Mostly behind the handshake, and not the lengths only.
      for (uint64_t n = 1 + random.Below(4); n > 0; --n) {
        const uint64_t at = random.Below(mutated.size());
        mutated[at] = static_cast<char>(random.Below(2) == 0 ? random.Below(256) : random.Below(4));
      }
      RunOn(mutated);
    }
  }
  for (int i = 0; i < 200; ++i) {
    std::string noise(random.Below(64), ' ');
    for (char& c : noise) c = static_cast<char>(random.Below(256));
    RunOn(noise);
  }
}

}  // namespace
}  // namespace highwater::broker::zookeeper::fuzz
