// SPDX-License-Identifier: Apache-2.0
// atrous._core: the C interface as Python sees it. What users call is in atrous/__init__.py.
#include <atrous.hpp>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <limits>
#include <optional>

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

using Pixels = nb::ndarray<const std::uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Labels = nb::ndarray<nb::numpy, const std::uint8_t, nb::ndim<2>>;
using Halves = nb::ndarray<std::uint16_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Release = nb::call_guard<nb::gil_scoped_release>;

PyObject* error_type = nullptr;

/// The exception that Python's users expect for a status.
PyObject* exception_of(atrous_status status) {
  switch (status) {
    case ATROUS_INVALID_ARGUMENT:
      return PyExc_ValueError;
    case ATROUS_NOT_FOUND:
      return PyExc_FileNotFoundError;
    case ATROUS_IO:
      return PyExc_OSError;
    case ATROUS_OUT_OF_MEMORY:
      return PyExc_MemoryError;
    default:
      return error_type;
  }
}

void translate(const std::exception_ptr& thrown, void* /*unused*/) {
  try {
    std::rethrow_exception(thrown);
  } catch (const atrous::Exception& error) {  // a file's name in it may have any bytes
    const std::string text = error.what();
    const nb::object message = nb::steal(
        PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
    if (message.is_valid()) PyErr_SetObject(exception_of(error.status()), message.ptr());
  }
}

/// Text for C, which ends at its first zero byte.
const std::string& checked(const std::string& text) {
  if (text.find('\0') != std::string::npos) throw nb::value_error("a name or path has a zero byte in it");
  return text;
}

std::string text_of(const nb::bytes& path) { return checked(std::string(path.c_str(), path.size())); }

/// [height, width, channels]; 1 channel is grey, 3 are RGB and 4 RGBA, or BGR and BGRA.
atrous_image view_of(const Pixels& pixels, bool bgr) {
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
  const std::size_t channels = pixels.shape(2);
  if (pixels.shape(0) > kMost || pixels.shape(1) > kMost) throw nb::value_error("image: it is too large");
  atrous_image image{};
  image.pixels = pixels.data();
  image.height = static_cast<std::int32_t>(pixels.shape(0));
  image.width = static_cast<std::int32_t>(pixels.shape(1));
  if (channels == 1)
    image.format = ATROUS_GRAY;
  else if (channels == 3)
    image.format = bgr ? ATROUS_BGR : ATROUS_RGB;
  else if (channels == 4)
    image.format = bgr ? ATROUS_BGRA : ATROUS_RGBA;
  else
    throw nb::value_error("image: it must have 1, 3 or 4 channels");
  return image;
}

void open_model(atrous::Model* self, const nb::bytes& name_or_path, const std::string& device,
                const std::string& precision) {
  const std::string text = text_of(name_or_path);
  const nb::gil_scoped_release release;
  new (self) atrous::Model(text, checked(device), checked(precision));
}

void make_session(atrous::Session* self, const atrous::Model& model, int threads, bool flip,
                  bool probabilities, int superpixels, const std::optional<std::string>& crf,
                  const std::vector<double>& scales) {
  atrous_session_options options{};
  options.threads = threads;
  options.flip = flip ? 1 : 0;
  options.probabilities = probabilities ? 1 : 0;
  options.superpixels = superpixels;
  options.crf = crf ? checked(*crf).c_str() : nullptr;
  options.scales = scales.data();
  options.scale_count = scales.size();
  new (self) atrous::Session(model, options);
}

atrous::Result segment_file(atrous::Session& session, const nb::bytes& file) {
  const std::string path = text_of(file);
  const nb::gil_scoped_release release;
  return session.segment(path);
}

atrous::Result segment(atrous::Session& session, const Pixels& pixels, bool bgr,
                       const std::vector<std::array<double, 4>>& boxes, double enlarge) {
  const atrous_image image = view_of(pixels, bgr);
  return boxes.empty() ? session.segment(image) : session.segment(image, boxes, enlarge);
}

/// The result's own memory; it lives as long as the array.
Labels labels_of(const atrous::Result& result) {
  return Labels(result.labels(),
                {static_cast<std::size_t>(result.height()), static_cast<std::size_t>(result.width())});
}

void copy_probabilities(const atrous::Result& result, const Halves& out) {
  atrous_output output{};
  output.probabilities = out.data();
  output.probability_count = out.size();
  output.probability_type = ATROUS_FLOAT16;
  result.copy(output);
}

void write_mask(const atrous::Result& result, const nb::bytes& file) {
  const std::string path = text_of(file);
  const nb::gil_scoped_release release;
  result.write_mask(path);
}

}  // namespace

NB_MODULE(_core, m) {
  m.doc() = "The C interface of atrous; use the package atrous instead.";
  error_type = nb::exception<atrous::Exception>(m, "Error", PyExc_RuntimeError).inc_ref().ptr();
  nb::register_exception_translator(translate);  // asked first

  m.def("version", &atrous_version);
  nb::class_<atrous::Model>(m, "Model")
      .def("__init__", &open_model, "name_or_path"_a, "device"_a, "precision"_a)
      .def_prop_ro("name", &atrous::Model::name)
      .def_prop_ro("classes", &atrous::Model::classes)
      .def("class_name", &atrous::Model::class_name, "id"_a)
      .def("class_color", &atrous::Model::class_color, "id"_a);
  nb::class_<atrous::Session>(m, "Session")
      .def("__init__", &make_session, Release(), "model"_a, "threads"_a, "flip"_a, "probabilities"_a,
           "superpixels"_a, "crf"_a.none(), "scales"_a)
      .def("segment_file", &segment_file, "file"_a)
      .def("segment", &segment, Release(), "pixels"_a.noconvert(), "bgr"_a, "boxes"_a, "enlarge"_a);
  nb::class_<atrous::Result>(m, "Result")
      .def_prop_ro("width", &atrous::Result::width)
      .def_prop_ro("height", &atrous::Result::height)
      .def_prop_ro("labels", &labels_of, nb::rv_policy::reference_internal)
      .def("copy_probabilities", &copy_probabilities, Release(), "out"_a.noconvert())
      .def("write_mask", &write_mask, "file"_a);
}
