// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>

namespace atrous::cli {

/// A client's socket, read and written within bounds: so many bytes, and so much time altogether.
class HttpConnection {
 public:
  using Clock = std::chrono::steady_clock;

  /// Owns the socket. `unwanted`: asked while not a byte has come; true ends the connection.
  HttpConnection(int socket, std::chrono::milliseconds time, std::function<bool()> unwanted);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Bytes that came, at most `size`; -1 at the end of what comes or may come.
  ssize_t read(char* to, std::size_t size);
  /// Sends them all; false where that fails.
  bool write(const char* from, std::size_t size);
  /// Ends the answer and lets the client read it: closing while it still sends would cut it off.
  void finish();

  void allow(std::size_t bytes) { allowed_ += bytes; }  ///< to be read, beyond what headers may take
  int socket() const { return socket_; }
  Clock::time_point begin() const { return begin_; }
  Clock::time_point deadline() const { return begin_ + time_; }
  bool was_late() const { return late_; }            ///< reading ended at the deadline
  bool was_too_large() const { return too_large_; }  ///< reading ended at the last byte allowed
  std::size_t received() const { return received_; }
  std::size_t sent() const { return sent_; }

 private:
  bool fill();
  bool wait(short event, Clock::time_point until) const;

  int socket_;
  std::chrono::milliseconds time_;
  std::function<bool()> unwanted_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point sent_by_{};  ///< set by the first write after a read
  std::array<char, 16384> buffer_;
  std::size_t at_ = 0, end_ = 0;  ///< of what is not yet read in buffer_
  std::size_t allowed_ = 65536, received_ = 0, sent_ = 0;
  bool late_ = false, too_large_ = false;
};

}  // namespace atrous::cli
