// SPDX-License-Identifier: Apache-2.0
#include "support/run_case.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "backend/backend.h"
#include "ops/schema.h"
#include "support/reference.h"

namespace atrous::test {
namespace {

constexpr float kGuard = -12345.5F;

/// A tensor laid out with a pitch, guard values in its gaps and around it.
struct Guarded {
  Guarded(const TensorDesc& d)
      : desc(d), memory(static_cast<std::size_t>(d.shape.pixels() * d.pitch + 64), kGuard) {}
  float* data() { return memory.data() + 32; }
  float& at(std::int64_t pixel, std::int64_t c) { return data()[pixel * desc.pitch + c]; }
  bool guards_intact() {
    for (std::size_t i = 0; i < 32; ++i)
      if (memory[i] != kGuard || memory[memory.size() - 1 - i] != kGuard) return false;
    for (std::int64_t pixel = 0; pixel < desc.shape.pixels(); ++pixel)
      for (std::int64_t c = desc.shape.c; c < desc.pitch && (pixel + 1 < desc.shape.pixels()); ++c)
        if (at(pixel, c) != kGuard) return false;
    return true;
  }
  TensorDesc desc;
  std::vector<float> memory;
};

class Runner {
 public:
  Runner(const OpCase& test_case, bool small_integers)
      : case_(test_case), integers_(small_integers), generator_(seed()) {
    for (const Shape& shape : case_.inputs) {
      inputs_.push_back({shape, {}});
      for (std::int64_t i = 0; i < shape.elements(); ++i) inputs_.back().values.push_back(random(-2, 2));
    }
    const OpSchema& schema = schema_of(case_.params);
    output_ = schema.infer_shape(case_.params, case_.inputs);
    double terms = 1;
    for (const ConstantSpec& spec : schema.constants(case_.params, case_.inputs)) {
      std::int64_t count = 1;
      for (std::int64_t extent : spec.dims) count *= extent;
      std::vector<float> values;
      for (std::int64_t i = 0; i < count; ++i)
        values.push_back(spec.name == "running_var" ? random(1, 2) : random(-1, 1));
      reference_constants_.emplace_back(values.begin(), values.end());
      if (spec.name == "weight") terms = static_cast<double>(count) / static_cast<double>(spec.dims[0]);
      constants_.push_back({spec.name, make_tensor_ref(spec.name, spec.dims, std::move(values)), {}});
    }
    expected_ = reference(case_.params, inputs_, reference_constants_, output_);
    double largest = 1;
    for (double v : expected_.values) largest = std::max(largest, std::abs(v));
    tolerance_ = integers_ ? 0 : case_.tolerance * largest * std::sqrt(terms);
  }

  void run() {
    const auto backend = make_backend({});
    int accepted = 0;
    for (const Implementation& implementation : backend->implementations(kind_of(case_.params)))
      for (std::int64_t gap : {0, 5}) accepted += run_one(*backend, implementation, gap) ? 1 : 0;
    EXPECT_GT(accepted, 0) << case_.name << ": no implementation accepts it";
  }

 private:
  static unsigned seed() {
    const char* text = std::getenv("ATROUS_TEST_SEED");
    return text != nullptr ? static_cast<unsigned>(std::atoi(text)) : 1U;
  }

  float random(float low, float high) {
    const float value = std::uniform_real_distribution<float>(low, high)(generator_);
    return integers_ ? std::round(value) : value;
  }

  bool run_one(const Backend& backend, const Implementation& implementation, std::int64_t gap) {
    std::vector<TensorDesc> descs;
    std::vector<Guarded> tensors;
    for (const RefTensor& input : inputs_) {
      descs.push_back({input.shape, input.shape.c + gap, DType::f32});
      Guarded& tensor = tensors.emplace_back(descs.back());
      for (std::int64_t p = 0; p < input.shape.pixels(); ++p)
        for (std::int64_t c = 0; c < input.shape.c; ++c)
          tensor.at(p, c) = static_cast<float>(input.values[static_cast<std::size_t>(p * input.shape.c + c)]);
    }
    const bool ids = kind_of(case_.params) == OpKind::argmax;
    const TensorDesc out{output_, output_.c + gap, ids ? DType::i32 : DType::f32};
    const NodeDesc node{case_.name, case_.params, descs, out, constants_};
    if (!implementation.refuse(node).empty()) return false;
    WeightCache cache;
    PrepareContext context{cache, 3};
    const std::unique_ptr<Kernel> kernel = implementation.prepare(node, context);
    std::vector<const void*> addresses;
    for (Guarded& tensor : tensors) addresses.push_back(tensor.data());
    std::vector<float> first;
    for (int threads : {1, 3}) {
      backend.set_threads(threads);
      Guarded output(out);
      const std::unique_ptr<DeviceMemory> workspace = backend.allocate(kernel->workspace_bytes() + 64);
      std::memset(workspace->host(), 0x7b, workspace->size());
      kernel->run({addresses, output.data(), workspace->data()});
      const std::string what =
          case_.name + " by " + std::string(implementation.name) + (gap > 0 ? ", sliced" : ", dense");
      EXPECT_TRUE(output.guards_intact()) << what << ": wrote outside its output";
      for (std::size_t i = workspace->size() - 64; i < workspace->size(); ++i)
        if (static_cast<int>(workspace->host()[i]) != 0x7b)
          ADD_FAILURE() << what << ": wrote past its workspace";
      compare(output, ids, what);
      if (threads == 1)
        first = output.memory;
      else
        EXPECT_EQ(std::memcmp(first.data(), output.memory.data(), first.size() * sizeof(float)), 0)
            << what << ": threads change the result";
    }
    return true;
  }

  void compare(Guarded& output, bool ids, const std::string& what) {
    double worst = -1;
    std::string where;
    for (std::int64_t p = 0; p < output_.pixels(); ++p)
      for (std::int64_t c = 0; c < output_.c; ++c) {
        std::int32_t id = 0;
        std::memcpy(&id, &output.at(p, c), sizeof id);
        const double got = ids ? id : output.at(p, c),
                     wanted = expected_.values[static_cast<std::size_t>(p * output_.c + c)];
        const double difference = std::isnan(got) ? INFINITY : std::abs(got - wanted);
        if (difference <= worst) continue;
        worst = difference;
        where = fmt::format("pixel {} channel {}: {} instead of {}", p, c, got, wanted);
      }
    EXPECT_LE(worst, ids ? 0 : tolerance_) << what << ": " << where;
  }

  const OpCase& case_;
  bool integers_;
  std::mt19937 generator_;
  std::vector<RefTensor> inputs_;
  std::vector<Constant> constants_;
  std::vector<std::vector<double>> reference_constants_;
  Shape output_;
  RefTensor expected_;
  double tolerance_ = 0;
};

}  // namespace

void expect_case(const OpCase& test_case, bool small_integers) { Runner(test_case, small_integers).run(); }

}  // namespace atrous::test
