// SPDX-License-Identifier: Apache-2.0
#include "import/probe.h"

#include <algorithm>

#include "core/error.h"
#include "import/translator.h"

namespace atrous {
namespace {

struct Extent {
  int height, width;
};

/// What is equal here for no reason but chance would have to be so three times; none divides by much.
constexpr Extent kProbes[] = {{353, 418}, {586, 447}, {675, 508}};
constexpr int kMultiples[] = {1, 2, 4, 8, 16, 32, 64};

struct Probe {
  ImportedNetwork network;
  Tail tail;
};
using Probes = std::vector<Probe>;

[[noreturn]] void complain_of_size(const ImportedNode& node, std::string_view what) {
  fail(ErrorCode::bad_config,
       "node '{}': its {} depends on the input's size in a way that a config cannot say (--size fixes it)",
       node.name, what);
}

bool same_tensors(const std::vector<TensorRef>& a, const std::vector<TensorRef>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].dims != b[i].dims) return false;
    const auto bytes = static_cast<std::ptrdiff_t>(a[i].elements()) * 4;
    if (a[i].data != b[i].data && !std::equal(a[i].data.get(), a[i].data.get() + bytes, b[i].data.get()))
      return false;
  }
  return true;
}

std::string text_of(const Value& value) {
  std::string text = value.scalar;
  for (const Value& item : value.items) text += "," + text_of(item);
  return text;
}

std::string text_of(const Keys& keys, std::string_view but = "") {
  std::string text;
  for (const auto& [key, value] : keys)
    if (key != but) text += key + ":" + text_of(value) + ";";
  return text;
}

/// The latest node before `node` whose extent is that of its value in every probe, or -1.
int node_like(const Probes& probes, int node) {
  for (int candidate = node - 1; candidate >= 0; --candidate) {
    bool fits = true;
    for (const Probe& probe : probes) {
      const Shape &a = probe.network[candidate].shape, &b = probe.network[node].shape;
      fits = fits && a.h == b.h && a.w == b.w;
    }
    if (fits) return candidate;
  }
  return -1;
}

/// The factor of every probe's extents, or nothing.
std::optional<Value> common_scale(const Probes& probes, int node) {
  float h = 0, w = 0;
  for (const Probe& probe : probes) {
    const Shape &out = probe.network[node].shape, &in = probe.network[probe.network[node].inputs[0]].shape;
    const float scale_h = static_cast<float>(out.h) / static_cast<float>(in.h),
                scale_w = static_cast<float>(out.w) / static_cast<float>(in.w);
    if (h != 0 && (h != scale_h || w != scale_w)) return std::nullopt;
    h = scale_h, w = scale_w;
  }
  return h == w ? number(h) : Value::list({number(h), number(w)});
}

/// Replaces a resize's `size` by what holds in every probe.
void generalise_resize(const Probes& probes, int index, ImportedNode& node, bool differs) {
  const int like = node_like(probes, index);
  if (like < 0 && !differs) return;
  if (probes.size() > 1 && !differs) return;  // the same in all, so meant
  std::pair<std::string, Value> key;
  if (like >= 0) {
    key = {"like", Value::text("true")};
    node.inputs.push_back(like);
  } else if (const auto scale = common_scale(probes, index)) {
    key = {"scale", *scale};
  } else {
    complain_of_size(node, "extent");
  }
  for (auto& given : node.keys)
    if (given.first == "size") given = key;
}

/// The first probe's network with what differs between them said by other means.
ImportedNetwork merge(const Probes& probes) {
  ImportedNetwork result = probes[0].network;
  for (int i = 1; i < result.size(); ++i) {
    bool size_differs = false;
    for (const Probe& probe : probes) {
      if (probe.network.size() != result.size()) complain_of_size(result[i], "place");
      const ImportedNode &a = probes[0].network[i], &b = probe.network[i];
      if (a.op != b.op || a.inputs != b.inputs || a.name != b.name) complain_of_size(a, "operator");
      if (text_of(a.keys, "size") != text_of(b.keys, "size")) complain_of_size(a, "parameters");
      if (!same_tensors(a.tensors, b.tensors)) complain_of_size(a, "weights");
      size_differs = size_differs || text_of(a.keys) != text_of(b.keys);
    }
    if (result[i].op == "resize" && Value::map(result[i].keys).find("size") != nullptr)
      generalise_resize(probes, i, result[i], size_differs);
    else if (size_differs)
      complain_of_size(result[i], "parameters");
  }
  return result;
}

