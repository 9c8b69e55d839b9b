// SPDX-License-Identifier: Apache-2.0
// Convolutions on 8 bits and conversions to and from them, against sums of integers in double precision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>

#include "backend/backend.h"
#include "ops/conv2d.h"
#include "ops/schema.h"
#include "support/elements.h"
#include "support/reference.h"

namespace atrous {
namespace {

using test::RefTensor;

constexpr std::size_t kGuard = 64;
constexpr std::byte kUnwritten{0xa5};

struct Int8Case {
  std::string name;
  Shape input;
  Conv2dParams params;
  DType in = DType::u8, out = DType::u8, residual = DType::f32;  ///< the last where there is one
  bool slices = false;                                           ///< all tensors are channels of wider ones
  bool needs_onednn = true;
};

/// Which values 8 bits hold.
std::pair<int, int> limits(DType dtype) {
  return dtype == DType::u8 ? std::pair(0, 255) : std::pair(-128, 127);
}

/// A tensor in memory between guards, its values in double: integers for 8 bits.
struct Stored {
  TensorDesc desc;
  RefTensor values;
  std::vector<std::byte> bytes;

  Stored(const Shape& shape, DType dtype, float scale, bool slice)
      : desc{shape, slice ? shape.c + 11 : shape.c, dtype, slice ? size_of(dtype) : 64, scale},
        values{shape, std::vector<double>(static_cast<std::size_t>(shape.elements()))},
        bytes(desc.bytes() + 2 * kGuard, kUnwritten) {}

  std::byte* data() { return bytes.data() + kGuard; }
  std::byte* element(std::int64_t pixel, std::int64_t channel) {
    return data() + static_cast<std::size_t>(pixel * desc.pitch + channel) * size_of(desc.dtype);
  }
  template <typename F>
  void for_each(const F& f) {
    for (std::int64_t p = 0; p < desc.shape.pixels(); ++p)
      for (std::int64_t c = 0; c < desc.shape.c; ++c)
        f(element(p, c), values.values[static_cast<std::size_t>(p * desc.shape.c + c)]);
  }
  void fill(std::mt19937& generator) {
    for_each([&](std::byte* to, double& value) {
      const auto [low, high] = limits(desc.dtype);
      value = desc.is_quantised()
                  ? low + static_cast<int>(generator() % static_cast<unsigned>(high - low + 1))
                  : static_cast<float>(generator() % 2000U) / 100.0F - 10;
      test::write_element(desc.dtype, value, to);
    });
  }
  void read() {
    for_each([&](std::byte* from, double& value) { value = test::read_element(desc.dtype, from); });
  }
  /// What lies outside its channels is as it was.
  bool surroundings_intact() {
    std::vector<std::byte> rest = bytes;
    for_each([&](std::byte* at, double) {
      std::fill_n(rest.begin() + (at - bytes.data()), size_of(desc.dtype), kUnwritten);
    });
    return std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == kUnwritten; });
  }
};

class Int8Conv {
 public:
  explicit Int8Conv(const Int8Case& test_case)
      : case_(test_case),
        p_(resolve_conv2d(case_.params, case_.input)),
        params_(case_.params),
        generator_(7) {
    Conv2dParams alone = p_;
    alone.has_residual = false;
    const Shape shape = schema_of(OpKind::conv2d).infer_shape(alone, std::vector{case_.input});
    inputs_.emplace_back(case_.input, case_.in, 0.021F, case_.slices);
    if (p_.has_residual) inputs_.emplace_back(shape, case_.residual, residual_scale(), case_.slices);
    for (Stored& input : inputs_) input.fill(generator_);
    make_constants();
    make_expected(shape);
  }

