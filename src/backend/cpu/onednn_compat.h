// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <span>
#include <string>
#include <vector>

#include "ops/params.h"

/// All that differs between oneDNN 2.x and 3.x stands behind these functions.
namespace atrous {

std::string onednn_version();

/// In which order a tensor's elements lie: equal for two of the same shape if their memory is
/// interchangeable.
std::string layout_of(const dnnl::memory::desc& desc);

/// Whether this processor multiplies 8-bit integers without overflow between (VNNI).
bool has_int8_products();
/// Whether it multiplies bf16 (AVX-512 BF16, AMX).
bool has_bf16_products();

/// What the integers of an 8-bit convolution stand for.
struct OnednnScales {
  std::vector<float> sums;      ///< one step of an accumulator, an output channel; empty: all types are f32
  float residual = 1, dst = 1;  ///< one step, 1 for f32
  dnnl::memory::data_type residual_type = dnnl::memory::data_type::undef;
  bool operator==(const OnednnScales&) const = default;
};

/// A forward convolution: dims in oneDNN's order (n, c, h, w; weights with a leading group where grouped).
struct OnednnConvolution {
  dnnl::memory::desc src, weights, bias, dst;  ///< bias zero where there is none
  dnnl::memory::dims strides, dilations, padding_begin, padding_end;
  bool has_residual = false;  ///< it lies where dst is written
  ActivationParams activation;
  OnednnScales scales;
  bool operator==(const OnednnConvolution&) const = default;
};

/// Throws dnnl::error where no implementation takes it.
dnnl::convolution_forward::primitive_desc make_convolution(const OnednnConvolution& conv,
                                                           const dnnl::engine& engine);

/// Makes a bias (none: empty) what a convolution on 8 bits takes. oneDNN 2 wants it in steps of the sums,
/// which grow where a channel's are too small for that; its products do not show beside the bias then.
void prepare_bias(OnednnScales& scales, std::span<float> bias);

/// Scales that go with every execution: arguments, and the memory that they point to. Copies share it.
class OnednnScaleArguments {
 public:
  OnednnScaleArguments() = default;
  OnednnScaleArguments(const OnednnScales& scales, const dnnl::engine& engine);
  const std::vector<dnnl_exec_arg_t>& arguments() const { return arguments_; }

 private:
  std::vector<dnnl::memory> memory_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

}  // namespace atrous
