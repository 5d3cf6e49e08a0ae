#pragma once

// Reads the sample messages in testdata/, made by Kafka's own serializer.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace highwater::broker::protocol::testing {

// The lines of testdata/<name>, each split at spaces. Aborts the test program if the file cannot be
// read.
std::vector<std::vector<std::string>> ReadVectorFile(std::string_view name);
// The bytes that `hex` spells; "-" spells none.
std::optional<std::string> FromHex(std::string_view hex);
std::string ToHex(std::string_view bytes);

}  // namespace highwater::broker::protocol::testing
