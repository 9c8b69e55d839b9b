// SPDX-License-Identifier: Apache-2.0
#include "html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "core/error.h"
#include "html_page.h"
#include "image/codec.h"

namespace atrous::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Text that stays text inside of elements and of attributes in double quotes.
std::string escape(std::string_view text) {
  std::string escaped;
  for (char c : text) switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  return escaped;
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8U | (k < count ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[group >> (18U - 6U * k) & 63U] : '=';
  }
  return text;
}

std::string text_of(const Json& line, const char* key) {
  return line.contains(key) && line[key].is_string() ? line[key].get<std::string>() : std::string();
}

std::string css_color(const Rgb& color) {
  return fmt::format("#{:02x}{:02x}{:02x}", color[0], color[1], color[2]);
}

double percent(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

/// Numbers of a member that is an object, by their keys; others are passed over.
std::vector<std::pair<std::string, double>> numbers_of(const Json& line, const char* key) {
  std::vector<std::pair<std::string, double>> numbers;
  if (!line.contains(key) || !line[key].is_object()) return numbers;
  for (const auto& [name, value] : line[key].items())
    if (value.is_number()) numbers.emplace_back(name, value.get<double>());
  return numbers;
}

}  // namespace

HtmlReport::HtmlReport(const std::filesystem::path& file, const LabelSet& labels)
    : path_(file),
      labels_(labels),
      file_(file),
      out_(file_.path(), std::ios::binary),
      classes_(labels.classes.size()) {
  out_ << kPageStart << std::flush;
  if (!out_) fail(ErrorCode::io, "{}: cannot be written", path_.string());
}

void HtmlReport::add(const Json& line, const Image& thumbnail) {
  if (!line.is_object() || text_of(line, "status").empty()) return;
  const bool failed = text_of(line, "status") != "ok";
  if (line.contains("frames") && !failed) return;  // a video, whose frames have cards
  ++images_;
  failed_ += failed ? 1 : 0;
  std::string card = fmt::format("<article{}>", failed ? " class=\"failed\"" : "");
  if (thumbnail.width > 0)
    card += fmt::format(
        "<img alt=\"\" loading=\"lazy\" width=\"{}\" height=\"{}\" src=\"data:image/jpeg;base64,{}\">",
        thumbnail.width, thumbnail.height, base64(encode_jpeg(thumbnail.view(), 80)));
  card += fmt::format("<h3>{}</h3>", escape(text_of(line, "name")));
  if (failed) {
    card += fmt::format("<p class=\"reason\">failed: {}</p>", escape(text_of(line, "error")));
  } else {
    add_areas(line, card);
    add_times(line, card);
  }
  out_ << card << "<p class=\"faint\">" << escape(text_of(line, "file")) << "</p></article>\n";
}

