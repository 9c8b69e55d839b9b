// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "backend/cuda/cudnn_library.h"
#include "kernels/conv2d_problem.h"

namespace atrous::cudnn {

/// Which products of f32 activations may be rounded to tf32; f16 and bf16 are multiplied as they are.
enum class Math { exact, tf32 };

struct Algorithm {
  cudnnConvolutionFwdAlgo_t algo = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
  std::size_t workspace = 0;  ///< bytes
};
std::string describe(const Algorithm& algorithm);  ///< "implicit_precomp_gemm, 3.2 MiB"

/// A convolution in cuDNN's descriptors; the plain call, or the one that adds bias and residual and applies
/// ReLU where the problem has any of these.
class Convolution {
 public:
  explicit Convolution(const cuda::Conv2dProblem& problem);

  /// What cuDNN offers, the fastest first by its own guess, within the limit of workspace.
  std::vector<Algorithm> offered(cudnnHandle_t handle, Math math) const;
  /// Must precede enqueue().
  void use(const Algorithm& algorithm);
  /// `bias` [oc] in the activations' type, needed where is_fused(); weights [oc][kh*kw][ic/groups].
  cudnnStatus_t enqueue(cudnnHandle_t handle, const cuda::Conv2dAddresses& at, const void* bias) const;
  bool is_fused() const { return fused_; }
  const Algorithm& algorithm() const { return algorithm_; }

 private:
  bool fused_, has_residual_, is_f32_;
  TensorDescriptor in_, out_, residual_, bias_;
  FilterDescriptor weight_;
  ConvolutionDescriptor convolution_;
  ActivationDescriptor activation_;
  Algorithm algorithm_;
};

/// Weight as Convolution wants it has this many elements.
std::size_t weight_elements(const cuda::Conv2dProblem& problem);

}  // namespace atrous::cudnn
