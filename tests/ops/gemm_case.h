// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/conv2d_implicit_gemm.h"
#include "support/device_tensor.h"
#include "support/problem.h"

namespace atrous::test {

/// A convolution to run on one kernel of one's choice.
struct GemmCase {
  Conv2dParams params;
  Shape in;
  Precision precision = Precision::f16;
  Placement placement = kDense;  ///< of all tensors
  bool integers = false;         ///< values -2 .. 2, so that sums are exact
};

/// A k x k window of `oc` channels, padded so that the map keeps its extent at stride 1.
Conv2dParams conv(int oc, int k, int stride = 1, int dilation = 1);

/// A case's tensors on the device and what must come out.
class GemmRun {
 public:
  explicit GemmRun(const GemmCase& test_case);

  const cuda::Conv2dProblem& problem() const { return problem_; }
  /// Replaces a tap's weights by NaN, for kernels that must not multiply them.
  void poison_tap(int ky, int kx);

  /// The output [pixel][oc] of a kernel; fails the running test where it wrote anywhere else. Weights are
  /// channel-major; the workspace is NaN at first.
  using Run = std::function<void(const cuda::Conv2dAddresses&, cuda::StreamHandle)>;
  std::vector<double> output(const Run& run, std::size_t workspace_bytes = 0);
  std::vector<double> by_plan(const cuda::ImplicitGemmPlan& plan);

  /// Fails the running test where `got` is further from the reference than rounding explains.
  void expect_right(const std::vector<double>& got, const std::string& what) const;
  /// Largest difference from the reference; infinite for NaN.
  double error(const std::vector<double>& got) const;

 private:
  DeviceTensor make_tensor(const Shape& shape, std::size_t guard);
  std::unique_ptr<DeviceMemory> to_device(const void* data, std::size_t bytes);

  GemmCase case_;
  std::shared_ptr<const Backend> backend_;
  std::unique_ptr<Stream> stream_;
  Problem values_;
  std::vector<float> weights_;
  std::vector<DeviceTensor> inputs_;
  cuda::Conv2dProblem problem_;
};

}  // namespace atrous::test
