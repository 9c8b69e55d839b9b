// SPDX-License-Identifier: Apache-2.0
// What a config an ONNX file becomes, and what is refused. Numbers against ONNX Runtime: onnx_parity_test.py.
#include <gmock/gmock.h>

#include "config/safetensors.h"
#include "config/yaml.h"
#include "core/error.h"
#include "core/files.h"
#include "import/onnx_import.h"
#include "pipeline/model.h"
#include "support/onnx_writer.h"
#include "support/run_network.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

using test::Message;
using test::OnnxWriter;
using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

class OnnxImport : public testing::Test {
 protected:
  const test::TempFolder folder_;

  std::string text_of(const std::string& content, const ImportOptions& options = {}) const {
    const ImportedModel model = import_onnx(folder_.write("model.onnx", content), options);
    model.check(folder_.path());
    return config_text(model.config);
  }
  std::string reason(const std::string& content, const ImportOptions& options = {}) const {
    try {
      text_of(content, options);
    } catch (const Error& error) {
      return error.message();
    }
    return "taken";
  }
};

/// A convolution of 3 input channels to `out`, after `node` has made "x".
std::string classified(OnnxWriter& model, const std::string& x = "x", std::int64_t out = 2) {
  model.constant<float>("w", {out, 3, 1, 1}, std::vector<float>(static_cast<std::size_t>(3 * out), 0.5F));
  return model.node("Conv", {x, "w"}, "y").finish("y");
}

/// What the tests of the command line read.
TEST_F(OnnxImport, ToyFileIsWhatTheWriterWrites) {
  const std::vector<std::byte> file =
      read_file(std::filesystem::path(ATROUS_TEST_SOURCE_DIR) / "tests/import/data/toy.onnx");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(file.data()), file.size()), test::toy_onnx());
}

