#pragma once

// Exposition: metrics as Prometheus's text format, version 0.0.4.
//
//   Exposition out;
//   out.Family("kafka_server_replicamanager_leadercount", MetricType::kGauge, "Partitions led.");
//   out.Sample({}, 3);
//   out.Family("kafka_server_brokertopicmetrics_bytesin_total", MetricType::kCounter, "Bytes in.");
//   out.Sample({{"topic", "orders"}}, 1024);
//   std::string text = std::move(out).Finish();
//
// Values are integers, or decimals given as a count of thousandths.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace highwater::broker::metrics {

enum class MetricType : uint8_t { kCounter, kGauge, kHistogram };

// What text/plain needs to say to be read as this format.
inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

class Exposition {
 public:
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::initializer_list<Label>;

  // The samples that follow belong to this family. REQUIRES: each family once; a legal name, which
  // ends in _total for a counter.
  void Family(std::string_view name, MetricType type, std::string_view help);
  void Sample(Labels labels, uint64_t value, std::string_view suffix = "");
  void SampleThousandths(Labels labels, uint64_t value, std::string_view suffix = "");

  [[nodiscard]] std::string Finish() && { return std::move(text_); }

 private:
  void Begin(Labels labels, std::string_view suffix);

  std::string text_;
  std::string family_;
};

}  // namespace highwater::broker::metrics
