#include "scenarios/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <optional>
#include <sstream>
#include <utility>

namespace highwater::scenarios {
namespace {

constexpr size_t kLongestText = 1 << 20;
constexpr size_t kDeepest = 32;
constexpr size_t kMostNodes = 100'000;

// Builds the tree from the parser's events. A limit that is passed is thrown as the library's own
// exception, which ParseYaml catches: the library offers no other way to stop.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(YamlDocument& document) : document_(document) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseExtras(mark, "", anchor);
    Add(mark, YamlNode::Kind::kNull);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Error(mark, "aliases (*name) are not accepted here: write the value out");
    Add(mark, YamlNode::Kind::kNull);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseExtras(mark, tag, anchor);
    Add(mark, YamlNode::Kind::kScalar).scalar = value;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    RefuseExtras(mark, tag, anchor);
    Open(mark, YamlNode::Kind::kSequence);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    RefuseExtras(mark, tag, anchor);
    Open(mark, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  // A container that is not closed yet. A map's key waits here for its value.
  struct OpenNode {
    YamlNode node;
    std::optional<YamlNode> key;
  };

  void Error(const YAML::Mark& mark, std::string message) {
    document_.diagnostics.push_back(
        {.line = mark.line + 1, .column = mark.column + 1, .message = std::move(message)});
  }

  void RefuseExtras(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) Error(mark, "anchors (&name) are not accepted here");
    // "?" and "!" are the library's marks of plain and of quoted text.
    if (!tag.empty() && tag != "?" && tag != "!") {
      Error(mark, fmt::format("tags (\"{}\") are not accepted here", tag));
    }
  }

  YamlNode Make(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (++nodes_ > kMostNodes) {
      throw YAML::ParserException(mark, fmt::format("more than {} values", kMostNodes));
    }
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  YamlNode& Add(const YAML::Mark& mark, YamlNode::Kind kind) { return Place(Make(mark, kind)); }

  void Open(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (open_.size() >= kDeepest) {
      throw YAML::ParserException(mark, fmt::format("nested deeper than {} levels", kDeepest));
    }
    open_.push_back({Make(mark, kind), std::nullopt});
  }

  void Close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    Place(std::move(node));
  }

  YamlNode& Place(YamlNode node) {
    if (open_.empty()) return document_.root = std::move(node);
    OpenNode& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kSequence) {
      return parent.node.items.emplace_back(std::move(node));
    }
    if (!parent.key) return parent.key.emplace(std::move(node));
    parent.node.entries.push_back({*std::exchange(parent.key, std::nullopt), std::move(node)});
    return parent.node.entries.back().value;
  }

  YamlDocument& document_;
  std::vector<OpenNode> open_;
  size_t nodes_ = 0;
};

void Parse(std::string_view text, YamlDocument& document) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  TreeBuilder builder(document);
  if (!parser.HandleNextDocument(builder)) return;
  YamlDocument second;
  TreeBuilder ignored(second);
  if (parser.HandleNextDocument(ignored)) {
    document.diagnostics.push_back(
        {.line = second.root.line,
         .column = second.root.column,
         .message = "a second document begins here: a file holds one scenario"});
  }
}

}  // namespace

YamlDocument ParseYaml(std::string_view text) {
  YamlDocument document;
  if (text.size() > kLongestText) {
    document.diagnostics.push_back(
        {.message = fmt::format("the file is larger than {} bytes", kLongestText)});
    return document;
  }
  try {
    Parse(text, document);
  } catch (const YAML::Exception& e) {
    document.diagnostics.push_back({.line = e.mark.line + 1,
                                    .column = e.mark.column + 1,
                                    .message = fmt::format("not YAML: {}", e.msg)});
  } catch (const std::exception& e) {
    document.diagnostics.push_back({.message = fmt::format("not YAML: {}", e.what())});
  }
  if (!document.diagnostics.empty()) document.root = YamlNode{};
  return document;
}

std::string DescribeYaml(const YamlNode& node) {
  constexpr size_t kShown = 40;
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
    case YamlNode::Kind::kScalar:
      return node.scalar.size() <= kShown
                 ? fmt::format("\"{}\"", node.scalar)
                 : fmt::format("\"{}…\"", std::string_view(node.scalar).substr(0, kShown));
  }
  return "";
}

}  // namespace highwater::scenarios
