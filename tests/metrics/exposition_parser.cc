#include "tests/metrics/exposition_parser.h"

#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <limits>
#include <optional>
#include <regex>
#include <set>

#include "core/status_macros.h"

namespace highwater::tests {
namespace {

class Parser {
 public:
  absl::StatusOr<Series> Parse(std::string_view text) {
    while (!text.empty()) {
      ++line_;
      const size_t end = text.find('\n');
      if (end == text.npos) return Error("the last line has no end");
      HW_RETURN_IF_ERROR(Line(std::string(text.substr(0, end))));
      text.remove_prefix(end + 1);
    }
    HW_RETURN_IF_ERROR(EndFamily());
    return std::move(series_);
  }

 private:
  // The buckets of one series of a histogram, without its `le`.
  struct Buckets {
    double last_bound = -std::numeric_limits<double>::infinity();
    double last_count = 0;
    std::optional<double> count;
    bool has_sum = false;
  };

  absl::Status Error(std::string_view what) const {
    return absl::InvalidArgumentError(fmt::format("line {}: {}", line_, what));
  }

  absl::Status Line(const std::string& line) {
    static const std::regex help("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\\S.*)");
    static const std::regex type("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)");
    std::smatch match;
    if (std::regex_match(line, match, help)) return Help(match[1]);
    if (std::regex_match(line, match, type)) return Type(match[1], match[2]);
    return Sample(line);
  }

  absl::Status Help(const std::string& name) {
    HW_RETURN_IF_ERROR(EndFamily());
    if (!families_.insert(name).second) return Error("the family " + name + " comes twice");
    family_ = name;
    type_.clear();
    return absl::OkStatus();
  }

  absl::Status Type(const std::string& name, const std::string& type) {
    if (name != family_ || !type_.empty()) return Error("TYPE does not follow HELP");
    type_ = type;
    const bool total = name.ends_with("_total");
    if (total != (type == "counter")) return Error("counters, and only they, end in _total");
    return absl::OkStatus();
  }

  absl::Status Sample(const std::string& line) {
    static const std::regex sample("([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{(.*)\\})? ([0-9]+(\\.[0-9]+)?)");
    static const std::regex label(
        "([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\\\n]|\\\\[\\\\n\"])*)\"(,|$)");
    std::smatch match;
    if (!std::regex_match(line, match, sample)) return Error("neither comment nor sample: " + line);
    if (type_.empty()) return Error("a sample without TYPE");
    const std::string name = match[1];
    std::string labels = match[3];
    std::string others;
    std::string bound;
    std::set<std::string> names;
    while (!labels.empty()) {
      std::smatch one;
      if (!std::regex_search(labels, one, label, std::regex_constants::match_continuous)) {
        return Error("bad labels: " + labels);
      }
      if (!names.insert(one[1]).second) return Error("a label comes twice");
      if (one[1] == "le") {
        bound = one[2];
      } else {
        others += one.str(1) + "=" + one.str(2) + ",";
      }
      labels = one.suffix();
    }
    if (!series_.emplace(name + match.str(2), match.str(4)).second) {
      return Error("a series comes twice");
    }
    double value = 0;
    if (!absl::SimpleAtod(match.str(4), &value)) return Error("bad value");
    if (type_ == "histogram") return HistogramSample(name, others, bound, value);
    if (name != family_ || !bound.empty()) return Error("not a sample of " + family_);
    return absl::OkStatus();
  }

  absl::Status HistogramSample(const std::string& name, const std::string& labels,
                               const std::string& bound, double value) {
    Buckets& buckets = buckets_[labels];
    if (name == family_ + "_sum" && bound.empty()) {
      buckets.has_sum = true;
      return absl::OkStatus();
    }
    if (name == family_ + "_count" && bound.empty()) {
      buckets.count = value;
      return absl::OkStatus();
    }
    double limit = std::numeric_limits<double>::infinity();
    if (name != family_ + "_bucket" || bound.empty()) return Error("not of a histogram: " + name);
    if (bound != "+Inf" && !absl::SimpleAtod(bound, &limit)) return Error("bad bound " + bound);
    if (limit <= buckets.last_bound) return Error("bounds do not ascend");
    if (value < buckets.last_count) return Error("buckets are not cumulative");
    buckets.last_bound = limit;
    buckets.last_count = value;
    return absl::OkStatus();
  }

  absl::Status EndFamily() {
    if (!family_.empty() && type_.empty()) return Error("a family without TYPE");
    for (const auto& [labels, buckets] : buckets_) {
      if (buckets.last_bound != std::numeric_limits<double>::infinity()) return Error("no +Inf");
      if (!buckets.has_sum || buckets.count != buckets.last_count) {
        return Error("sum or count does not fit the buckets of " + labels);
      }
    }
    buckets_.clear();
    return absl::OkStatus();
  }

  int line_ = 0;
  std::string family_;
  std::string type_;
  std::set<std::string> families_;
  std::map<std::string, Buckets> buckets_;
  Series series_;
};

}  // namespace

absl::StatusOr<Series> ParseExposition(std::string_view text) { return Parser().Parse(text); }

}  // namespace highwater::tests
