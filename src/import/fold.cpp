// SPDX-License-Identifier: Apache-2.0
#include "import/fold.h"

#include <numeric>

#include "core/error.h"
#include "import/fold_arithmetic.h"

namespace atrous {
namespace {

using Inputs = std::vector<const Array*>;

const Array& input(const Inputs& inputs, std::size_t index) {
  if (index >= inputs.size() || inputs[index] == nullptr)
    fail(ErrorCode::bad_file, "has no input {}", index + 1);
  return *inputs[index];
}

Array slice(const Array& source, const std::vector<SliceRange>& ranges, FoldBudget& budget) {
  Dims dims = source.dims(), strides = strides_of(dims);
  std::int64_t offset = 0;
  for (const SliceRange& range : ranges) {
    offset += range.begin * strides[range.axis];
    strides[range.axis] *= range.count > 1 ? range.step : 1;
    dims[range.axis] = range.count;
  }
  budget.take(checked_count(dims));
  return source.strided(dims, strides, offset);
}

Array gather(const Array& source, const Array& indices, std::int64_t axis_, FoldBudget& budget) {
  const std::size_t axis = axis_index(axis_, source.dims().size());
  const std::int64_t extent = source.dims()[axis];
  Dims dims = source.dims();
  dims[axis] = indices.count();
  budget.take(checked_count(dims));
  std::vector<Array> parts;
  for (std::int64_t index : indices.read_wholes()) {
    if (index < -extent || index >= extent)
      fail(ErrorCode::bad_file, "gathers element {} of {}", index, extent);
    parts.push_back(slice(source, {{axis, index < 0 ? index + extent : index, 1, 1}}, budget));
  }
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), indices.dims().begin(), indices.dims().end());
  if (parts.empty()) fail(ErrorCode::bad_file, "gathers nothing");
  return Array::concat(parts, axis).reshaped(dims);
}

Array concat(const Inputs& inputs, std::int64_t axis_, FoldBudget& budget) {
  const Array& first = input(inputs, 0);
  const std::size_t axis = axis_index(axis_, first.dims().size());
  std::vector<Array> parts;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Array& part = input(inputs, i);
    Dims a = first.dims(), b = part.dims();
    if (a.size() == b.size()) a[axis] = b[axis] = 0;
    if (a != b || part.is_whole() != first.is_whole())
      fail(ErrorCode::bad_file, "joins {} and {}", dims_to_string(first.dims()), dims_to_string(part.dims()));
    budget.take(part.count());
    parts.push_back(part);
  }
  return Array::concat(parts, axis);
}

Array transpose(const Array& source, const Dims& order, FoldBudget& budget) {
  const Dims perm = checked_permutation(order, source.dims().size()), all = strides_of(source.dims());
  Dims dims, strides;
  for (std::int64_t axis : perm) {
    dims.push_back(source.dims()[static_cast<std::size_t>(axis)]);
    strides.push_back(all[static_cast<std::size_t>(axis)]);
  }
  budget.take(source.count());
  return source.strided(dims, strides, 0);
}

std::int64_t whole_number(const Inputs& inputs, std::size_t index) {
  const Array& array = input(inputs, index);
  if (array.count() != 1) fail(ErrorCode::bad_file, "has {} numbers as input {}", array.count(), index + 1);
  return array.whole(0);
}

Array range(const Inputs& inputs, FoldBudget& budget) {
  const std::int64_t start = whole_number(inputs, 0), limit = whole_number(inputs, 1),
                     step = whole_number(inputs, 2);
  if (!input(inputs, 0).is_whole()) fail(ErrorCode::unsupported, "accepted is a range of whole numbers");
  const SliceRange numbers = slice_range(0, std::int64_t{1} << 40, start, limit, step);
  if (start < 0 || limit < 0 || step < 1)
    fail(ErrorCode::unsupported, "accepted is a range that rises from 0");
  budget.take(numbers.count);
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < numbers.count; ++i) values.push_back(start + i * step);
  return Array::wholes({numbers.count}, std::move(values));
}

std::vector<Array> split(const OnnxNode& node, const Inputs& inputs, FoldBudget& budget) {
  const Array& source = input(inputs, 0);
  const std::size_t axis = axis_index(node.integer("axis", 0), source.dims().size());
  std::vector<Array> parts;
  std::int64_t begin = 0;
  for (std::int64_t size : split_sizes(node, inputs, source.dims()[axis])) {
    parts.push_back(slice(source, {{axis, begin, 1, size}}, budget));
    begin += size;
  }
  return parts;
}

Array constant_of_shape(const OnnxNode& node, const Array& shape, FoldBudget& budget) {
  const Dims dims = shape.read_wholes();
  budget.take(checked_count(dims));
  const OnnxAttribute* value = node.find("value");
  const Array one = value != nullptr && value->tensor && value->tensor->count() == 1 ? *value->tensor
                                                                                     : Array::reals({1}, {0});
  return one.strided(dims, Dims(dims.size(), 0), 0);
}

Array constant(const OnnxNode& node) {
  for (const auto& [name, attribute] : node.attributes) {
    if (name == "value" && attribute.tensor) return *attribute.tensor;
    if (name == "value_float") return Array::reals({}, {attribute.real});
    if (name == "value_int") return Array::wholes({}, {attribute.integer});
    if (name == "value_floats")
      return Array::reals({static_cast<std::int64_t>(attribute.reals.size())}, attribute.reals);
    if (name == "value_ints")
      return Array::wholes({static_cast<std::int64_t>(attribute.integers.size())}, attribute.integers);
  }
  fail(ErrorCode::unsupported, "accepted is a constant of numbers");
}

