#include "broker/controller/topic_store.h"

#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <optional>

#include "broker/controller/topic_rules.h"
#include "core/status_macros.h"

namespace highwater::broker {

namespace {

bool ParseNumber(std::string_view text, int64_t* value) {
  return absl::SimpleAtoi(absl::string_view(text.data(), text.size()), value) && *value >= 0;
}

// "name=value" at the front of `text`, up to a space; nullopt if it is not there.
std::optional<std::string_view> TakeField(std::string_view& text, std::string_view name) {
  if (text.substr(0, name.size()) != name || text.substr(name.size(), 1) != "=") {
    return std::nullopt;
  }
  text.remove_prefix(name.size() + 1);
  const size_t space = text.find(' ');
  const std::string_view value = text.substr(0, space);
  text = space == text.npos ? std::string_view() : text.substr(space + 1);
  return value;
}

std::string_view TakeWord(std::string_view& text) {
  const size_t space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  text = space == text.npos ? std::string_view() : text.substr(space + 1);
  return word;
}

bool ParseTopic(std::string_view rest, bool deleting, StoredTopics& topics) {
  const std::string_view name = TakeWord(rest);
  const auto id_text = TakeField(rest, "id");
  const auto count_text = TakeField(rest, "partitions");
  int64_t count = 0;
  if (!WhyIllegalTopicName(name).empty() || !id_text || !count_text || !rest.empty()) return false;
  const auto id = protocol::Uuid::Parse(*id_text);
  if (!id || !ParseNumber(*count_text, &count) || count < 1 || count > kMaxInt) return false;
  StoredTopic topic{.id = *id, .partitions = static_cast<int32_t>(count), .deleting = deleting};
  return topics.topics.emplace(name, std::move(topic)).second;
}

bool ParseConfig(std::string_view rest, StoredTopics& topics) {
  const auto topic = topics.topics.find(TakeWord(rest));
  const size_t equals = rest.find('=');
  if (topic == topics.topics.end() || equals == rest.npos) return false;
  return topic->second.overrides
      .emplace(std::string(rest.substr(0, equals)), std::string(rest.substr(equals + 1)))
      .second;
}

bool ParseLine(std::string_view key, std::string_view value, int line, StoredTopics& topics) {
  if (line == 1) return key == "version" && value == "0";
  if (line == 2) return key == "serial" && ParseNumber(value, &topics.serial);
  if (line == 3) {
    const auto id = protocol::Uuid::Parse(value);
    if (key != "cluster" || !id) return false;
    topics.cluster_id = *id;
    return true;
  }
  if (line == 4 && key == "starts") return ParseNumber(value, &topics.starts);
  if (key == "topic") return ParseTopic(value, false, topics);
  if (key == "deleting") return ParseTopic(value, true, topics);
  return key == "config" && ParseConfig(value, topics);
}

}  // namespace

std::string StoredTopics::ToText() const {
  std::string text =
      fmt::format("version: 0\nserial: {}\ncluster: {}\nstarts: {}\n", serial, cluster_id, starts);
  for (const auto& [name, topic] : topics) {
    text += fmt::format("{}: {} id={} partitions={}\n", topic.deleting ? "deleting" : "topic", name,
                        topic.id, topic.partitions);
    for (const auto& [key, value] : topic.overrides) {
      text += fmt::format("config: {} {}={}\n", name, key, value);
    }
  }
  return text;
}

absl::StatusOr<StoredTopics> StoredTopics::Parse(std::string_view text) {
  StoredTopics topics;
  int line = 0;
  while (!text.empty()) {
    ++line;
    const size_t end = text.find('\n');
    const std::string_view content = text.substr(0, end);
    const size_t colon = content.find(": ");
    // A line without its end is a torn file, even if it reads well so far.
    if (end == text.npos || colon == content.npos ||
        !ParseLine(content.substr(0, colon), content.substr(colon + 2), line, topics)) {
      return absl::DataLossError(fmt::format("line {} is malformed: \"{}\"", line, content));
    }
    text.remove_prefix(end + 1);
  }
  if (line < 3) return absl::DataLossError("the file ends too early");
  return topics;
}

absl::StatusOr<StoredTopics> TopicStore::Load(core::FileSystem& files,
                                              absl::Span<const std::string> directories) {
  StoredTopics newest;
  absl::Status damage;
  for (const std::string& directory : directories) {
    const std::string path = fmt::format("{}/{}", directory, kFileName);
    auto text = core::ReadWholeFile(files, path);
    if (absl::IsNotFound(text.status())) continue;
    auto topics = text.ok() ? StoredTopics::Parse(*text) : text.status();
    if (absl::IsCancelled(topics.status())) return topics.status();
    if (!topics.ok()) {
      damage.Update(
          absl::DataLossError(fmt::format("{}: {}", path, std::string(topics.status().message()))));
    } else if (topics->serial > newest.serial) {
      newest = *std::move(topics);
    }
  }
  if (newest.serial == 0 && !damage.ok()) return damage;
  return newest;
}

absl::Status TopicStore::Save(core::FileSystem& files, absl::Span<const std::string> directories,
                              const StoredTopics& topics) {
  const std::string text = topics.ToText();
  for (const std::string& directory : directories) {
    HW_RETURN_IF_ERROR(
        core::WriteFileAtomically(files, fmt::format("{}/{}", directory, kFileName), text));
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker
