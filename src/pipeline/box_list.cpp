// SPDX-License-Identifier: Apache-2.0
#include "pipeline/box_list.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/value.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

std::string_view trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

/// A name that a spreadsheet wrote: in double quotes, and those within it doubled.
std::string unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  std::string name;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    name += text[i];
    if (text[i] == '"' && text[i + 1] == '"' && i + 2 < text.size()) ++i;
  }
  return name;
}

/// The name before the last four fields, and those: names may hold commas.
struct CsvLine {
  std::string_view name;
  std::array<std::optional<double>, 4> numbers;

  auto good() const { return 4 - std::count(numbers.begin(), numbers.end(), std::nullopt); }
  PhotoBox box() const { return {*numbers[0], *numbers[1], *numbers[2], *numbers[3]}; }
};

/// None where there are fewer than five fields.
std::optional<CsvLine> split_line(std::string_view line) {
  CsvLine fields;
  for (std::size_t i = 4; i-- > 0;) {
    const std::size_t comma = line.rfind(',');
    if (comma == std::string_view::npos) return std::nullopt;
    fields.numbers[i] = parse_number(trim(line.substr(comma + 1)));
    line = line.substr(0, comma);
  }
  fields.name = trim(line);
  return fields;
}

}  // namespace

PhotoBox parse_box(std::string_view text) {
  const std::string line = "," + std::string(text);
  const std::optional<CsvLine> fields = split_line(line);
  if (!fields || fields->good() != 4 || !fields->name.empty())
    fail(ErrorCode::invalid_argument, "box '{}' is not x,y,w,h in pixels", shorten(text));
  return fields->box();
}

std::vector<BoxLine> load_boxes(const fs::path& file) {
  const std::vector<std::byte> content = read_file(file);
  std::string_view rest(reinterpret_cast<const char*>(content.data()), content.size());
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);  // a byte order mark
  std::vector<BoxLine> boxes;
  bool first = true;
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::optional<CsvLine> fields = split_line(line);
    const bool header = first && fields && fields->good() == 0;
    first = false;
    if (header) continue;
    if (!fields || fields->good() != 4 || fields->name.empty())
      fail(ErrorCode::bad_file, "{}:{}: '{}' is not file,x,y,w,h with numbers in pixels", file.string(),
           number, shorten(line));
    boxes.push_back({unquote(fields->name), fields->box(), number});
  }
  return boxes;
}

std::vector<BoxLine> assign_boxes(const fs::path& csv, std::span<const BoxLine> lines,
                                  std::span<InputFile> inputs) {
  using Index = std::map<fs::path, std::vector<InputFile*>>;
  Index given, relative, named;
  for (InputFile& input : inputs) {
    const fs::path file(input.file), name = file.filename();
    given[file.lexically_normal()].push_back(&input);
    relative[fs::path(input.stem).parent_path() / name].push_back(&input);  // the stem keeps the sub-folders
    named[name].push_back(&input);
  }
  std::vector<BoxLine> strangers;
  for (const BoxLine& line : lines) {
    const fs::path path = fs::path(line.file).lexically_normal();
    std::vector<InputFile*> meant;
    for (const Index* index : {&given, &relative, &named})
      if (const auto found = index->find(path); meant.empty() && found != index->end()) meant = found->second;
    if (meant.size() > 1)
      fail(ErrorCode::invalid_argument, "{}:{}: '{}' is the name of {} inputs; give its path", csv.string(),
           line.line, shorten(line.file), meant.size());
    meant.empty() ? strangers.push_back(line) : meant.front()->boxes.push_back(line.box);
  }
  return strangers;
}

}  // namespace atrous
