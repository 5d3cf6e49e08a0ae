#pragma once

// YamlNode: a YAML document as a plain tree with places. The only part of Highwater that knows the
// YAML library.
//
// The library's own node type keeps the first of two equal keys silently; this tree keeps both.
// Anchors, aliases, tags and a second document are errors: a scenario needs none of them, and an
// alias can make a small file mean a huge one.

#include <string>
#include <string_view>
#include <vector>

#include "scenarios/diagnostics.h"

namespace highwater::scenarios {

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };

  Kind kind = Kind::kNull;
  int line = 0;    // from 1
  int column = 0;  // from 1
  std::string scalar;
  std::vector<YamlNode> items;     // of a sequence
  std::vector<YamlEntry> entries;  // of a map, in the order of the file
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

struct YamlDocument {
  YamlNode root;
  // Errors of syntax, in the order of the file; the tree is empty then. Their `file` is not filled
  // in.
  std::vector<Diagnostic> diagnostics;
};

// Never throws. Limits: 1 MiB of text, 32 levels, 100,000 nodes.
[[nodiscard]] YamlDocument ParseYaml(std::string_view text);

// `a map`, `a list`, `nothing`, `"text"`: for messages.
[[nodiscard]] std::string DescribeYaml(const YamlNode& node);

}  // namespace highwater::scenarios
