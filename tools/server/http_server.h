// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace atrous::cli {

struct HttpAnswer {
  int status = 200;
  std::string type, body;  ///< media type and content
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// {"error": TEXT} in one line.
HttpAnswer refuse(int status, const std::string& text);

/// What a client sent to be worked on.
struct HttpUpload {
  std::multimap<std::string, std::string> query;
  std::string content;    ///< the body, or in a form the part `image`
  std::string file_name;  ///< that the form gives the part; "" else
  std::chrono::steady_clock::time_point deadline;
};

struct HttpLimits {
  std::size_t body = 0;               ///< bytes of an upload
  std::chrono::milliseconds time{0};  ///< from a connection's start to its answer; and to send that
  int uploads = 1;                    ///< at the same time; more are answered 503
};

/// How a request ended.
struct HttpOutcome {
  std::string path;  ///< one that is served, else "other"
  int status = 0;
  std::size_t received = 0, sent = 0;  ///< bytes
  double ms = 0;
};

/// HTTP/1.1, one request a connection. Whatever a client sends is answered or cut off, within bounds of
/// memory and time; errors are answered as refuse() has them.
class HttpServer {
 public:
  using Get = std::function<HttpAnswer()>;
  using Post = std::function<HttpAnswer(HttpUpload)>;

  HttpServer(const HttpLimits& limits, std::function<void(const HttpOutcome&)> finished);
  ~HttpServer();

  /// Handlers are called from many threads at a time. What they throw is answered with 500.
  void get(const std::string& path, Get handler);
  void post(const std::string& path, Post handler);  ///< one path only

  /// The port that was bound; `port` 0 takes a free one. Throws Error{io}.
  int bind(const std::string& host, int port);
  /// Serves until `should_stop`, asked some ten times a second, says so, then finishes the requests in
  /// flight. Throws Error{io} where it cannot go on.
  void serve(const std::function<bool()>& should_stop);
  /// Answers the one request of a client's socket, which it closes; serve() does so in its threads.
  void answer(int socket);
  int uploads() const;  ///< under way

 private:
  class Transport;
  std::unique_ptr<Transport> transport_;
};

}  // namespace atrous::cli