  void run() {
    std::vector<std::string> accepting;
    const auto backend = make_backend({});
    for (const Implementation& implementation : backend->implementations(OpKind::conv2d)) {
      const NodeDesc node = describe();
      if (!implementation.refuse(node).empty()) continue;
      accepting.emplace_back(implementation.name);
      WeightCache cache;
      PrepareContext context{cache, 2};
      const auto kernel = implementation.prepare(node, context);
      std::vector<std::byte> first;
      for (int threads : {1, 2}) {
        backend->set_threads(threads);
        Stored output = make_output();
        run_kernel(*kernel, output);
        EXPECT_TRUE(output.surroundings_intact()) << what(implementation) << ": wrote outside its output";
        output.read();
        compare(output, what(implementation) + " " + kernel->detail());
        if (first.empty()) first = output.bytes;
        EXPECT_TRUE(first == output.bytes) << what(implementation) << ": differs with more threads";
      }
    }
    EXPECT_EQ(accepting.back(), "direct_int8") << case_.name;
    EXPECT_EQ(accepting.size(), case_.needs_onednn ? 2U : accepting.size()) << case_.name << ": no oneDNN";
  }

 private:
  float residual_scale() const { return case_.residual == DType::f32 ? 1 : 0.07F; }
  std::string what(const Implementation& i) const { return case_.name + " by " + std::string(i.name); }

  void make_constants() {
    const std::int64_t ic = case_.input.c / p_.groups;
    auto weights =
        std::make_shared<std::vector<std::int8_t>>(static_cast<std::size_t>(p_.oc * ic * p_.kh * p_.kw));
    for (std::int8_t& w : *weights) {
      w = static_cast<std::int8_t>(static_cast<int>(generator_() % 255U) - 127);
      integer_weights_.push_back(w);
    }
    std::shared_ptr<const std::byte> data(weights, reinterpret_cast<const std::byte*>(weights->data()));
    Constant weight{"weight", {"w", {p_.oc, ic, p_.kh, p_.kw}, DType::s8, data}, {}};
    const double spread = 40.0 / (127 * 0.021 * 100 * std::sqrt(static_cast<double>(ic * p_.kh * p_.kw)));
    for (int o = 0; o < p_.oc; ++o)  // folded batch norms make them negative and, without harm, zero
      weight.scale.push_back(o % 5 == 4 ? 0 : static_cast<float>(spread * (o % 3 == 1 ? -1.5 : 1 + o % 2)));
    scales_ = weight.scale;
    constants_.push_back(weight);
    if (!p_.has_bias) return;
    for (int o = 0; o < p_.oc; ++o) bias_.push_back(static_cast<float>(o % 7) - 2.5F);
    constants_.push_back({"bias", make_tensor_ref("b", {p_.oc}, bias_), {}});
  }

  /// The convolution of the integers as they are; then what they stand for.
  void make_expected(const Shape& shape) {
    Conv2dParams sums = p_;
    sums.has_bias = sums.has_residual = false;
    sums.activation = {};
    const RefTensor image = inputs_[0].values;
    expected_ = test::reference(OpParams(sums), std::span(&image, 1), {integer_weights_}, shape);
    for (std::size_t i = 0; i < expected_.values.size(); ++i) {
      const std::size_t o = i % static_cast<std::size_t>(p_.oc);
      double& value = expected_.values[i];
      value *= static_cast<double>(inputs_[0].desc.scale) * scales_[o];
      if (p_.has_bias) value += bias_[o];
      if (p_.has_residual) value += inputs_[1].values.values[i] * static_cast<double>(residual_scale());
    }
    if (p_.activation.kind != ActivationKind::none)
      expected_ = test::reference(OpParams(p_.activation), std::span(&expected_, 1), {}, shape);
  }

  Stored make_output() const {
    return {expected_.shape, case_.out, case_.out == DType::f32 ? 1 : 0.13F, case_.slices};
  }

  NodeDesc describe() {
    descs_.clear();
    for (const Stored& input : inputs_) descs_.push_back(input.desc);
    return {case_.name, params_, descs_, make_output().desc, constants_};
  }

  void run_kernel(const Kernel& kernel, Stored& output) {
    std::vector<const void*> addresses;
    for (Stored& input : inputs_) addresses.push_back(input.data());
    std::vector<std::byte> workspace(kernel.workspace_bytes() + kGuard + 64, kUnwritten);
    void* start = workspace.data();
    std::size_t room = workspace.size();
    std::align(64, kernel.workspace_bytes(), start, room);
    kernel.run({addresses, output.data(), start, nullptr});
    const auto end = static_cast<std::byte*>(start) + kernel.workspace_bytes();
    EXPECT_TRUE(
        std::all_of(end, workspace.data() + workspace.size(), [](std::byte b) { return b == kUnwritten; }))
        << case_.name << ": wrote past its workspace";
  }