void HtmlReport::add_areas(const Json& line, std::string& card) {
  std::vector<std::pair<std::string, double>> areas = numbers_of(line, "pixels");
  double total = 0;
  for (const auto& [name, pixels] : areas) total += pixels;
  if (!(total > 0)) return;
  std::stable_sort(areas.begin(), areas.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string bar, list;
  for (const auto& [name, pixels] : areas) {
    const int id = labels_.find(name);
    const double share = 100 * pixels / total;
    const std::string color =
        css_color(id >= 0 ? labels_.classes[static_cast<std::size_t>(id)].color : kIgnoreColor);
    bar += fmt::format("<i style=\"width:{:.2f}%;background:{}\" title=\"{} {:.1f}%\"></i>", share, color,
                       escape(name), share);
    list += fmt::format("{}{} {:.1f}%", list.empty() ? "" : ", ", escape(name), share);
    if (id < 0) continue;
    ClassTotals& totals = classes_[static_cast<std::size_t>(id)];
    totals.pixels += static_cast<std::int64_t>(pixels);
    ++totals.images;
    ++totals.shares[static_cast<std::size_t>(std::clamp(share / 10, 0.0, 9.0))];
  }
  pixels_ += static_cast<std::int64_t>(total);
  card += fmt::format("<div class=\"bar\">{}</div><p>{}</p>", bar, list);
}

void HtmlReport::add_times(const Json& line, std::string& card) {
  std::string list;
  double total = 0;
  for (const auto& [stage, ms] : numbers_of(line, "ms")) {
    auto known = std::find_if(stages_.begin(), stages_.end(),
                              [&, &stage = stage](const auto& entry) { return entry.first == stage; });
    if (known == stages_.end()) known = stages_.insert(stages_.end(), {stage, 0});
    known->second += ms;
    total += ms;
    if (ms > 0) list += fmt::format(", {} {:.1f}", escape(stage), ms);
  }
  auto size = [&](const char* key) {
    return line.contains(key) && line[key].is_number() ? line[key].get<double>() : 0;
  };
  card += fmt::format("<p class=\"faint\">{:.0f} x {:.0f}; {:.1f} ms{}</p>", size("width"), size("height"),
                      total, list);
}

void HtmlReport::add_earlier(const std::filesystem::path& report) {
  std::ifstream lines(report, std::ios::binary);
  for (std::string line; std::getline(lines, line);) add(Json::parse(line, nullptr, false), {});
}

std::string HtmlReport::class_table() const {
  std::string rows;
  for (std::size_t id = 0; id < classes_.size(); ++id) {
    const ClassTotals& totals = classes_[id];
    if (totals.images == 0) continue;
    const std::string color = css_color(labels_.classes[id].color);
    const std::int64_t most = *std::max_element(totals.shares.begin(), totals.shares.end());
    std::string histogram;
    for (std::size_t i = 0; i < totals.shares.size(); ++i)
      histogram += fmt::format("<i style=\"height:{:.0f}%\" title=\"{} to {}% of the image: {} images\"></i>",
                               percent(totals.shares[i], most), 10 * i, 10 * i + 10, totals.shares[i]);
    const double share = percent(totals.pixels, pixels_);
    rows += fmt::format(
        "<tr><td><span class=\"swatch\" style=\"background:{0}\"></span>{1}</td><td class=\"number\">{2}</td>"
        "<td class=\"number\">{3:.2f}%</td><td><div class=\"bar wide\"><i "
        "style=\"width:{3:.2f}%;background:{0}\"></i>"
        "</div></td><td><div class=\"histogram\">{4}</div></td></tr>\n",
        color, escape(labels_.classes[id].name), totals.images, share, histogram);
  }
  return "<table><tr><th>class</th><th class=\"number\">images</th><th class=\"number\">of all "
         "pixels</th><th></th>"
         "<th>images by share, 0 to 100%</th></tr>\n" +
         rows + "</table>";
}

std::string HtmlReport::stage_table() const {
  double total = 0;
  for (const auto& [stage, ms] : stages_) total += ms;
  std::string rows;
  const auto images = static_cast<double>(std::max<std::int64_t>(1, images_ - failed_));
  for (const auto& [stage, ms] : stages_)
    if (ms > 0)
      rows += fmt::format(
          "<tr><td>{}</td><td class=\"number\">{:.1f}</td><td><div class=\"bar wide\"><i "
          "style=\"width:{:.1f}%;"
          "background:#7a8aa0\"></i></div></td></tr>\n",
          escape(stage), ms / images, 100 * ms / total);
  return "<table><tr><th>stage</th><th class=\"number\">ms an image</th><th></th></tr>\n" + rows + "</table>";
}

void HtmlReport::finish(const Json& run) {
  out_ << "</main>\n<header id=\"summary\"><h1>atrous: "
       << fmt::format("{} images, {} failed</h1>\n<div class=\"tables\"><div><h2>Run</h2><dl>", images_,
                      failed_);
  for (const auto& [key, value] : run.items()) {
    std::string text;
    if (value.is_array())
      for (const Json& word : value) text += (text.empty() ? "" : " ") + word.get<std::string>();
    else
      text = value.is_string() ? value.get<std::string>() : value.dump();
    std::string shown = key;
    std::replace(shown.begin(), shown.end(), '_', ' ');
    out_ << "<dt>" << escape(shown) << "</dt><dd>" << escape(text) << "</dd>\n";
  }
  out_ << "</dl></div>\n<div><h2>Classes</h2>" << class_table() << "</div><div><h2>Times</h2>"
       << stage_table() << "</div></div></header>" << kPageEnd;
  out_.close();
  if (!out_) fail(ErrorCode::io, "{}: cannot be written", path_.string());
  file_.finish();
}

}  // namespace atrous::cli
