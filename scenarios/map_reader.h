#pragma once

// MapReader: reads a YAML map key by key and remembers which keys exist, so that what is left over
// can be named.
//
//   MapReader run(node, "run", sink);
//   run.Read("warmup", ParseDuration, out.warmup);
//   run.Finish();  // unknown keys become errors with a suggestion

#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "scenarios/diagnostics.h"
#include "scenarios/yaml_tree.h"

namespace highwater::scenarios {

// Collects what is wrong with one file.
class DiagnosticSink {
 public:
  explicit DiagnosticSink(std::string_view file) : file_(file) {}

  void Error(const YamlNode& at, std::string message);
  void Warning(const YamlNode& at, std::string message);
  void Add(Diagnostic diagnostic);  // fills in the file

  [[nodiscard]] bool HasErrors() const;
  // In the order of the file.
  [[nodiscard]] std::vector<Diagnostic> Take();

 private:
  std::string file_;
  std::vector<Diagnostic> diagnostics_;
};

class MapReader {
 public:
  // `what` names the map in messages: `topics[0]`. A node that is not a map, and keys given twice,
  // are reported at once. The node and the sink must outlive the reader.
  MapReader(const YamlNode& node, std::string what, DiagnosticSink& sink);

  // The value of `key`, or null. The key is known from now on.
  const YamlNode* Find(std::string_view key);
  // As Find; reports a missing key, with an example of what is expected.
  const YamlNode* Require(std::string_view key, std::string_view example);

  // If `key` is given, parses its scalar into `out`; reports what the parser says. Returns the node
  // if it was parsed.
  template <typename Parse, typename Out>
  const YamlNode* Read(std::string_view key, Parse parse, Out& out) {
    const YamlNode* node = Find(key);
    return node != nullptr && Convert(key, *node, parse, out) ? node : nullptr;
  }
  template <typename Parse, typename Out>
  const YamlNode* ReadRequired(std::string_view key, std::string_view example, Parse parse,
                               Out& out) {
    const YamlNode* node = Require(key, example);
    return node != nullptr && Convert(key, *node, parse, out) ? node : nullptr;
  }

  // The first key that was not asked for, or null; it counts as known from then on.
  const YamlNode* TakeUnknownKey();
  // Reports every key that was not asked for.
  void Finish();

  [[nodiscard]] const YamlNode& node() const { return node_; }
  [[nodiscard]] const std::string& what() const { return what_; }

 private:
  template <typename Parse, typename Out>
  bool Convert(std::string_view key, const YamlNode& node, Parse parse, Out& out) {
    if (node.kind != YamlNode::Kind::kScalar) {
      sink_.Error(node,
                  fmt::format("{}: expected a single value, got {}", key, DescribeYaml(node)));
      return false;
    }
    auto value = parse(std::string_view(node.scalar));
    if (!value.ok()) {
      const absl::string_view message = value.status().message();
      sink_.Error(node,
                  fmt::format("{}: {}", key, std::string_view(message.data(), message.size())));
      return false;
    }
    out = *std::move(value);
    return true;
  }

  const YamlNode& node_;
  std::string what_;
  DiagnosticSink& sink_;
  std::vector<std::string_view> known_;
};

// The items of a list; reports a node that is not one.
[[nodiscard]] const std::vector<YamlNode>& ListItems(const YamlNode& node, std::string_view what,
                                                     DiagnosticSink& sink);
// The same for a list of plain words. Words given twice are reported.
[[nodiscard]] std::vector<std::string> ListWords(const YamlNode& node, std::string_view what,
                                                 DiagnosticSink& sink);

}  // namespace highwater::scenarios
