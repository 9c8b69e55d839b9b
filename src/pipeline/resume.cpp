// SPDX-License-Identifier: Apache-2.0
#include "pipeline/resume.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/digest.h"
#include "core/error.h"
#include "core/files.h"
#include "image/video.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Adds size and time of a file; false where there is none.
bool add_stamp(Digest& digest, const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return false;
  digest.add(std::int64_t{status.st_size});
  digest.add(std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000);
  return true;
}

/// The name as JSON writes it: bytes that are no UTF-8 look the same in a report and here.
std::string written_name(const Json& name) {
  return name.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A line of a report.
struct Line {
  std::string_view text;
  std::string video;            ///< of a frame: the name of its video; "" for others
  std::string source, outputs;  ///< "" for an image that failed
};

struct Report {
  fs::path path;
  MappedFile content;
};

std::vector<Report> find_reports(const fs::path& folder) {
  std::vector<Report> reports;
  std::error_code status;
  for (fs::directory_iterator it(folder, status), end; !status && it != end; it.increment(status)) {
    const std::string name = it->path().filename().string();
    if (name == "report.jsonl" || (name.starts_with("report.") && name.ends_with(".jsonl")))
      reports.push_back({it->path(), map_file(it->path())});
  }
  return reports;
}

/// Lines of images by their names.
using Lines = std::unordered_multimap<std::string, Line>;

Lines read_lines(const Report& report) {
  Lines lines;
  std::string_view rest(reinterpret_cast<const char*>(report.content.data.get()), report.content.size);
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    const Json line = Json::parse(text, nullptr, false);
    auto member = [&](const char* key) {
      return line.contains(key) && line[key].is_string() ? line[key].get<std::string>() : std::string();
    };
    if (line.is_object() && line.contains(LineKeys::kName))
      lines.emplace(written_name(line[LineKeys::kName]),
                    Line{text, line.contains(LineKeys::kVideo) ? written_name(line[LineKeys::kVideo]) : "",
                         member(LineKeys::kSource), member(LineKeys::kOutputs)});
  }
  return lines;
}

void write_lines(const fs::path& report, const std::vector<std::string_view>& lines) {
  replace_file(report, [&](const fs::path& temporary) {
    std::ofstream file(temporary, std::ios::binary);
    for (std::string_view line : lines) file << line << '\n';
    if (!file.flush()) fail(ErrorCode::io, "{}: the report's lines cannot be written", temporary.string());
  });
}

}  // namespace

std::string settings_digest(const Model& model, const SegmentOptions& segment, const BatchOptions& options) {
  Digest digest;
  digest.add(ATROUS_VERSION);
  digest.add(model.digest());
  digest.add(model.backend().device().kind);
  const PlanOptions& plan = model.network()->options();
  digest.add(plan.dtype);
  digest.add(plan.allow_tf32);
  digest.add(plan.convolutions);
  for (double scale : segment.scales) digest.add(scale);
  digest.add(segment.flip);
  digest.add(segment.tile.size);
  digest.add(segment.tile.overlap.value_or(-1));
  digest.add(segment.crf.value_or("as the config says"));
  digest.add(segment.superpixels.value_or(-1));
  for (const OutputKind& kind : kOutputKinds) digest.add(options.save.*kind.wanted);
  digest.add(options.crops.detect_people);
  digest.add(options.crops.enlarge);
  digest.add(options.frames.every);
  digest.add(options.frames.most);
  return digest.text();
}

std::string source_digest(const BatchOptions& options, const InputFile& input) {
  Digest digest;
  digest.add(options.settings);
  digest.add(input.stem);
  digest.add(fs::path(input.file).filename().string());
  for (const PhotoBox& box : input.boxes)
    for (double value : {box.x, box.y, box.width, box.height}) digest.add(value);
  add_stamp(digest, input.file);
  return digest.text();
}