Array where(const Inputs& inputs, FoldBudget& budget) {
  const Array &a = input(inputs, 1), &b = input(inputs, 2);
  const Dims dims = broadcast_dims(broadcast_dims(input(inputs, 0).dims(), a.dims()), b.dims());
  const Array condition = expanded(input(inputs, 0), dims, budget);
  return combined(condition, expanded(a, dims, budget), expanded(b, dims, budget));
}

}  // namespace

void FoldBudget::take(std::int64_t count) {
  elements -= count;
  if (elements < 0) fail(ErrorCode::bad_file, "computes more constants than its file could need");
}

std::optional<Dims> axes_of(const OnnxNode& node, const Inputs& inputs, std::size_t index,
                            std::string_view attribute) {
  if (index < inputs.size() && inputs[index] != nullptr) return inputs[index]->read_wholes();
  if (node.find(attribute) != nullptr) return node.integers(attribute);
  return std::nullopt;
}

std::vector<SliceRange> slice_ranges(const OnnxNode& node, const Inputs& inputs, const Dims& dims) {
  const Dims begins = axes_of(node, inputs, 1, "starts").value_or(Dims()),
             ends = axes_of(node, inputs, 2, "ends").value_or(Dims());
  Dims every(begins.size());
  std::iota(every.begin(), every.end(), 0);
  const Dims axes = axes_of(node, inputs, 3, "axes").value_or(every),
             steps = axes_of(node, inputs, 4, "steps").value_or(Dims(begins.size(), 1));
  if (ends.size() != begins.size() || axes.size() != begins.size() || steps.size() != begins.size())
    fail(ErrorCode::bad_file, "has starts, ends, axes and steps of different lengths");
  std::vector<SliceRange> ranges;
  std::vector<bool> seen(dims.size());
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const std::size_t axis = axis_index(axes[i], dims.size());
    if (seen[axis]) fail(ErrorCode::bad_file, "slices axis {} twice", axis);
    seen[axis] = true;
    ranges.push_back(slice_range(axis, dims[axis], begins[i], ends[i], steps[i]));
  }
  return ranges;
}

Dims split_sizes(const OnnxNode& node, const Inputs& inputs, std::int64_t extent) {
  Dims sizes = axes_of(node, inputs, 1, "split").value_or(Dims());
  const auto parts = static_cast<std::int64_t>(node.outputs.size());
  if (sizes.empty() && parts > 0) {
    const std::int64_t each = (extent + parts - 1) / parts;
    sizes = Dims(node.outputs.size(), each);
    sizes.back() = extent - each * (parts - 1);
  }
  std::int64_t rest = extent;
  for (std::int64_t size : sizes) rest = size < 0 || size > rest ? -1 : rest - size;
  if (rest != 0 || sizes.size() != node.outputs.size())
    fail(ErrorCode::bad_file, "splits {} into {}", extent, dims_to_string(sizes));
  return sizes;
}

std::optional<std::vector<Array>> fold(const OnnxNode& node, const Inputs& inputs, FoldBudget& budget) {
  const std::string& op = node.op;
  auto one = [](Array array) { return std::vector<Array>{std::move(array)}; };
  auto reshaped = [&](Dims dims) { return one(inputs[0]->reshaped(std::move(dims))); };
  if (op == "Constant") return one(constant(node));
  if (std::optional<Array> result = fold_arithmetic(node, inputs, budget)) return one(std::move(*result));
  if (op == "Range") return one(range(inputs, budget));
  if (op == "Where") return one(where(inputs, budget));
  if (op == "ConstantOfShape") return one(constant_of_shape(node, input(inputs, 0), budget));
  if (op == "Split") return split(node, inputs, budget);
  if (op == "Concat") return one(concat(inputs, node.integer("axis", 0), budget));
  if (op == "Gather") return one(gather(input(inputs, 0), input(inputs, 1), node.integer("axis", 0), budget));
  if (inputs.empty() || inputs[0] == nullptr) return std::nullopt;
  const Dims& dims = inputs[0]->dims();
  if (op == "Identity" || op == "Dropout") return one(*inputs[0]);
  if (op == "Reshape")
    return reshaped(reshaped_dims(dims, input(inputs, 1).read_wholes(), node.integer("allowzero", 0) != 0));
  if (op == "Flatten") return reshaped(flattened_dims(dims, node.integer("axis", 1)));
  if (op == "Squeeze") return reshaped(squeezed_dims(dims, axes_of(node, inputs, 1, "axes")));
  if (op == "Unsqueeze")
    return reshaped(unsqueezed_dims(dims, axes_of(node, inputs, 1, "axes").value_or(Dims())));
  if (op == "Transpose") return one(transpose(*inputs[0], node.integers("perm"), budget));
  if (op == "Slice") return one(slice(*inputs[0], slice_ranges(node, inputs, dims), budget));
  if (op == "Expand")
    return one(expanded(*inputs[0], broadcast_dims(dims, input(inputs, 1).read_wholes()), budget));
  if (op == "Shape") {
    const auto rank = static_cast<std::int64_t>(dims.size());
    const SliceRange part = slice_range(0, rank, node.integer("start", 0), node.integer("end", rank), 1);
    const auto begin = dims.begin() + part.begin;
    return one(Array::wholes({part.count}, Dims(begin, begin + part.count)));
  }
  if (op == "Size") return one(Array::wholes({}, {checked_count(dims)}));
  return std::nullopt;
}

}  // namespace atrous
