#include "export/onnx.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "core/column_names.hpp"
#include "core/number_text.hpp"
#include "export/layer_nodes.hpp"
#include "export/onnx_graph.hpp"
#include "lockstep/error.hpp"
#include "lockstep/version.hpp"

namespace lockstep {
namespace {

// onnx.proto, as in onnx_graph.cpp.
namespace model_of {
enum Field {
  ir_version = 1,
  producer_name = 2,
  producer_version = 3,
  model_version = 5,
  graph = 7,
  opset_import = 8,
  metadata_props = 14
};
}
namespace opset {
enum Field { domain = 1, version = 2 };
}
namespace entry {
enum Field { key = 1, value = 2 };
}
constexpr std::int64_t kIrVersion = 7;

/// `value` rounded, checked to be a number that float32 holds with all its digits.
float narrow(double value, const char* what, std::size_t column) {
  const auto narrowed = static_cast<float>(value);
  if (value != 0 && !std::isnormal(narrowed)) {
    throw Error(ErrorKind::data,
                fmt::format("the normalisation of column {} of {} needs {:g}, which float32 does not hold, "
                            "and ONNX models compute in it; export with --npz or --hdf5, or train on data "
                            "in other units",
                            column, what, value));
  }
  return narrowed;
}

/// (x - shift) / scale, close to what double gives: x - near is exact where it matters, the rest of the shift comes in
/// when the numbers are small. Folded into the first layer, a large shift would cost digits.
std::string add_normalization(OnnxGraph& graph, const ColumnScaling& scaling, const std::string& x) {
  if (scaling.empty()) return x;
  const std::size_t columns = scaling.shift.size();
  std::vector<float> near(columns);
  std::vector<float> factor(columns);
  std::vector<float> rest(columns);
  for (std::size_t c = 0; c < columns; ++c) {
    near[c] = narrow(scaling.shift[c], "x", c);
    factor[c] = narrow(1.0 / scaling.scale[c], "x", c);
    rest[c] = static_cast<float>((static_cast<double>(near[c]) - scaling.shift[c]) / scaling.scale[c]);
  }
  const std::size_t shape[] = {columns};
  std::string at = graph.node("x/shifted", "Sub", {x, graph.constant("x/shift", shape, near)});
  at = graph.node("x/scaled", "Mul", {at, graph.constant("x/factor", shape, factor)});
  if (std::ranges::all_of(rest, [](float value) { return value == 0; })) return at;
  return graph.node("x/normalized", "Add", {at, graph.constant("x/rest_of_shift", shape, rest)});
}

// The mean stays, the other output becomes a deviation: as the loss answers.
std::string add_deviations(OnnxGraph& graph, const TrainedNet& net, const std::string& at) {
  std::vector<float> of_means;
  std::vector<float> of_deviations;
  for (std::size_t i = 0; i < net.model.outputs(); ++i) {
    of_means.push_back(i % 2 == 0 ? 1.0F : 0.0F);
    of_deviations.push_back(i % 2 == 0 ? 0.0F : 1.0F);
  }
  const std::size_t shape[] = {of_means.size()};
  const auto eps = static_cast<float>(net.run.model.loss.options.number("eps", kVarianceEps));
  std::string spread = graph.node("y/softplus", "Softplus", {at});
  // The larger of it and eps; some runtimes take no Max of a constant.
  const std::string least = graph.scalar("y/eps", eps);
  spread = graph.node("y/above_eps", "Relu", {graph.node("y/less_eps", "Sub", {spread, least})});
  spread = graph.node("y/variance", "Add", {spread, least});
  spread = graph.node("y/deviation", "Sqrt", {spread});
  spread = graph.node("y/deviations", "Mul", {spread, graph.constant("y/of_deviations", shape, of_deviations)});
  const std::string means = graph.node("y/means", "Mul", {at, graph.constant("y/of_means", shape, of_means)});
  return graph.node("y/answers", "Add", {means, spread});
}

std::string add_own_units(OnnxGraph& graph, const ColumnScaling& scaling, const Loss& loss, const std::string& at) {
  if (scaling.empty()) return at;
  std::vector<float> scale;
  std::vector<float> shift;
  for (std::size_t c = 0; c < scaling.shift.size(); ++c) {
    for (const AnswerColumn& answer : loss.answers()) {
      scale.push_back(narrow(scaling.scale[c], "y", c));
      shift.push_back(answer.shifts ? narrow(scaling.shift[c], "y", c) : 0.0F);
    }
  }
  const std::size_t shape[] = {scale.size()};
  const std::string scaled = graph.node("y/scaled", "Mul", {at, graph.constant("y/scale", shape, scale)});
  return graph.node("y/shifted", "Add", {scaled, graph.constant("y/shift", shape, shift)});
}

std::string add_answer(OnnxGraph& graph, const TrainedNet& net, std::string at) {
  const Component& config = net.run.model.loss;
  const auto loss = make_loss(config);
  if (!loss->gives_probabilities()) return graph.node("y/scores", "Identity", {at});
  switch (net.task) {
    case Task::classification:
      return graph.node("y/softmax", "Softmax", {at}, {{"axis", std::int64_t{1}}});
    case Task::binary:
      return graph.node("y/sigmoid", "Sigmoid", {at});
    case Task::regression:
      break;
  }
  if (config.type == "gaussian_nll") at = add_deviations(graph, net, at);
  if (config.type == "poisson_nll" && config.options.boolean("log_input", true)) at = graph.node("y/rate", "Exp", {at});
  return add_own_units(graph, net.normalization.y, *loss, at);
}

void add_metadata(ProtobufMessage& model, std::string_view key, std::string_view value) {
  ProtobufMessage pair;
  pair.text(entry::key, key);
  pair.text(entry::value, value);
  model.message(model_of::metadata_props, pair);
}

// How far apart float32 has numbers where those of a column are.
double gap(const ColumnScaling& scaling, std::size_t c) {
  const auto near = static_cast<float>(std::abs(scaling.shift[c]));
  return std::nextafter(near, std::numeric_limits<float>::infinity()) - near;
}

// Whether a net would see that. A scale of 1 is mostly that of a column that does not vary, whose size means nothing.
bool is_coarse(const ColumnScaling& scaling, std::size_t c) {
  constexpr double kCoarse = 1e-4;  // of a deviation, or span
  return gap(scaling, c) > (scaling.scale[c] == 1 ? 0.5 : kCoarse) * scaling.scale[c];
}

}  // namespace

std::vector<std::string> onnx_notices(const TrainedNet& net) {
  constexpr std::size_t kMostTold = 5;
  std::vector<std::string> notices;
  std::size_t more = 0;
  const ColumnNames& names = net.info.columns;
  for (const auto& [name, scaling, what, columns] : {std::tuple{"x", &net.normalization.x, "takes", &names.features},
                                                     {"y", &net.normalization.y, "gives", &names.targets}}) {
    for (std::size_t c = 0; c < scaling->shift.size(); ++c) {
      if (!is_coarse(*scaling, c)) continue;
      if (notices.size() == kMostTold) {
        ++more;
        continue;
      }
      notices.push_back(fmt::format(
          "{} of {}: an ONNX model {} and normalises float32, which does not tell numbers around {:.10g} apart "
          "that differ by less than {:.3g} ({:.2g} of what normalisation divides by); the run did, in double. --npz "
          "keeps that, as does training on the column less {:.10g}",
          column_text(c, *columns), name, what, scaling->shift[c], gap(*scaling, c),
          gap(*scaling, c) / scaling->scale[c], scaling->shift[c]));
    }
  }
  if (more > 0) notices.push_back(fmt::format("so it is with {}", count_text(more, "more column")));
  return notices;
}

std::string build_onnx(const TrainedNet& net) {
  constexpr std::size_t kMostBytes = (std::size_t{1} << 31U) - (std::size_t{1} << 20U);  // the rest is small
  if (net.weights.size_bytes() > kMostBytes) {
    throw Error(ErrorKind::data,
                fmt::format("{} weights are too many for an ONNX file, which takes less than 2 GiB; export "
                            "with --hdf5",
                            net.model.parameters().count()));
  }
  OnnxGraph graph;
  std::vector<std::string> values{add_normalization(graph, net.normalization.x, std::string(kOnnxInput))};
  for (const TrainedLayer& layer : layers_of(net)) {
    std::vector<std::string> inputs;
    for (const std::size_t value : layer.inputs) inputs.push_back(values[value]);
    values.push_back(add_layer(graph, layer, inputs));
  }
  const std::string at = add_answer(graph, net, values.back());

  ProtobufMessage version;
  version.text(opset::domain, "");  // the standard operators
  version.integer(opset::version, kOnnxOpset);
  ProtobufMessage model;
  model.integer(model_of::ir_version, kIrVersion);
  model.text(model_of::producer_name, "lockstep");
  model.text(model_of::producer_version, kVersion);
  model.integer(model_of::model_version, static_cast<std::int64_t>(net.info.position.step));
  model.message(model_of::opset_import, version);
  model.message(model_of::graph, graph.finish(net.run.name, at, net.model.inputs(), net.model.outputs()));
  add_metadata(model, "run", net.run.name);
  add_metadata(model, "step", std::to_string(net.info.position.step));
  add_metadata(model, "digest", net.info.digest);
  add_metadata(model, "output", output_kind(net));
  const auto add_names = [&](const char* key, const std::vector<std::string>& names) {
    if (!names.empty()) add_metadata(model, key, nlohmann::json(names).dump());
  };
  add_names("classes", net.info.class_names);
  add_names("features", net.info.columns.features);
  add_names("targets", net.info.columns.targets);
  return std::move(model).take();
}

}  // namespace lockstep
