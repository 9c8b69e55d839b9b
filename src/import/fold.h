// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "import/onnx_model.h"
#include "import/shape_rules.h"

namespace atrous {

/// How many elements may still be made, so that a small file cannot ask for much memory.
struct FoldBudget {
  std::int64_t elements;
  void take(std::int64_t count);  ///< throws Error{bad_file} when it is used up
};

/// The outputs of a node whose inputs are all constants (nullptr where one is left out), or nullopt for an
/// operator that is not computed here. Throws Error{bad_file} without a place where the node is not valid.
std::optional<std::vector<Array>> fold(const OnnxNode& node, const std::vector<const Array*>& inputs,
                                       FoldBudget& budget);

/// An attribute that later opsets made an input: from input `index` where it is given, else from the
/// attribute.
std::optional<Dims> axes_of(const OnnxNode& node, const std::vector<const Array*>& inputs, std::size_t index,
                            std::string_view attribute);
/// The ranges of a Slice of a value with these extents (opset 9: attributes, later inputs).
std::vector<SliceRange> slice_ranges(const OnnxNode& node, const std::vector<const Array*>& inputs,
                                     const Dims& dims);
/// The extents of a Split's parts along `axis`.
Dims split_sizes(const OnnxNode& node, const std::vector<const Array*>& inputs, std::int64_t extent);

}  // namespace atrous
