#include "scenarios/map_reader.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace highwater::scenarios {

void DiagnosticSink::Error(const YamlNode& at, std::string message) {
  Add({.line = at.line, .column = at.column, .message = std::move(message)});
}

void DiagnosticSink::Warning(const YamlNode& at, std::string message) {
  Add({.severity = Severity::kWarning,
       .line = at.line,
       .column = at.column,
       .message = std::move(message)});
}

void DiagnosticSink::Add(Diagnostic diagnostic) {
  diagnostic.file = file_;
  diagnostics_.push_back(std::move(diagnostic));
}

bool DiagnosticSink::HasErrors() const {
  return std::any_of(diagnostics_.begin(), diagnostics_.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::kError; });
}

std::vector<Diagnostic> DiagnosticSink::Take() {
  // Those of one place stay in the order in which they were found.
  std::multimap<std::pair<int, int>, Diagnostic> sorted;
  for (Diagnostic& d : diagnostics_) sorted.emplace(std::pair(d.line, d.column), std::move(d));
  diagnostics_.clear();
  for (auto& [place, diagnostic] : sorted) diagnostics_.push_back(std::move(diagnostic));
  return std::move(diagnostics_);
}

MapReader::MapReader(const YamlNode& node, std::string what, DiagnosticSink& sink)
    : node_(node), what_(std::move(what)), sink_(sink) {
  if (node.kind != YamlNode::Kind::kMap) {
    sink.Error(node, fmt::format("{}: expected a map, got {}", what_, DescribeYaml(node)));
    return;
  }
  std::map<std::string_view, int> first_lines;
  for (const auto& [key, value] : node.entries) {
    if (key.kind != YamlNode::Kind::kScalar) {
      sink.Error(key, fmt::format("{}: a key must be a word, got {}", what_, DescribeYaml(key)));
      continue;
    }
    const auto [first, is_new] = first_lines.emplace(key.scalar, key.line);
    if (!is_new) {
      sink.Error(key, fmt::format("duplicate key {} in {}: it was given in line {} already",
                                  DescribeYaml(key), what_, first->second));
    }
  }
}

const YamlNode* MapReader::Find(std::string_view key) {
  known_.push_back(key);
  for (const auto& [name, value] : node_.entries) {
    if (name.kind == YamlNode::Kind::kScalar && name.scalar == key) return &value;
  }
  return nullptr;
}

const YamlNode* MapReader::Require(std::string_view key, std::string_view example) {
  const YamlNode* found = Find(key);
  if (found == nullptr && node_.kind == YamlNode::Kind::kMap) {
    sink_.Error(node_, fmt::format("{}: the key \"{}\" is missing: write for example `{}: {}`",
                                   what_, key, key, example));
  }
  return found;
}

const YamlNode* MapReader::TakeUnknownKey() {
  for (const auto& [key, value] : node_.entries) {
    if (key.kind != YamlNode::Kind::kScalar) continue;
    if (std::find(known_.begin(), known_.end(), key.scalar) == known_.end()) {
      known_.push_back(key.scalar);
      return &key;
    }
  }
  return nullptr;
}

void MapReader::Finish() {
  const std::vector<std::string_view> candidates = known_;
  while (const YamlNode* key = TakeUnknownKey()) {
    std::string known;
    for (const std::string_view name : candidates) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
    }
    const std::string suggestion = DidYouMean(key->scalar, candidates);
    sink_.Error(*key,
                fmt::format("unknown key {} in {}{}", DescribeYaml(*key), what_,
                            suggestion.empty() ? fmt::format(": expected {}", known) : suggestion));
  }
}

const std::vector<YamlNode>& ListItems(const YamlNode& node, std::string_view what,
                                       DiagnosticSink& sink) {
  if (node.kind != YamlNode::Kind::kSequence) {
    sink.Error(node, fmt::format("{}: expected a list, got {}", what, DescribeYaml(node)));
  }
  return node.items;
}

std::vector<std::string> ListWords(const YamlNode& node, std::string_view what,
                                   DiagnosticSink& sink) {
  std::vector<std::string> words;
  std::set<std::string_view> seen;
  for (const YamlNode& item : ListItems(node, what, sink)) {
    if (item.kind != YamlNode::Kind::kScalar) {
      sink.Error(item, fmt::format("{}: expected a word, got {}", what, DescribeYaml(item)));
    } else if (!seen.insert(item.scalar).second) {
      sink.Error(item, fmt::format("{}: {} is given twice", what, DescribeYaml(item)));
    } else {
      words.push_back(item.scalar);
    }
  }
  return words;
}

}  // namespace highwater::scenarios
