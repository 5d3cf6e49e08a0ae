#include "broker/storage/checkpoint_file.h"

#include <charconv>

#include "core/status_macros.h"

namespace highwater::broker::storage {
namespace {

// Lines of a text, each ended by '\n' or the end.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  std::string_view Next() {
    ++number_;
    const size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
  [[nodiscard]] absl::Status Error(std::string_view what) const {
    return absl::InvalidArgumentError(fmt::format("line {}: {}", number_, what));
  }

 private:
  std::string_view rest_;
  int number_ = 0;
};

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// The words of a line; nothing if their number is not `N`.
template <size_t N>
bool Split(std::string_view line, std::string_view (&words)[N]) {
  for (size_t i = 0; i < N; ++i) {
    const size_t space = i + 1 < N ? line.find(' ') : line.size();
    if (space == std::string_view::npos || space == 0) return false;
    words[i] = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  return words[N - 1].find(' ') == std::string_view::npos;
}

// Reads "0", the number of entries, then as many lines with `parse`.
template <typename Entry, typename Parse>
absl::StatusOr<std::vector<Entry>> ParseCheckpoint(std::string_view text, Parse parse) {
  LineReader lines(text);
  int version = 0;
  if (!ParseNumber(lines.Next(), version) || version != 0) return lines.Error("expected version 0");
  size_t count = 0;
  if (!ParseNumber(lines.Next(), count)) return lines.Error("expected the number of entries");
  std::vector<Entry> entries;
  while (!lines.done()) {
    Entry entry;
    if (!parse(lines.Next(), entry)) return lines.Error("malformed entry");
    entries.push_back(std::move(entry));
  }
  if (entries.size() != count) {
    return absl::InvalidArgumentError(
        fmt::format("{} entries were promised, {} are there", count, entries.size()));
  }
  return entries;
}

}  // namespace

std::string PrintOffsetCheckpoint(absl::Span<const OffsetCheckpointEntry> entries) {
  std::string text = fmt::format("0\n{}\n", entries.size());
  for (const OffsetCheckpointEntry& entry : entries) {
    fmt::format_to(std::back_inserter(text), "{} {} {}\n", entry.partition.topic,
                   entry.partition.partition, entry.offset);
  }
  return text;
}

absl::StatusOr<std::vector<OffsetCheckpointEntry>> ParseOffsetCheckpoint(std::string_view text) {
  return ParseCheckpoint<OffsetCheckpointEntry>(
      text, [](std::string_view line, OffsetCheckpointEntry& entry) {
        std::string_view words[3];
        int32_t partition = 0;
        int64_t offset = 0;
        if (!Split(line, words) || !ParseNumber(words[1], partition) ||
            !ParseNumber(words[2], offset)) {
          return false;
        }
        entry = {{std::string(words[0]), PartitionIndex(partition)}, Offset(offset)};
        return true;
      });
}

std::string PrintEpochCheckpoint(absl::Span<const EpochEntry> entries) {
  std::string text = fmt::format("0\n{}\n", entries.size());
  for (const EpochEntry& entry : entries) {
    fmt::format_to(std::back_inserter(text), "{} {}\n", entry.epoch, entry.start_offset);
  }
  return text;
}

absl::StatusOr<std::vector<EpochEntry>> ParseEpochCheckpoint(std::string_view text) {
  return ParseCheckpoint<EpochEntry>(text, [](std::string_view line, EpochEntry& entry) {
    std::string_view words[2];
    int32_t epoch = 0;
    int64_t offset = 0;
    if (!Split(line, words) || !ParseNumber(words[0], epoch) || !ParseNumber(words[1], offset)) {
      return false;
    }
    entry = {LeaderEpoch(epoch), Offset(offset)};
    return true;
  });
}

std::string PrintPartitionMetadata(const protocol::Uuid& topic_id) {
  return fmt::format("version: 0\ntopic_id: {}", topic_id);
}

absl::StatusOr<protocol::Uuid> ParsePartitionMetadata(std::string_view text) {
  LineReader lines(text);
  if (lines.Next() != "version: 0") return lines.Error("expected \"version: 0\"");
  std::string_view line = lines.Next();
  constexpr std::string_view kKey = "topic_id: ";
  if (!line.starts_with(kKey)) return lines.Error("expected \"topic_id: ...\"");
  const auto id = protocol::Uuid::Parse(line.substr(kKey.size()));
  if (!id || id->is_zero()) return lines.Error("not a topic id");
  return *id;
}

std::string PrintMetaProperties(const MetaProperties& properties) {
  std::string text = fmt::format("#\nversion=0\nbroker.id={}\n", properties.broker_id);
  if (!properties.cluster_id.empty()) text += fmt::format("cluster.id={}\n", properties.cluster_id);
  return text;
}

absl::StatusOr<MetaProperties> ParseMetaProperties(std::string_view text) {
  MetaProperties properties;
  bool has_version = false;
  LineReader lines(text);
  while (!lines.done()) {
    const std::string_view line = lines.Next();
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) return lines.Error("expected name=value");
    const std::string_view name = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (name == "version") {
      if (value != "0") return lines.Error("expected version=0");
      has_version = true;
    } else if (name == "broker.id") {
      int32_t id = -1;
      if (!ParseNumber(value, id) || id < 0) return lines.Error("broker.id is not an id");
      properties.broker_id = BrokerId(id);
    } else if (name == "cluster.id") {
      properties.cluster_id = std::string(value);
    }
  }
  if (!has_version) return absl::InvalidArgumentError("meta.properties without version=0");
  return properties;
}

}  // namespace highwater::broker::storage