std::string outputs_digest(const BatchOptions& options, const InputFile& input) {
  Digest digest;
  const bool video = is_video(input.file);
  auto add_files = [&](const InputFile& image) {
    bool any = false;
    for (const OutputKind& kind : kOutputKinds) {
      if (!(options.save.*kind.wanted) || (video && is_one_video(kind))) continue;
      if (!add_stamp(digest, output_path(options.folder, image, kind))) return false;
      any = true;
    }
    return any;
  };
  if (!video) return add_files(input) ? digest.text() : "";
  std::error_code status;
  if (!fs::is_regular_file(input.file, status)) return "";  // what a camera saw is not seen again
  if (options.save.overlay && !add_stamp(digest, video_path(options.folder, input))) return "";
  for (std::int64_t number = 0;; number += options.frames.every)
    if (const std::string stem = frame_stem(input, number); !add_files({input.file, stem})) break;
  return digest.text();
}

void remove_leftovers(const std::vector<fs::path>& files) {
  std::unordered_set<std::string> meant;
  std::set<fs::path> folders;
  for (const fs::path& file : files) meant.insert(file.string()), folders.insert(file.parent_path());
  std::error_code status;
  for (const fs::path& folder : folders)
    for (fs::directory_iterator it(folder.empty() ? fs::path(".") : folder, status), end;
         !status && it != end; it.increment(status)) {
      std::optional<fs::path> file = meant_by_temporary(folder / it->path().filename());
      std::error_code stays;
      if (file && (meant.contains(file->string()) || meant.contains((folder / "").string())))
        fs::remove(it->path(), stays);
    }
}

Resumed resume(const std::vector<InputFile>& inputs, const BatchOptions& options, const fs::path& report) {
  const std::vector<Report> reports = find_reports(options.folder);
  Lines known;
  std::vector<std::pair<std::string, std::string_view>> own;  // with the name of the photo or video
  std::unordered_map<std::string, std::map<std::string, std::string_view>> frames;  // of videos, by name
  for (const Report& earlier : reports) {
    Lines lines = read_lines(earlier);
    if (earlier.path.filename() == report.filename())
      for (const auto& [name, line] : lines)
        own.emplace_back(line.video.empty() ? name : line.video, line.text);
    for (const auto& [name, line] : lines)
      if (!line.video.empty()) frames[line.video].emplace(name, line.text);
    known.merge(lines);
  }
  Resumed resumed;
  std::vector<std::string_view> done;
  std::unordered_set<std::string> names;
  for (const InputFile& input : inputs) {
    std::string name = written_name(input.stem);
    const auto [first, last] = known.equal_range(name);
    const bool seen =
        std::any_of(first, last, [](const auto& entry) { return !entry.second.outputs.empty(); });
    auto found = last;
    if (seen) {
      const std::string source = source_digest(options, input), outputs = outputs_digest(options, input);
      found = std::find_if(first, last, [&](const auto& entry) {
        return !outputs.empty() && entry.second.source == source && entry.second.outputs == outputs;
      });
    }
    if (found != last) {
      if (is_video(input.file))
        for (const auto& [frame, text] : frames[name]) done.push_back(text);
      done.push_back(found->second.text);
    } else {
      resumed.left.push_back(input);
      resumed.changed += seen ? 1 : 0;
    }
    names.insert(std::move(name));
  }
  std::erase_if(own, [&](const auto& line) { return names.contains(line.first); });
  // In the order of the file, which the addresses have.
  std::sort(own.begin(), own.end(),
            [](const auto& a, const auto& b) { return a.second.data() < b.second.data(); });
  std::vector<std::string_view> lines;
  for (const auto& line : own) lines.push_back(line.second);
  lines.insert(lines.end(), done.begin(), done.end());
  write_lines(report, lines);
  std::vector<fs::path> unfinished{report};
  for (const InputFile& input : resumed.left) {
    for (const OutputKind& kind : kOutputKinds)
      if (options.save.*kind.wanted) unfinished.push_back(output_path(options.folder, input, kind));
    if (!is_video(input.file)) continue;
    unfinished.push_back(options.folder / input.stem / "");  // its frames'
    unfinished.push_back(video_path(options.folder, input));
  }
  remove_leftovers(unfinished);
  return resumed;
}

}  // namespace atrous
