// SPDX-License-Identifier: Apache-2.0
#include "http_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace atrous::cli {
namespace {

/// A connection may stay without a byte for so long.
constexpr std::chrono::seconds kSilence{5};

}  // namespace

HttpConnection::HttpConnection(int socket, std::chrono::milliseconds time, std::function<bool()> unwanted)
    : socket_(socket), time_(time), unwanted_(std::move(unwanted)) {}

HttpConnection::~HttpConnection() { ::close(socket_); }

void HttpConnection::finish() {
  ::shutdown(socket_, SHUT_WR);
  const auto until = Clock::now() + std::chrono::seconds(1);
  while (wait(POLLIN, until) && ::recv(socket_, buffer_.data(), buffer_.size(), 0) > 0) {
  }
}

ssize_t HttpConnection::read(char* to, std::size_t size) {
  if (at_ == end_ && !fill()) return -1;
  const std::size_t count = std::min(size, end_ - at_);
  std::copy_n(buffer_.data() + at_, count, to);
  at_ += count;
  return static_cast<ssize_t>(count);
}

bool HttpConnection::write(const char* from, std::size_t size) {
  if (sent_by_ == Clock::time_point{}) sent_by_ = Clock::now() + time_;
  while (size > 0) {
    if (!wait(POLLOUT, sent_by_)) return false;
    const ssize_t count = ::send(socket_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) return false;
    from += count, size -= static_cast<std::size_t>(count), sent_ += static_cast<std::size_t>(count);
  }
  return true;
}

/// False at the end of what comes or may come.
bool HttpConnection::fill() {
  const auto begun_by = std::min(deadline(), begin_ + kSilence);
  while (received_ == 0 && !wait(POLLIN, std::min(begun_by, Clock::now() + std::chrono::milliseconds(100))))
    if (unwanted_() || Clock::now() >= begun_by) return false;
  too_large_ = received_ >= allowed_;
  if (too_large_) return false;
  late_ = !wait(POLLIN, deadline());
  if (late_) return false;
  const ssize_t count = ::recv(socket_, buffer_.data(), std::min(buffer_.size(), allowed_ - received_), 0);
  if (count <= 0) return false;
  at_ = 0, end_ = static_cast<std::size_t>(count);
  received_ += end_;
  sent_by_ = {};  // what was sent before was no answer yet ("100 Continue")
  return true;
}

bool HttpConnection::wait(short event, Clock::time_point until) const {
  using std::chrono::milliseconds;
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
    pollfd watched{socket_, event, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace atrous::cli
