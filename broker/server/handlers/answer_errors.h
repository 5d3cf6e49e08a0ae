#pragma once

// ErrorsIn: the error codes that a response of any API carries, wherever they stand in it. For
// those who count errors; it decides nothing.

#include <cstdint>
#include <vector>

#include "broker/protocol/error_code.h"

namespace highwater::broker {

// Codes but NONE, each once, in the order in which they were met.
class AnswerErrors {
 public:
  struct Count {
    protocol::ErrorCode error;
    uint32_t count;
  };
  void Add(protocol::ErrorCode error) {
    if (error == protocol::ErrorCode::NONE) [[likely]]
      return;
    for (Count& known : counts_) {
      if (known.error == error) {
        ++known.count;
        return;
      }
    }
    counts_.push_back({error, 1});
  }
  [[nodiscard]] const std::vector<Count>& counts() const { return counts_; }

 private:
  std::vector<Count> counts_;  // mostly empty
};

// Looks into every list of a generated message that holds messages with error codes. A list that is
// named otherwise is not looked into: a test holds the names against all served APIs.
template <typename Message>
void CollectErrors(const Message& message, AnswerErrors& errors) {
  if constexpr (requires { errors.Add(message.error_code); }) errors.Add(message.error_code);
  const auto each = [&](const auto& list) {
    for (const auto& element : list) CollectErrors(element, errors);
  };
  if constexpr (requires { message.responses.begin(); }) each(message.responses);
  if constexpr (requires { message.topics.begin(); }) each(message.topics);
  if constexpr (requires { message.partitions.begin(); }) each(message.partitions);
  if constexpr (requires { message.partition_responses.begin(); }) {
    each(message.partition_responses);
  }
  if constexpr (requires { message.partition_errors.begin(); }) each(message.partition_errors);
  if constexpr (requires { message.results.begin(); }) each(message.results);
  if constexpr (requires { message.coordinators.begin(); }) each(message.coordinators);
}

}  // namespace highwater::broker
