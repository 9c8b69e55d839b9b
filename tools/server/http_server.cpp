// SPDX-License-Identifier: Apache-2.0
// The one file that knows the HTTP library.
#include "http_server.h"

#include <httplib.h>

#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/value.h"
#include "http_connection.h"

namespace atrous::cli {
namespace {

/// Bytes of an upload beyond its image: a form's parts, chunk sizes.
constexpr std::size_t kFormOverhead = 65536;
/// Connections served beside the uploads: metrics, refusals.
constexpr int kOtherConnections = 16;

/// The connection under the library's interface.
class ConnectionStream final : public httplib::Stream {
 public:
  explicit ConnectionStream(HttpConnection& connection) : connection_(connection) {}
  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override { return connection_.read(to, size); }
  ssize_t write(const char* from, std::size_t size) override {
    return connection_.write(from, size) ? static_cast<ssize_t>(size) : -1;
  }
  socket_t socket() const override { return connection_.socket(); }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const {}  // of some versions of the library

 private:
  HttpConnection& connection_;
};

/// The library's threads; asks after every connection, and ten times a second, whether to stop.
class Threads final : public httplib::ThreadPool {
 public:
  Threads(int count, std::function<void()> ask)
      : ThreadPool(static_cast<std::size_t>(count)), ask_(std::move(ask)) {}
  void enqueue(std::function<void()> work) override {
    ThreadPool::enqueue(std::move(work));
    ask_();
  }
  void on_idle() override { ask_(); }

