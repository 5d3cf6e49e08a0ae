#include "broker/controller/topic_store.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker {
namespace {

StoredTopics Sample() {
  StoredTopics topics;
  topics.serial = 12;
  topics.cluster_id = {1, 2};
  topics.starts = 3;
  topics.topics["orders"] = {.id = {3, 4}, .partitions = 6, .overrides = {{"flush.messages", "1"}}};
  topics.topics["old"] = {.id = {5, 6}, .partitions = 1, .deleting = true};
  return topics;
}

TEST(TopicStoreTest, PrintsWhatItsHeaderShows) {
  EXPECT_EQ(Sample().ToText(),
            "version: 0\n"
            "serial: 12\n"
            "cluster: AAAAAAAAAAEAAAAAAAAAAg\n"
            "starts: 3\n"
            "deleting: old id=AAAAAAAAAAUAAAAAAAAABg partitions=1\n"
            "topic: orders id=AAAAAAAAAAMAAAAAAAAABA partitions=6\n"
            "config: orders flush.messages=1\n");
}

TEST(TopicStoreTest, ReadsWhatItPrints) {
  const auto read = StoredTopics::Parse(Sample().ToText());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, Sample());
}

TEST(TopicStoreTest, ATornFileIsAnError) {
  const std::string text = Sample().ToText();
  for (size_t length = 0; length < text.size(); ++length) {
    const auto read = StoredTopics::Parse(std::string_view(text).substr(0, length));
    const bool at_line_end = length > 0 && text[length - 1] == '\n';
    if (!at_line_end) {
      EXPECT_FALSE(read.ok()) << length;
    }
  }
}

TEST(TopicStoreTest, RefusesWhatItWouldNotHaveWritten) {
  const std::string head = "version: 0\nserial: 1\ncluster: AAAAAAAAAAEAAAAAAAAAAg\n";
  for (const char* line :
       {"topic: a", "topic: a id=x partitions=1", "config: unknown a=b",
        "topic: a id=AAAAAAAAAAEAAAAAAAAAAg partitions=0", "other: x", "starts: x", "starts: -1",
        "topic: a/b id=AAAAAAAAAAEAAAAAAAAAAg partitions=1"}) {
    EXPECT_FALSE(StoredTopics::Parse(head + line + "\n").ok()) << line;
  }
  EXPECT_TRUE(StoredTopics::Parse(head).ok());
  EXPECT_FALSE(StoredTopics::Parse("version: 1\nserial: 1\n").ok());
}

RC_GTEST_PROP(TopicStoreProperty, AnyTextGivesAValueOrAnError, ()) {
  std::string text = Sample().ToText();
  const auto changes = *rc::gen::container<std::vector<std::pair<size_t, char>>>(
      rc::gen::pair(rc::gen::inRange<size_t>(0, text.size()), rc::gen::arbitrary<char>()));
  for (const auto& [at, c] : changes) text[at] = c;
  const auto read = StoredTopics::Parse(text);
  // What it takes it keeps.
  if (read.ok()) {
    RC_ASSERT(*StoredTopics::Parse(read->ToText()) == *read);
  }
}

}  // namespace
}  // namespace highwater::broker
