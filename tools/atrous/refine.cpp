// SPDX-License-Identifier: Apache-2.0
#include "refine/dense_crf.h"
#include "refine/scores.h"

#include <cmath>

#include "commands.h"
#include "config/model_config.h"
#include "config/model_path.h"
#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
#include "image/npy.h"
#include "options.h"
#include "refine/superpixel.h"

namespace atrous::cli {
namespace {

struct RefineArguments {
  std::string image, scores, mask, kind = "probs", crf, crf_on, superpixels, save = "mask", labels = "voc";
};

/// The scores as energies -log p.
ScoreMap to_unary(ScoreMap scores, const RefineArguments& arguments) {
  for (float value : scores.values) {
    if (!std::isfinite(value)) fail(ErrorCode::bad_file, "{}: holds NaN or infinity", arguments.scores);
    if (arguments.kind == "probs" && (value < -1e-3F || value > 1.01F))
      fail(ErrorCode::bad_file, "{}: {} is no probability (say --scores logits or unary)", arguments.scores,
           value);
  }
  if (arguments.kind == "probs") return unary_from_probabilities(std::move(scores));
  return arguments.kind == "logits" ? unary_from_logits(std::move(scores)) : std::move(scores);
}

void refuse_to_overwrite(const RefineArguments& arguments, const std::filesystem::path& output) {
  std::error_code missing;
  for (const std::string& input : {arguments.image, arguments.scores})
    if (std::filesystem::equivalent(input, output, missing))
      fail(ErrorCode::invalid_argument, "{}: is an input and would be overwritten; choose another file",
           output.string());
}

int refine(const RefineArguments& arguments) {
  const SaveOptions save = parse_save(arguments.save);
  for (const OutputKind& kind : kOutputKinds)
    if (save.*kind.wanted && kind.wanted != &SaveOptions::mask && kind.wanted != &SaveOptions::probs)
      fail(ErrorCode::invalid_argument, "--save: refine writes mask and probs, not {}", kind.name);
  std::filesystem::path probs = arguments.mask;
  probs.replace_extension(".probs.npy");
  if (save.mask) refuse_to_overwrite(arguments, arguments.mask);
  if (save.probs) refuse_to_overwrite(arguments, probs);
  const std::string text = crf_text(arguments.crf, arguments.crf_on);
  const bool crf = text != "off" && (!text.empty() || arguments.superpixels.empty());
  const CrfParams params = parse_crf(crf ? text : "");
  const int superpixels = arguments.superpixels.empty() ? 0 : parse_superpixels(arguments.superpixels);
  const Image image = load_image(arguments.image);
  ScoreMap scores = load_npy(arguments.scores);
  if (scores.width != image.width || scores.height != image.height)
    fail(ErrorCode::invalid_argument, "{}: scores of {}x{} (width x height) for the {}x{} image {}",
         arguments.scores, scores.width, scores.height, image.width, image.height, arguments.image);
  scores = to_unary(std::move(scores), arguments);
  scores = crf ? dense_crf(std::move(scores), image.view(), params) : softmax_of(std::move(scores), -1);
  if (superpixels > 0)
    scores = smooth_over_superpixels(std::move(scores),
                                     slic(image.view(), {std::min(superpixels, image.width * image.height)}));
  LabelSet labels = load_label_set(arguments.labels, search_folders());
  if (labels.size() < scores.classes) labels = numbered_labels(scores.classes);
  if (save.probs) write_file(probs, encode_npy(scores));
  if (save.mask) write_file(arguments.mask, encode_mask(argmax(scores), labels));
  return kDone;
}

}  // namespace

void add_refine(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<RefineArguments>();
  CLI::App* command = app.add_subcommand("refine", "dense CRF and superpixels on anyone's scores");
  command->add_option("image", arguments->image, "the image")->required();
  command
      ->add_option("SCORES.npy", arguments->scores, "NumPy file [classes, height, width], float32 or float16")
      ->required();
  command
      ->add_option("-o,--output", arguments->mask,
                   "the mask to write; probabilities land beside it as NAME.probs.npy")
      ->required();
  command->add_option("--scores", arguments->kind, "what the scores are: probs, logits or unary (-log p)")
      ->check(CLI::IsMember({"probs", "logits", "unary"}))
      ->capture_default_str();
  command
      ->add_option("--crf", arguments->crf,
                   "--crf=PRESET, --crf=KEY=VALUE,... or --crf=off; on unless only --superpixels is given")
      ->type_name("");
  add_crf_on(*command, arguments->crf_on);
  command
      ->add_option("--superpixels", arguments->superpixels,
                   "--superpixels or --superpixels=N: smooth over about N superpixels after the CRF")
      ->type_name("");
  command->add_option("--save", arguments->save, "mask, probs; comma separated")->capture_default_str();
  command->add_option("--labels", arguments->labels, "label set of the palette, a file of one or a number")
      ->capture_default_str();
  command->callback([arguments, &run] { run = [arguments] { return refine(*arguments); }; });
}

}  // namespace atrous::cli
