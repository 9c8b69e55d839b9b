// SPDX-License-Identifier: Apache-2.0
#include "support/npz.h"

#include <zlib.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>

namespace atrous::test {
namespace {

template <typename T>
T read_at(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  T value{};
  if (at + sizeof value > bytes.size()) throw std::runtime_error("npz: truncated");
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::vector<std::uint8_t> inflate_entry(const std::uint8_t* data, std::size_t packed, std::size_t size) {
  std::vector<std::uint8_t> out(size);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::runtime_error("npz: zlib");
  stream.next_in = const_cast<std::uint8_t*>(data);
  stream.avail_in = static_cast<uInt>(packed);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(size);
  const int status = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::runtime_error("npz: an entry does not inflate");
  return out;
}

NpyArray parse_npy(const std::vector<std::uint8_t>& file) {
  const std::size_t length = read_at<std::uint16_t>(file, 8), begin = 10 + length;
  const std::string header(file.begin() + 10, file.begin() + static_cast<std::ptrdiff_t>(begin));
  NpyArray array;
  std::smatch match;
  if (!std::regex_search(header, match, std::regex("'descr': '([^']+)'")))
    throw std::runtime_error("npy: no descr");
  array.type = match[1];
  if (!std::regex_search(header, match, std::regex("'shape': \\(([^)]*)\\)")))
    throw std::runtime_error("npy: no shape");
  const std::string shape = match[1];
  const std::regex number("[0-9]+");
  for (std::sregex_iterator it(shape.begin(), shape.end(), number), end; it != end; ++it)
    array.shape.push_back(std::stoll(it->str()));
  array.bytes.assign(file.begin() + static_cast<std::ptrdiff_t>(begin), file.end());
  return array;
}

}  // namespace

std::map<std::string, NpyArray> read_npz(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<std::uint8_t> file{std::istreambuf_iterator<char>(stream), {}};
  std::size_t end = file.size() < 22 ? throw std::runtime_error("npz: too short") : file.size() - 22;
  while (end > 0 && read_at<std::uint32_t>(file, end) != 0x06054b50) --end;
  std::map<std::string, NpyArray> arrays;
  std::size_t at = read_at<std::uint32_t>(file, end + 16);
  for (int left = read_at<std::uint16_t>(file, end + 10); left > 0; --left) {  // the central directory
    const auto method = read_at<std::uint16_t>(file, at + 10),
               name_length = read_at<std::uint16_t>(file, at + 28),
               extra = read_at<std::uint16_t>(file, at + 30), comment = read_at<std::uint16_t>(file, at + 32);
    const auto packed = read_at<std::uint32_t>(file, at + 20), size = read_at<std::uint32_t>(file, at + 24),
               local = read_at<std::uint32_t>(file, at + 42);
    std::string name(file.begin() + static_cast<std::ptrdiff_t>(at + 46),
                     file.begin() + static_cast<std::ptrdiff_t>(at + 46 + name_length));
    if (name.size() > 4) name.resize(name.size() - 4);  // .npy
    const std::uint8_t* data = file.data() + local + 30 + read_at<std::uint16_t>(file, local + 26) +
                               read_at<std::uint16_t>(file, local + 28);
    arrays[name] = parse_npy(method == 0 ? std::vector<std::uint8_t>(data, data + size)
                                         : inflate_entry(data, packed, size));
    at += 46U + name_length + extra + comment;
  }
  return arrays;
}

std::filesystem::path shared_file(const std::string& name) {
  const char* folder = std::getenv("ATROUS_SHARED_DIR");
  const std::filesystem::path file = std::filesystem::path(folder != nullptr ? folder : "../shared") / name;
  return std::filesystem::exists(file) ? file : std::filesystem::path();
}

}  // namespace atrous::test
