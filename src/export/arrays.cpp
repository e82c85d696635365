#include "export/arrays.hpp"

#include <fmt/format.h>

#include <bit>
#include <deque>
#include <nlohmann/json.hpp>

#include "export/layer_nodes.hpp"
#include "io/zip.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kAbout = "about";
constexpr int kFormatVersion = 1;

static_assert(std::endian::native == std::endian::little, "the types below are little-endian");

/// NumPy's header of an array, version 1.0 (numpy.lib.format).
std::string npy_header(std::string_view type, std::span<const std::size_t> shape) {
  std::string sizes;
  for (const std::size_t size : shape) sizes += fmt::format("{}, ", size);
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, sizes);
  constexpr std::size_t kBefore = 10;  // magic, version and the length itself
  constexpr std::size_t kAlignment = 64;
  const std::size_t total = (kBefore + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  text.resize(total - kBefore - 1, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size() & 0xFFU);
  header += static_cast<char>(text.size() >> 8U);
  return header + text;
}

}  // namespace

std::vector<NamedArray> arrays_of(const TrainedNet& net) {
  std::vector<NamedArray> arrays;
  std::size_t place = 0;
  for (const TrainedLayer& layer : layers_of(net)) {
    for (const auto& [parameter, values] : layer.tensors) {
      arrays.push_back({fmt::format("{}.{}", place, parameter.name), parameter.shape, values});
    }
    ++place;
  }
  const auto add = [&](const char* name, const std::vector<double>& values) {
    if (!values.empty()) arrays.push_back({name, {values.size()}, std::span(values)});
  };
  add("x_shift", net.normalization.x.shift);
  add("x_scale", net.normalization.x.scale);
  add("y_shift", net.normalization.y.shift);
  add("y_scale", net.normalization.y.scale);
  return arrays;
}

std::string describe_net(const TrainedNet& net) {
  Json json;
  json["format"] = "lockstep-net";
  json["version"] = kFormatVersion;
  json["run"] = net.run.name;
  json["step"] = net.info.position.step;
  json["digest"] = net.info.digest;
  json["loss"] = net.run.model.loss.type;
  json["output"] = output_kind(net);
  json["classes"] = net.info.class_names;
  json["features"] = net.info.columns.features;
  json["targets"] = net.info.columns.targets;
  for (const TrainedLayer& layer : layers_of(net)) {
    json["layers"].push_back(torch_module(layer));
    json["inputs"].push_back(layer.inputs);  // 0 is x, i + 1 what layer i gives
  }
  return json.dump();
}

std::vector<std::byte> build_npz(const TrainedNet& net) {
  std::deque<std::string> heads;  // live until the archive is finished
  ZipArchive archive;
  const auto add = [&](const std::string& name, std::string head, std::span<const std::byte> data) {
    heads.push_back(std::move(head));
    archive.add(name + ".npy", std::as_bytes(std::span(heads.back())), data);
  };
  for (const NamedArray& array : arrays_of(net)) {
    std::visit(
        [&](auto values) {
          const char* type = sizeof(values[0]) == sizeof(float) ? "<f4" : "<f8";
          add(array.name, npy_header(type, array.shape), std::as_bytes(values));
        },
        array.values);
  }
  const std::string about = describe_net(net);
  add(kAbout, npy_header(fmt::format("|S{}", about.size()), {}), std::as_bytes(std::span(about)));
  return archive.finish();
}

h5::FileImage build_hdf5(const TrainedNet& net, const std::string& name) {
  h5::File file = h5::File::create_image(name, net.weights.size_bytes());
  for (const NamedArray& array : arrays_of(net)) {
    std::visit([&](auto values) { file.write("/" + array.name, array.shape, values); }, array.values);
  }
  file.write_text(std::string("/") + kAbout, describe_net(net));
  return std::move(file).take_image();
}

}  // namespace lockstep
