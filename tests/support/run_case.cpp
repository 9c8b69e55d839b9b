// SPDX-License-Identifier: Apache-2.0
#include "support/run_case.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "backend/backend.h"
#include "support/backend_under_test.h"
#include "support/device_tensor.h"
#include "support/problem.h"
#include "support/tolerance.h"

namespace atrous::test {
namespace {

constexpr std::size_t kGuard = 64;

/// Where the tensors of a run lie. Each of them is the only odd one once, so that an implementation which
/// looks at the alignment of the others alone is found out.
struct Layout {
  std::string_view name;
  Placement first_input, other_inputs, output;
};
constexpr Layout kLayouts[] = {{"dense", kDense, kDense, kDense},
                               {"aligned slices", kAlignedSlice, kAlignedSlice, kAlignedSlice},
                               {"odd first input", kOddSlice, kDense, kDense},
                               {"odd output", kDense, kDense, kOddSlice},
                               {"odd other inputs", kDense, kOddSlice, kDense}};

class CaseRunner {
 public:
  CaseRunner(const OpCase& test_case, bool small_integers, Layouts layouts, const Backend& backend)
      : case_(test_case),
        integers_(small_integers),
        layouts_(layouts),
        backend_(backend),
        stream_(backend.make_stream()) {}

  void run() {
    for (DType dtype : types())
      for (const Layout& layout : kLayouts) {
        if (case_.inputs.size() == 1 && layout.name == "odd other inputs") continue;
        if (layouts_ == Layouts::two && layout.name != "dense" && layout.name != "odd output") continue;
        bool accepted = false;
        for (const Implementation& implementation : backend_.implementations(kind_of(case_.params)))
          accepted |= run_one(implementation, dtype, layout);
        EXPECT_TRUE(accepted) << case_.name << ": no implementation accepts it in " << to_string(dtype)
                              << ", " << layout.name;
      }
  }

 private:
  /// What the activations of the case may have: the backend's types, and what its convolutions alone read.
  std::vector<DType> types() const {
    std::vector<DType> types(backend_.activation_types().begin(), backend_.activation_types().end());
    if (kind_of(case_.params) == OpKind::conv2d && backend_.refuse_convolutions(DType::bf16).empty())
      types.push_back(DType::bf16);
    return types;
  }

  const Problem& problem(Precision precision, bool round_vectors) {
    const std::pair key(precision, round_vectors);
    auto found = problems_.find(key);
    if (found == problems_.end())
      found = problems_.emplace(key, make_problem(case_, precision, integers_, round_vectors)).first;
    return found->second;
  }

  bool run_one(const Implementation& implementation, DType dtype, const Layout& layout) {
    const Problem& problem =
        this->problem(precision_of(dtype, implementation.name), rounds_vectors(implementation.name));
    std::vector<DeviceTensor> inputs;
    std::vector<TensorDesc> descs;
    std::vector<const void*> addresses;
    for (const RefTensor& values : problem.inputs) {
      DeviceTensor& input = inputs.emplace_back(backend_, *stream_, values.shape, dtype,
                                                inputs.empty() ? layout.first_input : layout.other_inputs, 0);
      input.upload(values);
      descs.push_back(input.desc());
      addresses.push_back(input.data());
    }
    auto make_output = [&] {
      const bool ids = kind_of(case_.params) == OpKind::argmax;
      return DeviceTensor(backend_, *stream_, problem.expected.shape, ids ? DType::i32 : dtype, layout.output,
                          kGuard);
    };
    const TensorDesc output_desc = make_output().desc();
    const NodeDesc node{case_.name, case_.params, descs, output_desc, problem.constants, true};
    if (!implementation.refuse(node).empty()) return false;
    WeightCache cache;
    PrepareContext context{cache, 3};
    const std::unique_ptr<Kernel> kernel = implementation.prepare(node, context);
    const std::string what =
        fmt::format("{} by {}, {}, {}", case_.name, implementation.name, to_string(dtype), layout.name);
    std::vector<std::byte> first;
    for (int threads : {1, 3}) {
      if (kSanitized && threads > 1 && backend_.device().kind != DeviceKind::cpu) continue;
      backend_.set_threads(threads);
      DeviceTensor output = make_output();
      run_kernel(*kernel, addresses, output.data(), what);
      output.download();
      EXPECT_TRUE(output.surroundings_intact()) << what << ": wrote outside its output";
      compare(output, problem, what);
      if (first.empty())
        first = output.bytes();
      else
        EXPECT_TRUE(first == output.bytes()) << what << ": a second run (with more threads) differs";
    }
    return true;
  }

  void run_kernel(const Kernel& kernel, std::span<const void* const> inputs, void* output,
                  const std::string& what) {
    constexpr std::byte kUnwritten{0xff};
    std::vector<std::byte> content(kernel.workspace_bytes() + kGuard, kUnwritten);
    const std::unique_ptr<DeviceMemory> workspace = backend_.allocate(content.size());
    stream_->upload(workspace->data(), content.data(), content.size());
    kernel.run({inputs, output, workspace->data(), stream_.get()});
    stream_->download(content.data(), workspace->data(), content.size());
    EXPECT_TRUE(
        std::all_of(content.end() - kGuard, content.end(), [](std::byte b) { return b == kUnwritten; }))
        << what << ": wrote past its workspace";
  }

  void compare(const DeviceTensor& output, const Problem& problem, const std::string& what) const {
    const Shape& shape = problem.expected.shape;
    double worst = 0;
    std::string where;
    for (std::int64_t pixel = 0; pixel < shape.pixels(); ++pixel)
      for (std::int64_t c = 0; c < shape.c; ++c) {
        const double got = output.at(pixel, c),
                     wanted = problem.expected.values[static_cast<std::size_t>(pixel * shape.c + c)];
        const double allowed =
            integers_ ? 0
                      : tolerance(case_.params, output.desc().dtype, problem.terms, problem.largest, wanted);
        const double excess = std::isnan(got) ? INFINITY : std::abs(got - wanted) - allowed;
        if (excess <= worst) continue;
        worst = excess;
        where = fmt::format("pixel {} channel {}: {} instead of {} (allowed error {})", pixel, c, got, wanted,
                            allowed);
      }
    EXPECT_EQ(worst, 0) << what << ": " << where;
  }

  const OpCase& case_;
  const bool integers_;
  const Layouts layouts_;
  const Backend& backend_;
  const std::unique_ptr<Stream> stream_;
  std::map<std::pair<Precision, bool>, Problem> problems_;
};

}  // namespace

void expect_case(const OpCase& test_case, bool small_integers, Layouts layouts) {
  static const BackendUnderTest tested = backend_under_test();
  if (tested.backend == nullptr) GTEST_SKIP() << tested.why_none;
  CaseRunner(test_case, small_integers, layouts, *tested.backend).run();
}

}  // namespace atrous::test
