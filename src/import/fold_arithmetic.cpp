// SPDX-License-Identifier: Apache-2.0
#include "import/fold_arithmetic.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/checked.h"
#include "core/error.h"

namespace atrous {
namespace {

using Whole = std::optional<std::int64_t>;

/// An operator on two numbers; on whole ones the result may not fit or not exist.
struct Binary {
  double (*real)(double, double);
  Whole (*whole)(std::int64_t, std::int64_t);
  bool compares = false;
};

Whole divide(std::int64_t a, std::int64_t b) {
  return b == 0 || (b == -1 && a == INT64_MIN) ? Whole() : Whole(a / b);
}
Whole remainder(std::int64_t a, std::int64_t b) {  // has the sign of b
  if (b == 0 || b == -1) return b == 0 ? Whole() : Whole(0);
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

const std::map<std::string, Binary, std::less<>> kBinary = {
    {"Add", {[](double a, double b) { return a + b; }, checked_add}},
    {"Sub",
     {[](double a, double b) { return a - b; },
      [](std::int64_t a, std::int64_t b) { return b == INT64_MIN ? Whole() : checked_add(a, -b); }}},
    {"Mul", {[](double a, double b) { return a * b; }, checked_mul}},
    {"Div", {[](double a, double b) { return a / b; }, divide}},
    {"Mod", {[](double a, double b) { return std::fmod(a, b); }, remainder}},
    {"Min",
     {[](double a, double b) { return std::min(a, b); },
      [](auto a, auto b) { return Whole(std::min(a, b)); }}},
    {"Max",
     {[](double a, double b) { return std::max(a, b); },
      [](auto a, auto b) { return Whole(std::max(a, b)); }}},
    {"Equal",
     {[](double a, double b) { return a == b ? 1.0 : 0.0; }, [](auto a, auto b) { return Whole(a == b); },
      true}},
    {"Less",
     {[](double a, double b) { return a < b ? 1.0 : 0.0; }, [](auto a, auto b) { return Whole(a < b); },
      true}},
    {"Greater",
     {[](double a, double b) { return a > b ? 1.0 : 0.0; }, [](auto a, auto b) { return Whole(a > b); },
      true}},
};

const std::map<std::string, double (*)(double), std::less<>> kUnary = {
    {"Floor", [](double a) { return std::floor(a); }},
    {"Ceil", [](double a) { return std::ceil(a); }},
    {"Round", [](double a) { return std::nearbyint(a); }},
    {"Sqrt", [](double a) { return std::sqrt(a); }},
    {"Neg", [](double a) { return -a; }},
    {"Abs", [](double a) { return std::abs(a); }},
    {"Exp", [](double a) { return std::exp(a); }},
    {"Reciprocal", [](double a) { return 1 / a; }},
    {"Not", [](double a) { return a == 0 ? 1.0 : 0.0; }},
};

Array binary(const Binary& op, const Array& a_, const Array& b_, FoldBudget& budget) {
  const Dims dims = broadcast_dims(a_.dims(), b_.dims());
  const Array a = expanded(a_, dims, budget), b = expanded(b_, dims, budget);
  const bool whole = a.is_whole() && b.is_whole();
  std::vector<float> reals;
  std::vector<std::int64_t> wholes;
  for (std::int64_t i = 0; i < a.count(); ++i) {
    if (!whole && !op.compares) {
      reals.push_back(static_cast<float>(op.real(a.at(i), b.at(i))));
      continue;
    }
    const Whole value = whole ? op.whole(a.whole(i), b.whole(i)) : Whole(op.real(a.at(i), b.at(i)) != 0);
    if (!value) fail(ErrorCode::bad_file, "has no value for {} and {}", a.whole(i), b.whole(i));
    wholes.push_back(*value);
  }
  return whole || op.compares ? Array::wholes(dims, std::move(wholes)) : Array::reals(dims, std::move(reals));
}

Array converted(const Array& source, bool to_whole, double (*function)(double)) {
  std::vector<float> reals;
  std::vector<std::int64_t> wholes;
  for (std::int64_t i = 0; i < source.count(); ++i)
    if (to_whole)
      wholes.push_back(function == nullptr
                           ? source.whole(i)
                           : static_cast<std::int64_t>(std::clamp(function(source.at(i)), -9e18, 9e18)));
    else
      reals.push_back(static_cast<float>(function == nullptr ? source.at(i) : function(source.at(i))));
  return to_whole ? Array::wholes(source.dims(), std::move(wholes))
                  : Array::reals(source.dims(), std::move(reals));
}

/// ONNX's types of real numbers: float, float16, double, bfloat16.
bool is_real_type(std::int64_t type) { return type == 1 || type == 10 || type == 11 || type == 16; }

}  // namespace

std::optional<Array> fold_arithmetic(const OnnxNode& node, const std::vector<const Array*>& inputs,
                                     FoldBudget& budget) {
  const Array* a = inputs.empty() ? nullptr : inputs[0];
  if (a == nullptr) return std::nullopt;
  if (const auto op = kBinary.find(node.op); op != kBinary.end()) {
    if (inputs.size() != 2 || inputs[1] == nullptr) fail(ErrorCode::unsupported, "accepted are two inputs");
    return binary(op->second, *a, *inputs[1], budget);
  }
  if (node.op != "Cast" && !kUnary.contains(node.op)) return std::nullopt;
  budget.take(a->count());
  if (node.op == "Cast") {
    const std::int64_t to = node.integer("to", 1);
    double (*to_bool)(double) = [](double x) { return x != 0 ? 1.0 : 0.0; };
    return converted(*a, !is_real_type(to), to == 9 ? to_bool : nullptr);
  }
  const bool whole = a->is_whole();
  if (whole && (node.op == "Sqrt" || node.op == "Exp" || node.op == "Reciprocal"))
    fail(ErrorCode::bad_file, "takes real numbers only");
  return converted(*a, whole, kUnary.find(node.op)->second);
}

Array expanded(const Array& source, const Dims& dims, FoldBudget& budget) {
  if (source.dims() == dims) return source;
  budget.take(checked_count(dims));
  const Dims own = strides_of(source.dims());
  Dims strides(dims.size(), 0);
  for (std::size_t back = 1; back <= own.size(); ++back) {
    const std::size_t from = own.size() - back;
    if (source.dims()[from] != 1) strides[dims.size() - back] = own[from];
  }
  return source.strided(dims, strides, 0);
}

Array combined(const Array& condition, const Array& a, const Array& b) {
  std::vector<float> reals;
  std::vector<std::int64_t> wholes;
  const bool whole = a.is_whole() && b.is_whole();
  for (std::int64_t i = 0; i < condition.count(); ++i) {
    const Array& chosen = condition.at(i) != 0 ? a : b;
    if (whole)
      wholes.push_back(chosen.whole(i));
    else
      reals.push_back(static_cast<float>(chosen.at(i)));
  }
  return whole ? Array::wholes(condition.dims(), std::move(wholes))
               : Array::reals(condition.dims(), std::move(reals));
}

}  // namespace atrous
