// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/cudnn_convolution.h"

#include <array>
#include <string_view>

#include "core/error.h"

namespace atrous::cudnn {
namespace {

constexpr std::size_t kWorkspaceLimit = std::size_t{256} << 20U;

cudnnDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return CUDNN_DATA_FLOAT;
    case DType::f16:
      return CUDNN_DATA_HALF;
    case DType::bf16:
      return CUDNN_DATA_BFLOAT16;
    default:
      fail(ErrorCode::internal, "cuDNN convolves no {}", to_string(dtype));
  }
}

void set(const TensorDescriptor& to, const TensorDesc& tensor) {
  const auto n = static_cast<int>(tensor.shape.n), c = static_cast<int>(tensor.shape.c),
             h = static_cast<int>(tensor.shape.h), w = static_cast<int>(tensor.shape.w),
             pitch = static_cast<int>(tensor.pitch);
  check(library().cudnnSetTensor4dDescriptorEx(to, type_of(tensor.dtype), n, c, h, w, h * w * pitch, 1,
                                               w * pitch, pitch),
        "describing a tensor");
}

}  // namespace

std::string describe(const Algorithm& algorithm) {
  constexpr std::array<std::string_view, CUDNN_CONVOLUTION_FWD_ALGO_COUNT> kNames = {
      "implicit_gemm", "implicit_precomp_gemm", "gemm", "direct", "fft", "fft_tiling",
      "winograd",      "winograd_nonfused"};
  return fmt::format("{}, {:.1f} MiB", kNames.at(static_cast<std::size_t>(algorithm.algo)),
                     static_cast<double>(algorithm.workspace) / (1 << 20));
}

std::size_t weight_elements(const cuda::Conv2dProblem& problem) {
  const Conv2dParams& p = problem.params;
  return static_cast<std::size_t>(p.oc) * static_cast<std::size_t>(p.kh * p.kw) *
         static_cast<std::size_t>(problem.in.shape.c / p.groups);
}

Convolution::Convolution(const cuda::Conv2dProblem& problem)
    : fused_(problem.params.has_bias || problem.params.has_residual ||
             problem.params.activation.kind != ActivationKind::none),
      has_residual_(problem.params.has_residual),
      is_f32_(problem.in.dtype == DType::f32) {
  const Library& cudnn = library();
  const Conv2dParams& p = problem.params;
  set(in_, problem.in);
  set(out_, problem.out);
  set(residual_, has_residual_ ? problem.residual : problem.out);
  set(bias_, TensorDesc::dense({1, 1, 1, p.oc}, problem.in.dtype));
  check(cudnn.cudnnSetFilter4dDescriptor(weight_, type_of(problem.in.dtype), CUDNN_TENSOR_NHWC, p.oc,
                                         static_cast<int>(problem.in.shape.c) / p.groups, p.kh, p.kw),
        "describing weights");
  check(cudnn.cudnnSetConvolution2dDescriptor(convolution_, p.padding.top, p.padding.left, p.sh, p.sw, p.dh,
                                              p.dw, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
        "describing a convolution");
  check(cudnn.cudnnSetConvolutionGroupCount(convolution_, p.groups), "describing a convolution");
  const bool relu = p.activation.kind == ActivationKind::relu;
  check(cudnn.cudnnSetActivationDescriptor(
            activation_, relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY, CUDNN_PROPAGATE_NAN, 0),
        "describing an activation");
}

std::vector<Algorithm> Convolution::offered(cudnnHandle_t handle, Math math) const {
  // What is asked for here decides whether algorithms on tensor cores are among the answers.
  const bool exact = is_f32_ && math == Math::exact;
  check(library().cudnnSetConvolutionMathType(convolution_, exact     ? CUDNN_FMA_MATH
                                                            : is_f32_ ? CUDNN_DEFAULT_MATH
                                                                      : CUDNN_TENSOR_OP_MATH),
        "choosing the arithmetic");
  std::array<cudnnConvolutionFwdAlgoPerf_t, 2 * CUDNN_CONVOLUTION_FWD_ALGO_COUNT> answers{};
  int count = 0;
  check(
      library().cudnnGetConvolutionForwardAlgorithm_v7(
          handle, in_, weight_, convolution_, out_, static_cast<int>(answers.size()), &count, answers.data()),
      "asking for algorithms");
  std::vector<Algorithm> result;
  for (int i = 0; i < count; ++i) {
    const cudnnConvolutionFwdAlgoPerf_t& answer = answers.at(static_cast<std::size_t>(i));
    if (answer.status != CUDNN_STATUS_SUCCESS || answer.memory > kWorkspaceLimit ||
        answer.determinism != CUDNN_DETERMINISTIC)
      continue;
    if (exact && answer.mathType != CUDNN_FMA_MATH && answer.mathType != CUDNN_DEFAULT_MATH) continue;
    result.push_back({answer.algo, exact ? CUDNN_FMA_MATH : answer.mathType, answer.memory});
  }
  return result;
}

void Convolution::use(const Algorithm& algorithm) {
  check(library().cudnnSetConvolutionMathType(convolution_, algorithm.math), "choosing the arithmetic");
  algorithm_ = algorithm;
}

cudnnStatus_t Convolution::enqueue(cudnnHandle_t handle, const cuda::Conv2dAddresses& at,
                                   const void* bias) const {
  constexpr float kOne = 1, kZero = 0;
  if (!fused_)
    return library().cudnnConvolutionForward(handle, &kOne, in_, at.in, weight_, at.weight, convolution_,
                                             algorithm_.algo, at.workspace, algorithm_.workspace, &kZero,
                                             out_, at.out);
  return library().cudnnConvolutionBiasActivationForward(
      handle, &kOne, in_, at.in, weight_, at.weight, convolution_, algorithm_.algo, at.workspace,
      algorithm_.workspace, has_residual_ ? &kOne : &kZero, residual_, has_residual_ ? at.residual : at.out,
      bias_, bias, activation_, out_, at.out);
}

}  // namespace atrous::cudnn
