// SPDX-License-Identifier: Apache-2.0
// Times the dense CRF library of Kraehenbuehl and Koltun (its source is not part of this project) for
// compare_refinement:
//   densecrf_reference CASE.bin RUNS OUT.bin
// CASE.bin: int32 width, height, labels, iterations; float32 gaussian sxy, weight, bilateral sxy, srgb,
// weight; the RGB pixels; energies [height, width, labels]. Prints milliseconds a run, lattices included, and
// writes Q like the energies.
#include <densecrf.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

int main(int, char** arguments) {
  std::ifstream in(arguments[1], std::ios::binary);
  int head[4];
  float kernel[5];
  in.read(reinterpret_cast<char*>(head), sizeof head).read(reinterpret_cast<char*>(kernel), sizeof kernel);
  const auto [width, height, labels, iterations] = head;
  std::vector<unsigned char> pixels(3UL * width * height);
  MatrixXf energies(labels, width * height), q;
  in.read(reinterpret_cast<char*>(pixels.data()), pixels.size());
  if (!in.read(reinterpret_cast<char*>(energies.data()), sizeof(float) * energies.size())) return 1;
  for (int run = 0; run < std::atoi(arguments[2]); ++run) {
    const auto begin = std::chrono::steady_clock::now();
    DenseCRF2D crf(width, height, labels);
    crf.setUnaryEnergy(energies);
    crf.addPairwiseGaussian(kernel[0], kernel[0], new PottsCompatibility(kernel[1]));
    crf.addPairwiseBilateral(kernel[2], kernel[2], kernel[3], kernel[3], kernel[3], pixels.data(),
                             new PottsCompatibility(kernel[4]));
    q = crf.inference(iterations);
    std::printf("%.2f\n",
                std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::ofstream(arguments[3], std::ios::binary)
      .write(reinterpret_cast<char*>(q.data()), sizeof(float) * q.size());
}