/// What the model's input takes: letters to dimensions, and the extents that it fixes (0: any).
struct InputRule {
  Layout layout;
  int height = 0, width = 0;
};

InputRule input_rule(const OnnxModel& model) {
  if (model.inputs.size() != 1)
    fail(ErrorCode::unsupported, "has {} inputs; accepted is one, the photo", model.inputs.size());
  const Dims& dims = model.inputs[0].dims;
  const bool nchw = dims.size() == 4 && dims[1] == 3, nhwc = !nchw && dims.size() == 4 && dims[3] == 3;
  if ((!nchw && !nhwc) || dims[0] > 4096)
    fail(ErrorCode::unsupported,
         "its input is {}; accepted is [n,3,height,width] or [n,height,width,3], where extents but the 3 may "
         "be open (below 1)",
         dims_to_string(dims));
  InputRule rule{nchw ? Layout::nchw() : Layout({"n", "h", "w", "c"})};
  auto side = [](std::int64_t extent) {
    if (extent > 65536)
      fail(ErrorCode::unsupported, "its input is {} wide or high; accepted are up to 65536", extent);
    return extent < 1 ? 0 : static_cast<int>(extent);
  };
  rule.height = side(dims[nchw ? 2 : 1]), rule.width = side(dims[nchw ? 3 : 2]);
  return rule;
}

Probe probe_at(const OnnxModel& model, const Layout& layout, const Extent& extent) {
  Probe probe{translate(model, {{1, extent.height, extent.width, 3}, layout}), {}};
  probe.tail = leave_tail_to_engine(probe.network);
  simplify(probe.network);
  if (probe.network.size() < 2) fail(ErrorCode::bad_file, "computes nothing from its input");
  return probe;
}

SizedNetwork translate_multiple(const OnnxModel& model, const Layout& layout, int multiple) {
  Probes probes;
  for (const Extent& extent : kProbes)
    probes.push_back(probe_at(model, layout,
                              {(extent.height + multiple - 1) / multiple * multiple,
                               (extent.width + multiple - 1) / multiple * multiple}));
  for (const Probe& probe : probes)
    if (probe.tail.resized != probes[0].tail.resized)
      complain_of_size(probes[0].network[probes[0].network.output], "extent");
  return {merge(probes), probes[0].tail, 0, 0, multiple};
}

}  // namespace

SizedNetwork translate_any_size(const OnnxModel& model, int height, int width) {
  const InputRule rule = input_rule(model);
  const int fixed_height = rule.height > 0 ? rule.height : height,
            fixed_width = rule.width > 0 ? rule.width : width;
  if ((height > 0 && height != fixed_height) || (width > 0 && width != fixed_width))
    fail(ErrorCode::invalid_argument, "its input is {}x{} (height x width), not {}x{}", fixed_height,
         fixed_width, height, width);
  if ((fixed_height > 0) != (fixed_width > 0))
    fail(ErrorCode::invalid_argument,
         "its input leaves one of height {} and width {} open; --size HxW says it", rule.height, rule.width);
  if (fixed_height > 0) {
    Probes probes;
    probes.push_back(probe_at(model, rule.layout, {fixed_height, fixed_width}));
    return {merge(probes), probes[0].tail, fixed_height, fixed_width, 1};
  }
  std::optional<Error> first;
  for (int multiple : kMultiples) try {
      return translate_multiple(model, rule.layout, multiple);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::bad_config) throw;  // no size mends it
      if (!first) first = error;
    }
  throw *first;
}

}  // namespace atrous
