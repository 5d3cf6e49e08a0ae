#include "broker/metrics/exposition.h"

#include <gtest/gtest.h>

#include "broker/metrics/metrics_server.h"

namespace highwater::broker::metrics {
namespace {

TEST(ExpositionTest, AFamilyIsItsHelpItsTypeAndItsSamples) {
  Exposition out;
  out.Family("bytes_total", MetricType::kCounter, "Bytes.");
  out.Sample({{"topic", "a"}, {"zone", "b"}}, 7);
  out.Sample({}, 8);
  out.Family("time", MetricType::kHistogram, "Time.");
  out.SampleThousandths({}, 12'034, "_sum");
  EXPECT_EQ(std::move(out).Finish(),
            "# HELP bytes_total Bytes.\n"
            "# TYPE bytes_total counter\n"
            "bytes_total{topic=\"a\",zone=\"b\"} 7\n"
            "bytes_total 8\n"
            "# HELP time Time.\n"
            "# TYPE time histogram\n"
            "time_sum 12.034\n");
}

TEST(ExpositionTest, WhatWouldEndAValueOrALineIsEscaped) {
  Exposition out;
  out.Family("m", MetricType::kGauge, "a\\b\n\"c\"");
  out.Sample({{"l", "a\\b\n\"c\""}}, 1);
  EXPECT_EQ(std::move(out).Finish(),
            "# HELP m a\\\\b\\n\"c\"\n"
            "# TYPE m gauge\n"
            "m{l=\"a\\\\b\\n\\\"c\\\"\"} 1\n");
}

std::string Answer(std::string_view head) {
  return AnswerHttp(head, [] { return "m 1\n"; });
}

TEST(MetricsServerTest, AnswersAScrape) {
  EXPECT_EQ(Answer("GET /metrics HTTP/1.1\r\nHost: a"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            "Content-Length: 4\r\nConnection: close\r\n\r\nm 1\n");
}

TEST(MetricsServerTest, AQueryChangesNothing) {
  EXPECT_TRUE(Answer("GET /metrics?name[]=m HTTP/1.1").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST(MetricsServerTest, AHeadRequestGetsTheLengthAndNoBody) {
  const std::string answer = Answer("HEAD /metrics HTTP/1.0");
  EXPECT_NE(answer.find("Content-Length: 4\r\n"), answer.npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST(MetricsServerTest, SaysWhatItDoesNotServe) {
  EXPECT_TRUE(Answer("GET / HTTP/1.1").starts_with("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_TRUE(Answer("POST /metrics HTTP/1.1").starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_NE(Answer("POST /metrics HTTP/1.1").find("Allow: GET, HEAD\r\n"), std::string::npos);
  for (const std::string_view bad :
       {"", "GET", "GET /metrics", "GET /metrics SPDY/3", "\r\n", " "}) {
    EXPECT_TRUE(Answer(bad).starts_with("HTTP/1.1 400 Bad Request\r\n")) << bad;
  }
}

}  // namespace
}  // namespace highwater::broker::metrics
