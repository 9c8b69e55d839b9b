// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dnnl.hpp>
#include <optional>
#include <string>

#include "ops/params.h"

/// All that differs between oneDNN 2.x and 3.x stands behind these functions.
namespace atrous {

std::string onednn_version();

/// In which order a tensor's elements lie: equal for two of the same shape if their memory is
/// interchangeable.
std::string layout_of(const dnnl::memory::desc& desc);

/// A forward convolution: dims in oneDNN's order (n, c, h, w; weights with a leading group where grouped).
struct OnednnConvolution {
  dnnl::memory::desc src, weights, bias, dst;  ///< bias zero where there is none
  dnnl::memory::dims strides, dilations, padding_begin, padding_end;
  dnnl::primitive_attr attributes;
};

/// Throws dnnl::error where no implementation takes it.
dnnl::convolution_forward::primitive_desc make_convolution(const OnednnConvolution& conv,
                                                           const dnnl::engine& engine);

/// Adds the activation to `ops` and returns true, or returns false where oneDNN has no such function.
bool append_activation(dnnl::post_ops& ops, const ActivationParams& activation);

}  // namespace atrous
