// Connections: bytes, ends, back-pressure, files, many at once.

#include "tests/conformance/streams.h"

namespace highwater::conformance {
namespace {

using core::ByteChain;
using core::Bytes;
using core::Connection;
using core::Environment;
using core::Payload;

class StreamsTest : public StreamTest {};

TEST_P(StreamsTest, Echoes) {
  RunPair(
      [](Environment& env, Connection& connection) {
        auto request = ReadUpTo(connection, 9, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(request);
        EXPECT_EQ(*request, "highwater");
        HW_EXPECT_OK(connection.Write(ToPayload(*request + "!"), In(env, absl::Seconds(20))));
      },
      [](Environment& env, Connection& connection) {
        Payload payload;
        payload.Append(Bytes::Copy("high"));
        payload.Append(ByteChain{Bytes::Copy("wat"), Bytes::Copy("er")});
        HW_EXPECT_OK(connection.Write(payload, In(env, absl::Seconds(20))));
        auto answer = ReadUpTo(connection, 100, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(answer);
        EXPECT_EQ(*answer, "highwater!");
      });
}

TEST_P(StreamsTest, BothEndsKnowEachOther) {
  core::Endpoint server_local, server_peer, client_local, client_peer;
  RunPair(
      [&](Environment&, Connection& connection) {
        server_local = connection.local();
        server_peer = connection.peer();
      },
      [&](Environment&, Connection& connection) {
        client_local = connection.local();
        client_peer = connection.peer();
      });
  EXPECT_EQ(server_local.port, client_peer.port);
  EXPECT_EQ(client_local.port, server_peer.port);
  EXPECT_NE(server_local, client_local);
  EXPECT_EQ(server_peer.host, client_local.host);
  EXPECT_FALSE(server_peer.host.empty());
}

TEST_P(StreamsTest, AReadReturnsWhatIsThereUpToItsMaximum) {
  RunPair(
      [](Environment& env, Connection& connection) {
        HW_EXPECT_OK(connection.Write(ToPayload("abcdef"), In(env, absl::Seconds(20))));
      },
      [](Environment& env, Connection& connection) {
        auto first = connection.Read(2, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(first);
        EXPECT_GE(first->size(), 1u);
        EXPECT_LE(first->size(), 2u);
        auto rest = ReadUpTo(connection, 100, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(rest);
        EXPECT_EQ(first->ToString() + *rest, "abcdef");
      });
}

TEST_P(StreamsTest, TheReaderSeesAllBytesThenTheEnd) {
  const std::string content(300'000, 'x');
  RunPair(
      [&](Environment& env, Connection& connection) {
        HW_EXPECT_OK(connection.Write(ToPayload(content), In(env, absl::Seconds(20))));
        connection.Close();
        connection.Close();
        HW_EXPECT_CODE(connection.Write(ToPayload("late"), In(env, absl::Seconds(20))),
                       kFailedPrecondition);
        HW_EXPECT_CODE(connection.Read(1, In(env, absl::Seconds(20))), kFailedPrecondition);
        HW_EXPECT_CODE(connection.TryRead(1), kFailedPrecondition);
      },
      [&](Environment& env, Connection& connection) {
        auto read = ReadUpTo(connection, content.size() + 1, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(read);
        EXPECT_TRUE(*read == content);
        for (int i = 0; i < 2; ++i) {  // the end stays the end
          auto end = connection.Read(1, In(env, absl::Seconds(20)));
          HW_ASSERT_OK(end);
          EXPECT_TRUE(end->empty());
        }
      });
}

// A server that answers and hangs up while the client still sends must not take its answer back.
TEST_P(StreamsTest, CloseWithUnreadInputLosesNothingThatWasWritten) {
  const std::string answer(200'000, 'a');
  bool sent = false;
  RunPair(
      [&](Environment& env, Connection& connection) {
        Await(env, [&sent] { return sent; });
        HW_EXPECT_OK(connection.Write(ToPayload(answer), In(env, absl::Seconds(20))));
        connection.Close();
      },
      [&](Environment& env, Connection& connection) {
        HW_EXPECT_OK(
            connection.Write(ToPayload(std::string(20'000, 'q')), In(env, absl::Seconds(20))));
        sent = true;
        env.fibers.SleepFor(absl::Milliseconds(20));
        auto read = ReadUpTo(connection, answer.size() + 1, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(read);
        EXPECT_TRUE(*read == answer);
      });
}

TEST_P(StreamsTest, AWriterLearnsThatItsPeerIsGone) {
  bool closed = false;
  RunPair(
      [&](Environment&, Connection& connection) {
        connection.Close();
        closed = true;
      },
      [&](Environment& env, Connection& connection) {
        Await(env, [&closed] { return closed; });
        absl::Status status;
        for (int i = 0; i < 1000 && status.ok(); ++i) {
          status = connection.Write(ToPayload("into the void"), In(env, absl::Seconds(20)));
          env.fibers.SleepFor(absl::Milliseconds(10));
        }
        HW_EXPECT_CODE(status, kAborted);
      });
}

TEST_P(StreamsTest, AWriterWaitsForAReaderThatDoesNotRead) {
  const std::string block(1 << 20, 'b');
  bool stuck = false;
  RunPair(
      [&](Environment& env, Connection& connection) {
        absl::Status status;
        size_t written = 0;
        while (status.ok() && written < (size_t{256} << 20)) {
          status = connection.Write(ToPayload(block), In(env, absl::Milliseconds(200)));
          if (status.ok()) written += block.size();
        }
        HW_EXPECT_CODE(status, kDeadlineExceeded);
        stuck = true;
      },
      [&](Environment& env, Connection& connection) {
        Await(env, [&stuck] { return stuck; });
        auto read = ReadUpTo(connection, 1000, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(read);
        EXPECT_EQ(*read, std::string(1000, 'b'));
      });
}

TEST_P(StreamsTest, BackPressureLetsAllBytesThroughInOrder) {
  constexpr size_t kBlocks = 64;
  constexpr size_t kBlock = 100'000;
  RunPair(
      [](Environment& env, Connection& connection) {
        for (size_t i = 0; i < kBlocks; ++i) {
          const std::string block(kBlock, static_cast<char>('A' + i % 26));
          HW_ASSERT_OK(connection.Write(ToPayload(block), In(env, absl::Seconds(20))));
        }
      },
      [](Environment& env, Connection& connection) {
        env.fibers.SleepFor(absl::Milliseconds(50));
        for (size_t i = 0; i < kBlocks; ++i) {
          auto block = ReadUpTo(connection, kBlock, In(env, absl::Seconds(20)));
          HW_ASSERT_OK(block);
          ASSERT_TRUE(*block == std::string(kBlock, static_cast<char>('A' + i % 26))) << i;
        }
      });
}

TEST_P(StreamsTest, BothDirectionsFlowAtOnce) {
  static constexpr size_t kTotal = 3'000'000;
  const auto side = [](Environment& env, Connection& connection) {
    bool written = false;
    env.fibers.Spawn("writer", [&] {
      HW_EXPECT_OK(
          connection.Write(ToPayload(std::string(kTotal, 'd')), In(env, absl::Seconds(20))));
      written = true;
    });
    auto read = ReadUpTo(connection, kTotal, In(env, absl::Seconds(20)));
    HW_EXPECT_OK(read);
    EXPECT_TRUE(read.ok() && read->size() == kTotal);
    Await(env, [&written] { return written; });
  };
  RunPair(side, side);
}

TEST_P(StreamsTest, FileRangesArriveByteForByte) {
  std::string content;
  for (int i = 0; content.size() < 700'000; ++i) content += fmt::format("{};", i * 7919);
  RunPair(
      [&](Environment& env, Connection& connection) {
        auto file = env.files.Open("segment", core::OpenMode::kCreate);
        HW_ASSERT_OK(file);
        HW_ASSERT_OK((*file)->WriteAt(0, Bytes::Copy(content)));
        Payload payload;
        payload.Append(Bytes::Copy("head"));
        payload.Append(core::FileRange{.file = *file, .offset = 1000, .length = 500'000});
        payload.Append(Bytes::Copy("middle"));
        payload.Append(core::FileRange{.file = *file, .offset = 3, .length = 10});
        payload.Append(core::FileRange{.file = *file, .offset = 600'000, .length = 100'000});
        HW_EXPECT_OK(connection.Write(payload, In(env, absl::Seconds(20))));
      },
      [&](Environment& env, Connection& connection) {
        const std::string expected = "head" + content.substr(1000, 500'000) + "middle" +
                                     content.substr(3, 10) + content.substr(600'000, 100'000);
        auto read = ReadUpTo(connection, expected.size() + 1, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(read);
        EXPECT_TRUE(*read == expected);
      });
}

TEST_P(StreamsTest, AFileRangeSurvivesTheRemovalOfItsName) {
  RunPair(
      [](Environment& env, Connection& connection) {
        Payload payload;
        {
          auto file = env.files.Open("segment", core::OpenMode::kCreate);
          HW_ASSERT_OK(file);
          HW_ASSERT_OK((*file)->WriteAt(0, Bytes::Copy("deleted segment")));
          payload.Append(core::FileRange{.file = *file, .offset = 0, .length = 15});
        }
        HW_ASSERT_OK(env.files.Remove("segment"));
        HW_EXPECT_OK(connection.Write(payload, In(env, absl::Seconds(20))));
      },
      [](Environment& env, Connection& connection) {
        auto read = ReadUpTo(connection, 15, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(read);
        EXPECT_EQ(*read, "deleted segment");
      });
}

TEST_P(StreamsTest, AFileRangeShorterThanPromisedEndsTheConnection) {
  RunPair(
      [](Environment& env, Connection& connection) {
        auto file = env.files.Open("segment", core::OpenMode::kCreate);
        HW_ASSERT_OK(file);
        HW_ASSERT_OK((*file)->WriteAt(0, Bytes::Copy("0123456789")));
        Payload payload;
        payload.Append(core::FileRange{.file = *file, .offset = 5, .length = 10});
        HW_EXPECT_CODE(connection.Write(payload, In(env, absl::Seconds(20))), kDataLoss);
      },
      [](Environment& env, Connection& connection) {
        auto read = ReadUpTo(connection, 10, In(env, absl::Seconds(20)));
        if (read.ok()) {
          EXPECT_LE(read->size(), 5u);
        } else {
          HW_EXPECT_CODE(read, kAborted);
        }
      });
}

TEST_P(StreamsTest, ManyConnectionsAtOnce) {
  constexpr int kConnections = 150;
  uint16_t port = 0;
  int served = 0;
  int answered = 0;
  world_->RunNodes(
      {[&](Environment& env) {
         auto listener = env.network.Listen({.host = "", .port = 0});
         HW_ASSERT_OK(listener);
         port = (*listener)->local().port;
         for (int i = 0; i < kConnections; ++i) {
           auto accepted = (*listener)->Accept(In(env, absl::Seconds(20)));
           HW_ASSERT_OK(accepted);
           env.fibers.Spawn("serve", [&env, &served, c = std::shared_ptr(*std::move(accepted))] {
             for (int n = 0; n < 10; ++n) {
               auto request = ReadUpTo(*c, 8, In(env, absl::Seconds(20)));
               HW_ASSERT_OK(request);
               HW_ASSERT_OK(c->Write(ToPayload(*request), In(env, absl::Seconds(20))));
             }
             ++served;
           });
         }
         Await(env, [&] { return served == kConnections; });
       },
       [&](Environment& env) {
         Await(env, [&port] { return port != 0; });
         for (int i = 0; i < kConnections; ++i) {
           env.fibers.Spawn("client", [&, i] {
             auto c = env.network.Dial({.host = world_->HostOf(0), .port = port},
                                       In(env, absl::Seconds(20)));
             HW_ASSERT_OK(c);
             for (int n = 0; n < 10; ++n) {
               const std::string request = fmt::format("{:4}{:4}", i, n);
               HW_ASSERT_OK((*c)->Write(ToPayload(request), In(env, absl::Seconds(20))));
               auto answer = ReadUpTo(**c, 8, In(env, absl::Seconds(20)));
               HW_ASSERT_OK(answer);
               ASSERT_EQ(*answer, request);
             }
             ++answered;
           });
         }
         Await(env, [&] { return answered == kConnections; });
       }});
  EXPECT_EQ(served, kConnections);
  EXPECT_EQ(answered, kConnections);
}

HW_CONFORMANCE_SUITE(StreamsTest);

}  // namespace
}  // namespace highwater::conformance