  /// On 8 bits the nearest step; within a thousandth of a tie either of two.
  void compare(const Stored& output, const std::string& by) const {
    const auto [low, high] = limits(case_.out);
    for (std::size_t i = 0; i < expected_.values.size(); ++i) {
      const double got = output.values.values[i];
      double wanted = expected_.values[i], allowed = 2e-5 * std::max(10.0, std::abs(wanted));
      if (case_.out != DType::f32) {
        wanted = std::clamp(wanted / static_cast<double>(output.desc.scale), double(low), double(high));
        allowed = 0.501;
      }
      ASSERT_LE(std::abs(got - wanted), allowed)
          << by << ", element " << i << ": " << got << " instead of " << wanted;
    }
  }

  const Int8Case& case_;
  Conv2dParams p_;
  OpParams params_;
  std::mt19937 generator_;
  std::vector<Stored> inputs_;
  std::vector<TensorDesc> descs_;
  std::vector<Constant> constants_;
  std::vector<double> integer_weights_;
  std::vector<float> scales_, bias_;
  RefTensor expected_;
};

Conv2dParams conv(int oc, int kernel, int stride = 1, int dilation = 1, int groups = 1) {
  Conv2dParams p;
  p.oc = oc, p.kh = p.kw = kernel, p.sh = p.sw = stride, p.dh = p.dw = dilation, p.groups = groups;
  p.padding.top = p.padding.left = p.padding.bottom = p.padding.right = dilation * (kernel - 1) / 2;
  p.has_bias = true;
  return p;
}

std::vector<Int8Case> window_cases() {
  std::vector<Int8Case> cases;
  for (DType in : {DType::u8, DType::s8}) {
    const std::string type(to_string(in));
    cases.push_back({"1x1 " + type, {1, 9, 7, 32}, conv(48, 1), in});
    cases.push_back({"3x3 " + type, {2, 9, 7, 16}, conv(33, 3), in});
    cases.push_back({"3x3 stride 2 " + type, {1, 11, 8, 17}, conv(32, 3, 2), in});
    cases.push_back({"depthwise " + type, {1, 9, 10, 33}, conv(33, 3, 1, 1, 33), in});
    cases.push_back({"depthwise 5x5 stride 2 rate 2 " + type, {1, 19, 10, 48}, conv(48, 5, 2, 2, 48), in});
    cases.push_back({"groups " + type, {1, 6, 5, 32}, conv(64, 3, 1, 1, 4), in, DType::u8, {}, false, false});
    for (int rate : {2, 4, 6, 12, 18, 24, 36})
      cases.push_back(
          {"rate " + std::to_string(rate) + " " + type, {1, 14, 13, 24}, conv(16, 3, 1, rate), in});
    for (int channels : {1, 7, 17})
      cases.push_back(
          {std::to_string(channels) + " channels " + type, {1, 5, 6, channels}, conv(channels, 3), in});
  }
  Conv2dParams no_bias = conv(20, 3), odd = conv(20, 3);
  no_bias.has_bias = false;
  odd.kw = 1, odd.padding = {false, 2, 0, 0, 1};
  cases.push_back({"no bias", {1, 6, 6, 20}, no_bias});
  cases.push_back({"uneven padding", {1, 6, 6, 20}, odd});
  cases.push_back({"a window of 65", {1, 66, 4, 8}, conv(8, 65), DType::u8, DType::u8, {}, false, false});
  return cases;
}

