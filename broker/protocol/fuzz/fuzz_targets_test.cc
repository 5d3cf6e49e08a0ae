// Runs the fuzzers' bodies over Kafka's own bytes, mutations of them and noise: without clang, in
// every test run.

#include "broker/protocol/fuzz/fuzz_targets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/protocol/compression.h"
#include "broker/protocol/frame.h"
#include "broker/protocol/testing/arbitrary_messages.h"
#include "broker/protocol/testing/message_table.h"
#include "broker/protocol/testing/vectors.h"

namespace highwater::broker::protocol::fuzz {
namespace {

using core::ByteChain;
using core::Bytes;

using Target = void (*)(absl::Span<const uint8_t>);

void RunOn(Target target, std::string_view input) {
  target({reinterpret_cast<const uint8_t*>(input.data()), input.size()});
}

// Each seed input as it is, mutated `rounds` times, and as much noise.
void RunAround(Target target, const std::vector<std::string>& inputs, int rounds) {
  core::KeyedRandom random(20261);
  for (const std::string& input : inputs) {
    RunOn(target, input);
    for (int i = 0; i < rounds; ++i) {
      RunOn(target, testing::Mutate(random, Bytes::Copy(input)).ToString());
    }
  }
  for (int i = 0; i < 200; ++i) {
    std::string noise(random.Below(64), ' ');
    for (char& c : noise) c = static_cast<char>(random.Below(256));
    RunOn(target, noise);
  }
}

TEST(FuzzTargetsTest, MessagesStand) {
  std::vector<std::string> inputs;
  const auto& all = testing::AllMessages();
  for (const auto& words : testing::ReadVectorFile("wire-vectors.txt")) {
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].name != words[0]) continue;
      const int version = std::stoi(words[1]) - all[i].lowest_version;
      inputs.push_back(std::string{static_cast<char>(i), static_cast<char>(version)} +
                       *testing::FromHex(words[3]));
    }
  }
  ASSERT_EQ(inputs.size(), 1040u);
  RunAround(FuzzMessage, inputs, 20);
}

TEST(FuzzTargetsTest, RecordBatchesStand) {
  std::vector<std::string> inputs;
  for (const auto& words : testing::ReadVectorFile("record-vectors.txt")) {
    inputs.push_back(*testing::FromHex(words[1]));
  }
  RunAround(FuzzRecordBatch, inputs, 500);
}

TEST(FuzzTargetsTest, DecompressionStands) {
  std::vector<std::string> inputs;
  const std::string data(3000, 'z');
  for (const char codec : {0, 1, 2, 3, 4}) {
    core::BytesBuilder compressed;
    ASSERT_TRUE(Compress(static_cast<Codec>(codec), data, compressed).ok());
    inputs.push_back(std::string(1, codec));
    inputs.back() += std::move(compressed).Freeze().view();
  }
  RunAround(FuzzDecompress, inputs, 500);
}

TEST(FuzzTargetsTest, FramesStand) {
  std::vector<std::string> inputs;
  testing::ArbitrarySource source(7);
  for (int16_t version = 0; version <= 13; ++version) {
    const auto fetch = testing::Arbitrary<FetchRequest>(source, version);
    const std::string frame =
        ToChain(*EncodeRequest(CorrelationId(1), "c", fetch, version)).ToString();
    inputs.push_back(frame + frame);
  }
  RunAround(FuzzFrame, inputs, 200);
}

}  // namespace
}  // namespace highwater::broker::protocol::fuzz