 private:
  std::function<void()> ask_;
};

void put(httplib::Response& response, HttpAnswer answer) {
  response.status = answer.status;
  response.body = std::move(answer.body);
  response.set_header("Content-Type", answer.type);
  for (const auto& [name, value] : answer.headers) response.set_header(name.c_str(), one_line(value));
}

/// What the handler answers, or 500.
template <typename Handler>
HttpAnswer guarded(const Handler& handler) {
  try {
    return handler();
  } catch (const std::exception& error) {
    return refuse(500, error.what());
  }
}

}  // namespace

HttpAnswer refuse(int status, const std::string& text) {
  const nlohmann::json error{{"error", one_line(text)}};
  return {status, "application/json",
          error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

class HttpServer::Transport final : public httplib::Server {
 public:
  Transport(const HttpLimits& limits, std::function<void(const HttpOutcome&)> finished)
      : limits_(limits), finished_(std::move(finished)) {
    set_tcp_nodelay(true);
    set_idle_interval(0, 100'000);
    // Not the library's own: they let two servers share a port.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      std::optional<HttpAnswer> answer = answer_without_body(request);
      if (answer) put(response, std::move(*answer));
      return answer ? HandlerResponse::Handled : HandlerResponse::Unhandled;
    });
    set_expect_100_continue_handler([this](const httplib::Request& request, httplib::Response& response) {
      if (request.method != "POST") return 100;  // only refusals are whole here
      std::optional<HttpAnswer> answer = answer_without_body(request);
      if (answer) put(response, std::move(*answer));
      return answer ? response.status : 100;
    });
    set_error_handler([](const httplib::Request& request, httplib::Response& response) {
      // Those before the one that makes no sense would cut the error itself.
      const_cast<httplib::Request&>(request).ranges.clear();
      if (!response.body.empty()) return;
      put(response, response.status == 414   ? refuse(414, "the address is too long")
                    : response.status == 416 ? refuse(416, "the Range header makes no sense")
                                             : refuse(response.status, "this is no HTTP/1.1 request"));
    });
    set_logger([this](const httplib::Request& request, const httplib::Response& response) {
      current->outcome = {is_known(request.path) ? request.path : "other", response.status};
    });
  }

  void add_get(const std::string& path, HttpServer::Get handler) { gets_[path] = std::move(handler); }

  void add_post(const std::string& path, HttpServer::Post handler) {
    post_path_ = path;
    Post(path,
         [this, handler = std::move(handler)](const httplib::Request& request, httplib::Response& response,
                                              const httplib::ContentReader& reader) {
           put(response, guarded([&] {
                 HttpUpload upload;
                 std::optional<HttpAnswer> refused = receive(request, reader, upload);
                 return refused ? std::move(*refused) : handler(std::move(upload));
               }));
         });
  }

  int bind(const std::string& host, int port) {
    errno = 0;
    int bound = port;
    if (port == 0)
      bound = bind_to_any_port(host.c_str());
    else if (!bind_to_port(host.c_str(), port))
      bound = -1;
    if (bound < 0)
      fail(ErrorCode::io, "{}:{}: cannot listen there: {}", host, port,
           errno != 0 ? std::strerror(errno) : "no such address");
    ::listen(svr_sock_, SOMAXCONN);  // again: the library lets a handful of connections wait
    return bound;
  }

  void serve(const std::function<bool()>& should_stop) {
    new_task_queue = [&] {
      return new Threads(limits_.uploads + kOtherConnections, [&] {
        if (should_stop()) stop();
      });
    };
    if (!listen_after_bind())
      fail(ErrorCode::io, "no more connections are accepted: {}", std::strerror(errno));
  }

  bool process_and_close_socket(socket_t socket) override {
    Exchange exchange{{socket, limits_.time, [this] { return svr_sock_ == INVALID_SOCKET; }}};
    HttpConnection& connection = exchange.connection;
    current = &exchange;
    ConnectionStream stream(connection);
    bool closed = false;
    try {
      process_request(stream, true, closed, [&](httplib::Request& request) {
        request.ranges.clear();  // answers are whole
        connection.allow(limits_.body + kFormOverhead);
      });
    } catch (const std::exception&) {  // of the library: out of memory
    }
    if (exchange.is_upload) --uploads_;
    HttpOutcome& outcome = exchange.outcome;
    if (outcome.status != 0) {
      outcome.received = connection.received();
      outcome.sent = connection.sent();
      outcome.ms =
          std::chrono::duration<double, std::milli>(HttpConnection::Clock::now() - connection.begin())
              .count();
      try {
        finished_(outcome);
      } catch (const std::exception&) {  // out of memory: this one is not counted
      }
    }
    connection.finish();
    return true;
  }

  int uploads() const { return uploads_; }

 private:
  /// What the handlers of a request know of its connection, which one thread serves.
  struct Exchange {
    HttpConnection connection;
    HttpOutcome outcome = {};
    bool is_upload = false;  ///< counted in uploads_
  };
  static thread_local Exchange* current;

  bool is_known(const std::string& path) const { return path == post_path_ || gets_.contains(path); }

  /// The answer that needs nothing but the headers; none where an upload is to be received, which is counted
  /// from then on.
  std::optional<HttpAnswer> answer_without_body(const httplib::Request& request) {
    if (!is_known(request.path)) return refuse(404, "there is nothing here; GET / says what there is");
    const bool is_post = request.path == post_path_;
    if (request.method != (is_post ? "POST" : "GET") && (is_post || request.method != "HEAD")) {
      HttpAnswer answer = refuse(405, fmt::format("{} takes no {}", request.path, request.method));
      answer.headers.emplace_back("Allow", is_post ? "POST" : "GET, HEAD");
      return answer;
    }
    if (!is_post) return guarded(gets_.at(request.path));
    if (!request.has_header("Transfer-Encoding")) {
      if (!request.has_header("Content-Length")) return refuse(411, "a Content-Length is needed");
      const auto length = parse_integer(request.get_header_value("Content-Length"));
      if (!length || *length < 0) return refuse(400, "the Content-Length is no number");
      if (static_cast<std::size_t>(*length) > limits_.body + kFormOverhead) return too_large();
    }
    if (current->is_upload) return {};
    if (++uploads_ > limits_.uploads) {
      --uploads_;
      HttpAnswer answer = refuse(503, "as many images as the server takes are waiting");
      answer.headers.emplace_back("Retry-After", "1");
      return answer;
    }
    current->is_upload = true;
    return {};
  }

  /// Reads the body; what there is to say where it is no good.
  std::optional<HttpAnswer> receive(const httplib::Request& request, const httplib::ContentReader& reader,
                                    HttpUpload& upload) const {
    bool fits = true, is_wanted = false, found = false;
    const auto append = [&](const char* data, std::size_t size) {
      fits = upload.content.size() + size <= limits_.body;
      if (fits) upload.content.append(data, size);
      return fits;
    };
    const bool is_form = request.is_multipart_form_data();
    const bool whole =
        is_form ? reader(
                      [&](const httplib::MultipartFormData& part) {
                        is_wanted = !found && part.name == "image";
                        if (is_wanted) found = true, upload.file_name = part.filename;
                        return true;
                      },
                      [&](const char* data, std::size_t size) { return !is_wanted || append(data, size); })
                : reader(append);
    if (!fits || current->connection.was_too_large()) return too_large();
    if (current->connection.was_late()) return refuse(408, "the request did not come in time");
    if (!whole) return refuse(400, "the body is not as its headers say, or cut short");
    if (is_form && !found) return refuse(400, "the form has no part named image");
    upload.query = request.params;
    upload.deadline = current->connection.deadline();
    return {};
  }

  HttpAnswer too_large() const {
    return refuse(413, fmt::format("the image has more than the {} bytes allowed", limits_.body));
  }

  HttpLimits limits_;
  std::function<void(const HttpOutcome&)> finished_;
  std::map<std::string, HttpServer::Get> gets_;
  std::string post_path_;
  std::atomic<int> uploads_{0};
};

thread_local HttpServer::Transport::Exchange* HttpServer::Transport::current = nullptr;

HttpServer::HttpServer(const HttpLimits& limits, std::function<void(const HttpOutcome&)> finished)
    : transport_(std::make_unique<Transport>(limits, std::move(finished))) {}
HttpServer::~HttpServer() = default;
void HttpServer::get(const std::string& path, Get handler) { transport_->add_get(path, std::move(handler)); }
void HttpServer::post(const std::string& path, Post handler) {
  transport_->add_post(path, std::move(handler));
}
int HttpServer::bind(const std::string& host, int port) { return transport_->bind(host, port); }
void HttpServer::serve(const std::function<bool()>& should_stop) { transport_->serve(should_stop); }
void HttpServer::answer(int socket) { transport_->process_and_close_socket(socket); }
int HttpServer::uploads() const { return transport_->uploads(); }

}  // namespace atrous::cli
