// SPDX-License-Identifier: Apache-2.0
// What a client sends to `atrous serve`, over a pair of sockets, with a network of one convolution behind it.
// Taken is what is answered with 200; every answer must be whole HTTP, and no client can make an error of the
// server's.
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/files.h"
#include "core/value.h"
#include "fuzz/one_convolution.h"
#include "fuzz/targets.h"
#include "server/segment_routes.h"

namespace atrous {
namespace {

using namespace cli;

/// The server without a port of its own.
struct Server {
  ServerMetrics metrics;
  /// Photos are so small that a socket holds every answer.
  SegmentService service{{fuzz::one_convolution()}, fuzz::one_thread(), {}, 1024, metrics};
  HttpServer http{{65536, std::chrono::seconds(60), 1},
                  [this](const HttpOutcome& outcome) { metrics.add_request(outcome); }};

  Server() {
    add_routes(http, service, metrics, [] { return false; });
  }
};

void demand(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// All that is answered to these bytes, or to as many of them as a socket holds.
std::string ask(HttpServer& server, std::string_view request) {
  int ends[2];
  demand(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "a pair of sockets");
  const auto [client, far_end] = ends;
  if (!request.empty()) demand(::send(client, request.data(), request.size(), MSG_DONTWAIT) > 0, "sent");
  ::shutdown(client, SHUT_WR);
  server.answer(far_end);
  std::string answer;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::recv(client, buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(count));
  ::close(client);
  return answer;
}

struct Answer {
  int status = 0;
  std::string_view length, body;
  bool is_compressed = false;  ///< as the request allowed
};

/// One whole answer.
Answer parse(std::string_view text) {
  constexpr std::string_view kVersion = "HTTP/1.1 ", kLength = "\r\nContent-Length: ", kEnd = "\r\n\r\n";
  demand(text.starts_with(kVersion), "an answer begins with a status");
  const auto status = parse_integer(text.substr(kVersion.size(), 3));
  demand(status && *status >= 100 && *status < 600, "a status is a number");
  const std::size_t end = text.find(kEnd);
  demand(end != text.npos, "headers end");
  if (*status == 100) return parse(text.substr(end + kEnd.size()));
  const std::string_view headers = text.substr(0, end);
  const std::size_t length = headers.find(kLength);
  demand(length != text.npos, "an answer has a length");
  const std::size_t begin = length + kLength.size();
  return {static_cast<int>(*status), text.substr(begin, text.find('\r', begin) - begin),
          text.substr(end + kEnd.size()), headers.find("\r\nContent-Encoding: ") != headers.npos};
}

}  // namespace

void fuzz::http(const fs::path& file) {
  static Server server;
  const std::vector<std::byte> bytes = read_file(file);
  const std::string_view request(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string text = ask(server.http, request);
  if (text.empty()) fail(ErrorCode::bad_file, "cut off");
  const Answer answer = parse(text);
  const bool is_head = request.substr(0, request.find('\n')).find("HEAD") != request.npos;
  const bool no_body = is_head && answer.body.empty();
  demand(no_body || answer.length == std::to_string(answer.body.size()), "a body is whole");
  demand(answer.status < 500 || answer.status == 503, "no client makes an error of the server's");
  if (answer.status == 200) return;
  if (no_body || answer.is_compressed) fail(ErrorCode::bad_file, "status {}", answer.status);
  demand(answer.body.ends_with("}\n"), "an error is a line");
  fail(ErrorCode::bad_file, "{}", nlohmann::json::parse(answer.body).at("error").get<std::string>());
}

}  // namespace atrous
