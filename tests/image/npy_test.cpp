// SPDX-License-Identifier: Apache-2.0
#include "image/npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "core/error.h"
#include "core/files.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

std::string npy(const std::string& dictionary, std::size_t payload, char version = 1) {
  std::string header = dictionary + "\n", file = "\x93NUMPY";
  file += {version, 0, static_cast<char>(header.size() & 255U), static_cast<char>(header.size() >> 8U)};
  if (version > 1) file += {0, 0};
  return file + header + std::string(payload, '\0');
}

TEST(Npy, RoundTripInHalfPrecision) {
  ScoreMap scores{5, 3, 4, {}};
  for (int i = 0; i < 60; ++i) scores.values.push_back(static_cast<float>(i) / 64);
  const test::TempFolder folder;
  write_file(folder / "s.npy", encode_npy(scores));
  const ScoreMap back = load_npy(folder / "s.npy");
  EXPECT_EQ(back.width, 5);
  EXPECT_EQ(back.height, 3);
  EXPECT_EQ(back.classes, 4);
  EXPECT_EQ(back.values, scores.values);
}

TEST(Npy, RoundTripInSinglePrecision) {
  const ScoreMap scores{2, 1, 2, {0.1F, -1e20F, 3.00001F, 1e-30F}};
  const test::TempFolder folder;
  write_file(folder / "s.npy", encode_npy(scores, DType::f32));
  EXPECT_EQ(load_npy(folder / "s.npy").values, scores.values);
}

TEST(Npy, ReadsFloat32ChannelsFirst) {
  const test::TempFolder folder;
  std::string file = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 3), }", 0, 2);
  for (float value : {1.F, 2.F, 3.F, 4.F, 5.F, 6.F}) {
    char bytes[4];
    std::memcpy(bytes, &value, 4);
    file.append(bytes, 4);
  }
  const ScoreMap scores = load_npy(folder.write("s.npy", file));
  EXPECT_EQ(scores.values, (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

TEST(Npy, HostileFilesFail) {
  const test::TempFolder folder;
  const std::string good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 2), }", 32);
  EXPECT_NO_THROW(load_npy(folder.write("good.npy", good)));
  const std::vector<std::string> bad{
      "",
      "\x93NUMPY",
      std::string("\x93NUMPY\x01\0\xff\xff{", 11),
      npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2, 2), }", 64),
      npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2, 2), }", 32),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 16),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 2, 1), }", 32),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, -2), }", 32),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2, 2), }", 0),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (255, 4611686018427387904, 4), }", 0),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 99999999999999999999), }", 32),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 2", 32),
      npy("{'descr': '<f4', 'fortran_order': False, }", 32),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 2), }", 31),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 2), }", 33)};
  for (std::size_t i = 0; i < bad.size(); ++i)
    EXPECT_THROW(load_npy(folder.write("bad.npy", bad[i])), Error) << i;
  std::mt19937 random(3);
  for (int i = 0; i < 500; ++i) {
    std::string broken = good;
    broken[random() % 80U] = static_cast<char>(random());
    try {
      load_npy(folder.write("bad.npy", broken));
    } catch (const Error& error) {
      EXPECT_EQ(error.message().find('\n'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace atrous
