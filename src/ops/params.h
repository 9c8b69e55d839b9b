// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

/// Plain parameter structs of the operators, in oneDNN's letters: i/o = input/output, c = channels, k =
/// kernel, s = stride, d = dilation (the rate of an atrous convolution; 1 means none), p = padding, h/w =
/// rows/columns. They are shared by the schema, the backends, the reference, the tests and the benchmark.
namespace atrous {

/// Pointwise functions. alpha and beta mean: leaky_relu slope alpha; clip to [alpha, beta]; else unused.
enum class ActivationKind : std::uint8_t {
  none,
  relu,
  relu6,
  leaky_relu,
  sigmoid,
  hardsigmoid,
  hardswish,
  silu,
  gelu_erf,
  gelu_tanh,
  tanh,
  clip
};

struct ActivationParams {
  ActivationKind kind = ActivationKind::none;
  float alpha = 0, beta = 0;
  bool operator==(const ActivationParams&) const = default;
};

/// Padding of a window operator. `same` is TensorFlow's SAME rule: out = ceil(in / stride), the odd element
/// goes to the bottom/right; it depends on the input's extent and is resolved by resolve_padding().
struct Padding {
  bool same = false;
  int top = 0, left = 0, bottom = 0, right = 0;
  bool operator==(const Padding&) const = default;
};

/// out(y,x,o) = act(b_o + sum_{ky,kx,i} in(y*sh - top + ky*dh, x*sw - left + kx*dw, i) * W(o,i,ky,kx) +
/// residual). Constants: weight [oc, ic/groups, kh, kw]; bias [oc] where has_bias. The residual (where fused)
/// is the last input.
struct Conv2dParams {
  int oc = 0;  ///< 0: as many as the input has (depthwise only)
  int kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1;
  int groups = 1;  ///< 0: depthwise, one group a channel
  Padding padding;
  bool has_bias = false;
  bool has_residual = false;    ///< set by a pass only
  ActivationParams activation;  ///< set by a pass only
};

/// Several convolutions of one input whose outputs have the same h and w: an atrous spatial pyramid. Their
/// outputs stand one behind the other in the channels, or (`sum`, DeepLab v2's classifiers) are added before
/// one activation, that of the last branch. Constants: "I.weight" and, where it has one, "I.bias" of branch
/// I, as Conv2dParams has them. A pass makes it; no config names it.
///
/// DeepLab v3's image pooling is the branch `pooled`, a 1x1 convolution of the mean over the map instead of
/// the map, whose one pixel stands at every pixel of its channels. Not in a sum.
struct PyramidParams {
  std::vector<Conv2dParams> branches;
  bool sum = false;
  int pooled = -1;  ///< index into `branches`; -1: none
};

/// A depthwise convolution (one filter a channel, no residual) and a 1x1 convolution of its result,
/// ungrouped, at stride 1 and without padding. Constants: "depthwise.NAME" and "pointwise.NAME" as
/// Conv2dParams has them; the residual of `pointwise` is the last input. A pass makes it; no config names it.
struct SeparableParams {
  Conv2dParams depthwise, pointwise;
};

/// out = (in - running_mean) / sqrt(running_var + eps) * weight + bias; four constants of [c].
struct BatchNormParams {
  float eps = 1e-5F;
};

enum class BinaryKind : std::uint8_t { add, sub, mul, div, max, min };

/// out = a op b; each extent of a and b is equal or 1 (broadcast). With `has_scalar` b is the number
/// `scalar`.
struct BinaryParams {
  BinaryKind kind = BinaryKind::add;
  bool has_scalar = false;
  float scalar = 0;
};

enum class PoolKind : std::uint8_t { max, average };

/// Window pooling; `global` takes the whole map; bins_h > 0 divides it into bins_h x bins_w adaptive bins
/// [floor(i*ih/bins), ceil((i+1)*ih/bins)) (spatial pyramid pooling). A max over padding only never happens:
/// padding is smaller than the window. ceil_mode: a last, partial window counts if it starts inside the input
/// or top padding.
struct Pool2dParams {
  PoolKind kind = PoolKind::max;
  int kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1;
  Padding padding;
  bool ceil_mode = false;
  bool count_include_pad =
      false;  ///< average divides by the window clipped to the padded input, else to the input
  bool global = false;
  int bins_h = 0, bins_w = 0;
};

enum class ResizeMode : std::uint8_t { bilinear, nearest };
/// Which input position an output pixel reads. half_pixel: (x+0.5)*iw/ow - 0.5; align_corners:
/// x*(iw-1)/(ow-1). Nearest: half_pixel reads floor((x+0.5)*iw/ow); align_corners rounds half up.
enum class ResizeCoordinates : std::uint8_t { half_pixel, align_corners };

/// To a size (oh, ow > 0), by a factor (scale > 0: o = floor(i * scale)), or like a second input's h and w.
struct ResizeParams {
  ResizeMode mode = ResizeMode::bilinear;
  ResizeCoordinates coordinates = ResizeCoordinates::half_pixel;
  int oh = 0, ow = 0;
  float scale_h = 0, scale_w = 0;
  bool like = false;
  int shrink = 0,
      zoom = 0;  ///< 0: not given; else o = ((i - 1) / shrink) * zoom + 1 (whole), as Caffe's Interp
};

struct PadParams {
  int top = 0, left = 0, bottom = 0, right = 0;
  float value = 0;
};

struct ConcatParams {};  ///< along channels

enum class Axis : std::uint8_t { h, w, c };

struct SliceParams {  ///< [begin, end) along one axis; a negative end counts from the back, 0 means to the
                      ///< end
  Axis axis = Axis::c;
  int begin = 0, end = 0;
};

struct SoftmaxParams {};  ///< over channels, computed after subtracting the maximum
struct ArgmaxParams {};   ///< over channels: i32 [n,h,w,1]; the lowest index wins a tie

struct ReduceMeanParams {
  bool over_hw = true;  ///< else over channels
};

/// A dense layer over the flattened pixel-and-channel vector: weight [oc, c*h*w] with the input flattened
/// channel by channel (c, h, w), as PyTorch and Caffe do.
struct FullyConnectedParams {
  int oc = 0;
  bool has_bias = false;
  ActivationParams activation;  ///< set by a pass only
};

/// Across channels (AlexNet): out = in / (k + alpha/size * sum_{|j-i| <= size/2} in_j^2)^beta.
struct LrnParams {
  int size = 5;
  float alpha = 1e-4F, beta = 0.75F, k = 1;
};

/// Masks of K = templates.size() labels as sums of templates[k] templates of mh x mw pixels each, pasted into
/// boxes on a map of oh x ow pixels; ops/template_morph.cpp has the equations. Inputs: coefficients
/// [n,1,1,sum of templates], boxes [n,1,1,5*K] of (cx, cy, sx, sy, v). Constant: weight [sum of templates,
/// mh, mw], non-negative. Output [n,oh,ow,K+1], channel 0 the background.
struct TemplateMorphParams {
  std::vector<int> templates;
  int mh = 1, mw = 1, oh = 1, ow = 1;
  std::vector<std::string> names;  ///< of the components, for people; may be empty
};

/// A narrower box covers nothing, in units of the map's side.
constexpr float kLeastMorphSide = 1e-6F;

/// The same values on 8 bits or back, as the types of input and output say (core/types.h). A pass makes it.
struct ConvertParams {};

struct IdentityParams {};  ///< identity and dropout: nothing at inference
struct InputParams {};     ///< the graph's input; node 0 and nowhere else

/// The parameters of any operator. The alternatives stand in the order of op_list.inc, so index() is the
/// OpKind.
using OpParams = std::variant<
#define ATROUS_OP(name, Params) Params,
#include "ops/op_list.inc"
#undef ATROUS_OP
    std::monostate>;

/// What an operator is, one enumerator a line of op_list.inc.
enum class OpKind : std::uint8_t {
#define ATROUS_OP(name, Params) name,
#include "ops/op_list.inc"
#undef ATROUS_OP
  count
};

inline OpKind kind_of(const OpParams& params) { return static_cast<OpKind>(params.index()); }

}  // namespace atrous