std::vector<Int8Case> epilogue_cases() {
  std::vector<Int8Case> cases;
  constexpr ActivationKind kAll[] = {
      ActivationKind::none,        ActivationKind::relu,      ActivationKind::relu6,
      ActivationKind::leaky_relu,  ActivationKind::sigmoid,   ActivationKind::silu,
      ActivationKind::hardsigmoid, ActivationKind::hardswish, ActivationKind::gelu_tanh,
      ActivationKind::gelu_erf,    ActivationKind::tanh,      ActivationKind::clip};
  for (ActivationKind kind : kAll)
    for (DType out : {DType::u8, DType::s8, DType::f32}) {
      Conv2dParams p = conv(19, 3);
      p.activation = {kind, kind == ActivationKind::leaky_relu ? 0.1F : -2.5F, 3.5F};
      cases.push_back(
          {"activation " + std::to_string(static_cast<int>(kind)) + " to " + std::string(to_string(out)),
           {1, 6, 5, 16},
           p,
           DType::u8,
           out});
    }
  for (DType in : {DType::u8, DType::s8})
    for (const auto& [out, residual] :
         {std::pair(DType::u8, DType::u8), std::pair(DType::u8, DType::s8), std::pair(DType::s8, DType::u8),
          std::pair(DType::s8, DType::s8), std::pair(DType::f32, DType::f32)}) {
      Conv2dParams p = conv(33, 1);
      p.has_residual = true;
      p.activation.kind = ActivationKind::relu;
      const std::string name =
          fmt::format("residual {} + {} to {}", to_string(in), to_string(residual), to_string(out));
      cases.push_back({name, {1, 7, 5, 32}, p, in, out, residual});
      cases.push_back({name + ", slices", {1, 7, 5, 32}, p, in, out, residual, true});
      p.activation.kind = ActivationKind::hardswish;
      cases.push_back({name + ", hardswish", {1, 7, 5, 32}, p, in, out, residual});
    }
  cases.push_back({"slices", {2, 7, 5, 21}, conv(18, 3), DType::u8, DType::u8, {}, true});
  return cases;
}

bool has_int8() { return make_backend({})->refuse_convolutions(DType::s8).empty(); }

TEST(Int8, WindowsRatesAndGroups) {
  if (!has_int8()) GTEST_SKIP() << "cpu " << make_backend({})->refuse_convolutions(DType::s8);
  for (const Int8Case& each : window_cases()) Int8Conv(each).run();
}

TEST(Int8, ActivationsResidualsAndSlices) {
  if (!has_int8()) GTEST_SKIP() << "cpu " << make_backend({})->refuse_convolutions(DType::s8);
  for (const Int8Case& each : epilogue_cases()) Int8Conv(each).run();
}

TEST(Int8, ConversionsRoundToEvenAndClamp) {
  const auto backend = make_backend({});
  const float huge = std::numeric_limits<float>::infinity();
  const std::vector<float> values{0,    0.25F, 0.75F, -0.25F, 1.25F,  63.5F,  64,  127.4F,
                                  1e9F, -1e9F, huge,  -huge,  -63.9F, -64.3F, NAN, 0.1F};  // steps of 0.5
  const std::vector<double> as_u8{0, 0, 2, 0, 2, 127, 128, 255, 255, 0, 255, 0, 0, 0, 0, 0},
      as_s8{0, 0, 2, 0, 2, 127, 127, 127, 127, -128, 127, -128, -128, -128, -128, 0};
  for (const auto& [dtype, wanted] : {std::pair(DType::u8, as_u8), std::pair(DType::s8, as_s8)})
    for (bool slices : {false, true}) {
      const Shape shape{1, 2, 2, 4};
      Stored from(shape, DType::f32, 1, slices), to(shape, dtype, 0.5F, slices),
          back(shape, DType::f32, 1, slices);
      std::size_t next = 0;
      from.for_each([&](std::byte* at, double) { test::write_element(DType::f32, values[next++], at); });
      auto convert = [&](Stored& in, Stored& out) {
        const OpParams params = ConvertParams{};
        const NodeDesc node{"convert", params, std::span(&in.desc, 1), out.desc, {}};
        WeightCache cache;
        PrepareContext context{cache, 1};
        const void* input = in.data();
        backend->implementations(OpKind::convert)[0]
            .prepare(node, context)
            ->run({std::span(&input, 1), out.data()});
        EXPECT_TRUE(out.surroundings_intact());
        out.read();
      };
      convert(from, to);
      EXPECT_EQ(to.values.values, wanted) << to_string(dtype);
      convert(to, back);
      for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(back.values.values[i], wanted[i] / 2);
    }
}

}  // namespace
}  // namespace atrous
