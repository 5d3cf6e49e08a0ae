#include "broker/protocol/delete_topics.h"

#include <map>

#include "broker/server/handlers/handler.h"

namespace highwater::broker {

namespace {

using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;
using protocol::ErrorCode;
using Result = DeleteTopicsResponse::DeletableTopicResult;

// What of a request can be answered without deleting anything; the rest has NONE and a name.
std::vector<Result> ResolveNames(const Services& services, const DeleteTopicsRequest& request,
                                 int16_t version) {
  std::vector<Result> results;
  if (version < 6) {
    for (const std::string& name : request.topic_names) results.emplace_back().name = name;
    return results;
  }
  for (const auto& topic : request.topics) {
    Result& result = results.emplace_back();
    result.name = topic.name;
    result.topic_id = topic.topic_id;
    if (topic.name.has_value() == !topic.topic_id.is_zero()) {
      result.error_code = ErrorCode::INVALID_REQUEST;
      result.error_message = "exactly one of topic name and topic id must be given";
    } else if (!topic.name.has_value()) {
      const std::string name = services.controller.NameOf(topic.topic_id);
      if (name.empty()) {
        result.error_code = ErrorCode::UNKNOWN_TOPIC_ID;
        result.error_message = "this server does not host this topic id";
      } else {
        result.name = name;
      }
    }
  }
  return results;
}

void RefuseAll(std::vector<Result>& results, int16_t version) {
  for (Result& result : results) {
    // Older clients do not know the code that says so.
    result.error_code =
        version < 3 ? ErrorCode::INVALID_REQUEST : ErrorCode::TOPIC_DELETION_DISABLED;
    result.error_message = "topic deletion is disabled: delete.topic.enable=false";
  }
}

}  // namespace

absl::StatusOr<Answer> HandleDeleteTopics(Services& services, const Call& call) {
  const int16_t version = call.header.api_version;
  return Serve<DeleteTopicsRequest>(call, [&](const DeleteTopicsRequest& request) {
    DeleteTopicsResponse response;
    response.responses = ResolveNames(services, request, version);
    if (!services.config.delete_topic_enable) {
      RefuseAll(response.responses, version);
      return response;
    }
    std::map<std::string, int> named;
    for (const Result& result : response.responses) ++named[result.name.value_or("")];
    std::vector<std::string> names;
    std::vector<size_t> places;
    for (size_t i = 0; i < response.responses.size(); ++i) {
      Result& result = response.responses[i];
      if (result.error_code != ErrorCode::NONE) continue;
      if (named[*result.name] > 1) {
        result.error_code = ErrorCode::INVALID_REQUEST;
        result.error_message = "duplicate topic name";
        continue;
      }
      names.push_back(*result.name);
      places.push_back(i);
    }
    const std::vector<TopicResult> deleted =
        services.controller.DeleteTopics(names, DeadlineAfter(services.env, request.timeout_ms));
    for (size_t i = 0; i < deleted.size(); ++i) {
      Result& result = response.responses[places[i]];
      result.error_code = deleted[i].error;
      if (!deleted[i].message.empty()) result.error_message = deleted[i].message;
      if (!deleted[i].id.is_zero()) result.topic_id = deleted[i].id;
    }
    return response;
  });
}

}  // namespace highwater::broker