TEST_F(OnnxImport, WritesAReadableNetwork) {
  EXPECT_THAT(text_of(test::toy_onnx()), HasSubstr(R"(labels: 2
weights: model.safetensors
input: {color: rgb, scale: 1/255, mean: [0, 0, 0], std: [1, 1, 1]}
resize: half_pixel
output: head
network:
  - {name: stem, op: conv2d, out: 4, kernel: 3, stride: 2}
  - {name: bn, op: batch_norm}
  - {name: act, op: hardswish}
  - {name: pool, op: global_average_pool}
  - {name: spread, op: resize, inputs: [pool, act], like: true}
  - {name: both, op: concat, inputs: [act, spread]}
  - {name: head, op: conv2d, out: 2}
)"));
}

TEST_F(OnnxImport, FileAndImportedConfigComputeTheSame) {
  const std::filesystem::path file = folder_.write("model.onnx", test::toy_onnx());
  const std::filesystem::path config =
      write_model(import_onnx(file, {.name = "toy", .mean = {"0.5"}}), folder_.path());
  EXPECT_EQ(config, folder_ / "toy.yaml");
  EXPECT_EQ(SafetensorsFile(folder_ / "toy.safetensors").tensors().size(), 6U);
  const Shape shape{1, 21, 34, 3};
  auto scores = [&](const std::filesystem::path& model) {
    Executor executor(Model::open(model.string(), {.device = "cpu"})->network());
    return test::run(executor, shape, test::noise(shape));
  };
  const std::vector<float> imported = scores(config);
  EXPECT_EQ(imported.size(), 11U * 17 * 2);
  EXPECT_EQ(imported, scores(file));
}

TEST_F(OnnxImport, OneClassBecomesTwo) {
  OnnxWriter model;
  model.constant<float>("w", {1, 3, 1, 1}, {1, 1, 1})
      .node("Conv", {"input", "w"}, "mask")
      .node("Sigmoid", {"mask"}, "p");
  EXPECT_THAT(text_of(model.finish("p")), HasSubstr(R"(  - {name: background, op: mul, scalar: 0}
  - {name: logits, op: concat, inputs: [background, mask]})"));
}

TEST_F(OnnxImport, FixedSizesAreStretchedTo) {
  OnnxWriter model({1, 3, 40, 60});
  EXPECT_THAT(text_of(classified(model, "input")), HasSubstr("policy: stretch, size: [40, 60]"));
  OnnxWriter again({1, 3, 40, 60});
  EXPECT_THAT(reason(classified(again, "input"), {.height = 41, .width = 60}), HasSubstr("40x60"));
}

TEST_F(OnnxImport, LabelsAreChecked) {
  const auto names = folder_.write("names.txt", "sky\n\nroad: wet\n");
  EXPECT_THAT(text_of(test::toy_onnx(), {.labels = names.string()}),
              HasSubstr("labels: {classes: [sky, \"road: wet\"]}"));
  EXPECT_THAT(reason(test::toy_onnx(), {.labels = "voc"}), HasSubstr("2 classes and the label set 'voc' 21"));
  EXPECT_THAT(reason(test::toy_onnx(), {.labels = folder_.write("one.txt", "sky").string()}),
              HasSubstr("1 names for the 2"));
}

TEST_F(OnnxImport, NamesWhatIsNotSupported) {
  OnnxWriter unknown;
  unknown.node("Einsum", {"input"}, "x");
  EXPECT_THAT(reason(classified(unknown)),
              HasSubstr("operator Einsum (node 'x', opset 17): is not supported; accepted are Add, ArgMax"));
  OnnxWriter cubic;
  cubic.constant<float>("s", {4}, {1, 1, 2, 2})
      .node("Resize", {"input", "", "s"}, "x", {}, {{"mode", "cubic"}});
  EXPECT_THAT(
      reason(classified(cubic)),
      HasSubstr("operator Resize (node 'x', opset 17): accepted is mode linear or nearest, not cubic"));
  OnnxWriter asymmetric;
  asymmetric.constant<float>("s", {4}, {1, 1, 2, 2})
      .node("Resize", {"input", "", "s"}, "x", {},
            {{"mode", "linear"}, {"coordinate_transformation_mode", "asymmetric"}});
  EXPECT_THAT(reason(classified(asymmetric)), HasSubstr("not linear with asymmetric"));
  OnnxWriter transposed;
  transposed.constant<float>("k", {3, 3, 2, 2}, std::vector<float>(36, 1))
      .node("ConvTranspose", {"input", "k"}, "x");
  EXPECT_THAT(reason(classified(transposed)), HasSubstr("no transposed convolution"));
  OnnxWriter split;
  split.constant<std::int64_t>("r", {5}, {1, 3, 1, -1, 10}).node("Reshape", {"input", "r"}, "x");
  EXPECT_THAT(reason(classified(split)), HasSubstr("operator Reshape"));
  OnnxWriter batch;
  batch.node("Concat", {"input", "input"}, "x", {{"axis!", Ints{0}}});
  EXPECT_THAT(reason(classified(batch)), HasSubstr("accepted is channels as axis, not axis 0 of [n,c,h,w]"));
  OnnxWriter mean;
  mean.node("ReduceMean", {"input"}, "x", {{"axes", Ints{0, 2, 3}}});
  EXPECT_THAT(reason(classified(mean)), HasSubstr("accepted is height and width, or channels, as axes"));
  OnnxWriter old({1, 3, -1, -1}, 8);
  EXPECT_THAT(reason(classified(old, "input")), HasSubstr("is of opset 8; accepted are 9 to"));
  OnnxWriter grey({1, 1, -1, -1});
  EXPECT_THAT(reason(classified(grey, "input")), HasSubstr("its input is [1,1,-1,-1]"));
}

TEST_F(OnnxImport, RefusesGraphsThatDoNotHold) {
  OnnxWriter missing;
  EXPECT_THAT(reason(missing.node("Conv", {"input", "w"}, "y").finish("y")),
              HasSubstr("reads 'w', which nothing before it makes"));
  OnnxWriter cycle;
  cycle.node("Add", {"input", "b"}, "a").node("Relu", {"a"}, "b");
  EXPECT_THAT(reason(cycle.finish("b")), HasSubstr("reads 'b', which nothing before it makes"));
  OnnxWriter nothing;
  EXPECT_THAT(reason(nothing.finish("gone")), HasSubstr("not computed from its input"));
  OnnxWriter wrong;
  wrong.constant<float>("w", {2, 4, 1, 1}, std::vector<float>(8)).node("Conv", {"input", "w"}, "y");
  EXPECT_THAT(reason(wrong.finish("y")), HasSubstr("do not fit 3 input channels"));
  OnnxWriter empty;
  empty.constant<std::int64_t>("none", {0}, {}).node("Range", {"none", "none", "none"}, "r");
  EXPECT_THAT(reason(empty.node("Reshape", {"input", "r"}, "y").finish("y")),
              HasSubstr("operator Range (node 'r', opset 17): has 0 numbers as input 1"));
}

TEST_F(OnnxImport, ReadsNumbersInEveryForm) {
  const std::vector<float> values{0.5F, -1, 2, 0, 1.5F, -0.25F};
  const std::vector<std::uint16_t> halves{0x3800, 0xbc00, 0x4000, 0, 0x3e00, 0xb400},
      brains{0x3f00, 0xbf80, 0x4000, 0, 0x3fc0, 0xbe80};
  const std::vector<double> doubles(values.begin(), values.end());
  auto raw = [](const auto& numbers) {
    return std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(numbers[0]));
  };
  auto head = [](int type) { return OnnxWriter::head("w", {2, 3, 1, 1}, type); };
  Message one_by_one = head(1), packed_dims = Message().text(1, {2, 3, 1, 1}), halves_listed = head(10);
  for (float value : values) one_by_one.real(4, value);
  for (std::uint16_t value : halves) halves_listed.number(5, value);
  packed_dims.number(2, 1).text(8, "w").text(9, raw(values));
  for (const Message& tensor :
       {head(1).text(9, raw(values)), head(1).text(4, raw(values)), one_by_one, packed_dims,
        head(10).text(9, raw(halves)), halves_listed, head(16).text(9, raw(brains)),
        head(11).text(9, raw(doubles)), head(11).text(10, raw(doubles))}) {
    OnnxWriter model;
    const std::string content = model.initializer(tensor).node("Conv", {"input", "w"}, "y").finish("y");
    const std::vector<TensorRef> tensors =
        import_onnx(folder_.write("model.onnx", content)).weights.tensors();
    ASSERT_EQ(tensors.size(), 1U);
    EXPECT_EQ(tensors[0].name, "y.weight");
    EXPECT_EQ((Constant{"weight", tensors[0], {}}.read_f32()), values);
  }
}

TEST_F(OnnxImport, RefusesTensorsThatLie) {
  auto with = [](const Message& tensor) {
    OnnxWriter model;
    return model.initializer(tensor).node("Conv", {"input", "w"}, "y").finish("y");
  };
  const Ints huge{1 << 30, 1 << 30, 1 << 30, 1};
  EXPECT_THAT(reason(with(OnnxWriter::head("w", huge, 1).text(9, "1234"))), HasSubstr("is no tensor"));
  EXPECT_THAT(reason(with(OnnxWriter::head("w", {2, -3, 1, 1}, 1))), HasSubstr("is no tensor"));
  EXPECT_THAT(reason(with(OnnxWriter::head("w", {2, 3, 1, 1}, 1).text(9, "1234"))),
              HasSubstr("has 4 bytes in place of 24"));
  EXPECT_THAT(reason(with(OnnxWriter::head("w", {2, 3, 1, 1}, 99))), HasSubstr("is of type 99"));
  OnnxWriter greedy;
  greedy.constant<std::int64_t>("s", {4}, {1 << 12, 1 << 12, 1 << 12, 8})
      .node("ConstantOfShape", {"s"}, "c")
      .node("Add", {"input", "c"}, "x");
  EXPECT_THAT(reason(greedy.finish("x")), HasSubstr("more constants than its file could need"));
}

TEST_F(OnnxImport, ExternalDataStaysInTheFolder) {
  auto with = [&](const std::string& location, const std::string& offset) {
    auto entry = [](const char* key, const std::string& value) {
      return Message().text(1, key).text(2, value);
    };
    Message tensor = OnnxWriter::head("w", {2, 3, 1, 1}, 1);
    tensor.message(13, entry("location", location)).message(13, entry("offset", offset)).number(14, 1);
    OnnxWriter model;
    return reason(model.initializer(tensor).node("Conv", {"input", "w"}, "y").finish("y"));
  };
  folder_.write("weights/data", std::string(40, '\0'));
  folder_.write("model.onnx", "");
  EXPECT_EQ(with("weights/data", "16"), "taken");
  EXPECT_THAT(with("weights/data", "20"), HasSubstr("is not in the 40 bytes"));
  EXPECT_THAT(with("weights/data", "-4"), HasSubstr("is not in the 40 bytes"));
  EXPECT_THAT(with("weights/none", "0"), HasSubstr("there is no such file"));
  EXPECT_THAT(with("../data", "0"), HasSubstr("not in the model's folder"));
  EXPECT_THAT(with("/etc/passwd", "0"), HasSubstr("not in the model's folder"));
  std::filesystem::create_symlink("/etc", folder_ / "link");
  EXPECT_THAT(with("link/passwd", "0"), HasSubstr("not in the model's folder"));
}

TEST_F(OnnxImport, NothingIsLeftWhereWritingFails) {
  const ImportedModel model = import_onnx(folder_.write("model.onnx", test::toy_onnx()));
  std::filesystem::create_directory(folder_ / "out");
  std::filesystem::create_directory(folder_ / "out/model.yaml");  // cannot be replaced by a file
  EXPECT_THROW(write_model(model, folder_ / "out"), Error);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "out"), {}), 1);
}

TEST(ConfigText, ReadsAsItWas) {
  const Value map = Value::map({{"a", Value::text("x: [y]")},
                                {"b", Value::list({Value::text("1/255"), Value::text("-3")})},
                                {"c", Value::text("say \"no\"")},
                                {"d", Value::text("null")}});
  const Value read = parse_yaml(config_text(map), "text");
  EXPECT_EQ(read.find("a")->scalar, "x: [y]");
  EXPECT_EQ(read.find("b")->items[1].scalar, "-3");
  EXPECT_EQ(read.find("c")->scalar, "say \"no\"");
  EXPECT_EQ(read.find("d")->scalar, "null");
}

}  // namespace
}  // namespace atrous
