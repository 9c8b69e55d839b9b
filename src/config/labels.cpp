// SPDX-License-Identifier: Apache-2.0
#include "config/labels.h"

#include <algorithm>

#include "core/error.h"

namespace atrous {
namespace {

constexpr std::int64_t kMostClasses = 255;

LabelClass parse_class(const Value& value, int id) {
  if (value.kind == Value::Kind::scalar) return {value.scalar, voc_color(id)};
  Fields fields(value, "class " + std::to_string(id));
  LabelClass result{fields.text("name"), voc_color(id)};
  const std::vector<std::int64_t> color = fields.integers("color");
  const bool valid =
      color.size() == 3 && std::all_of(color.begin(), color.end(), [](auto v) { return v >= 0 && v <= 255; });
  if (fields.has("color") && !valid) fields.complain("'color' must be [red, green, blue], each 0 to 255");
  if (valid) std::copy(color.begin(), color.end(), result.color.begin());
  fields.finish();
  return result;
}

}  // namespace

Rgb voc_color(int id) {
  Rgb color{};
  for (int bit = 7; id != 0; id >>= 3, --bit)
    for (int channel = 0; channel < 3; ++channel)
      color[static_cast<std::size_t>(channel)] |= static_cast<std::uint8_t>(((id >> channel) & 1) << bit);
  return color;
}

int LabelSet::find(std::string_view class_name) const {
  for (int i = 0; i < size(); ++i)
    if (classes[static_cast<std::size_t>(i)].name == class_name) return i;
  return -1;
}

LabelSet parse_labels(const Value& map) {
  Fields fields(map, "labels");
  LabelSet set;
  set.name = fields.text("name", "");
  fields.integer_in("ignore", kIgnore, kIgnore, kIgnore);
  const Value& classes = fields.require("classes");
  if (classes.kind != Value::Kind::list || classes.items.empty() ||
      classes.items.size() > static_cast<std::size_t>(kMostClasses))
    fields.complain(fmt::format("'classes' must be a list of 1 to {} names or maps", kMostClasses), &classes);
  for (const Value& item : classes.items) {
    set.classes.push_back(parse_class(item, set.size()));
    if (set.find(set.classes.back().name) != set.size() - 1)
      fields.complain("class '" + set.classes.back().name + "' stands twice", &item);
  }
  if (const Value* pairs = fields.find("flip_pairs")) {
    if (pairs->kind != Value::Kind::list)
      fields.complain("'flip_pairs' must be a list of [class, class]", pairs);
    for (const Value& pair : pairs->items) {
      std::array<int, 2> ids{-1, -1};
      for (std::size_t i = 0; i < 2 && pair.items.size() == 2; ++i) ids[i] = set.find(pair.items[i].scalar);
      if (ids[0] < 0 || ids[1] < 0) fields.complain("'flip_pairs' must be a list of [class, class]", &pair);
      set.flip_pairs.emplace_back(ids[0], ids[1]);
    }
  }
  if (const Value* merge = fields.find("merge")) {
    if (merge->kind != Value::Kind::map) fields.complain("'merge' must map classes to lists of names", merge);
    for (const auto& [name, sources] : merge->fields) {
      if (set.find(name) < 0) fields.complain("'merge' names '" + name + "', which is no class", &sources);
      if (sources.kind != Value::Kind::list)
        fields.complain("'merge' must map classes to lists of names", &sources);
      for (const Value& source : sources.items) set.merge.emplace_back(source.scalar, set.find(name));
    }
  }
  fields.finish();
  return set;
}

LabelSet numbered_labels(int classes) {
  LabelSet set;
  set.name = "numbered";
  for (int i = 0; i < classes; ++i) set.classes.push_back({"class " + std::to_string(i), voc_color(i)});
  return set;
}

}  // namespace atrous
