// The one list of losses.
#include "model/loss.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lockstep/error.hpp"
#include "model/loss_types.hpp"

namespace lockstep {
namespace {

struct LossType {
  std::string_view name;
  std::unique_ptr<Loss> (*make)(const Options& options);
};

constexpr LossType kLosses[] = {
    {"mse", make_mse},
    {"mae", make_mae},
    {"huber", make_huber},
    {"binary_cross_entropy", make_binary_cross_entropy},
    {"softmax_cross_entropy", make_softmax_cross_entropy},
};

}  // namespace

std::vector<std::string_view> loss_names() {
  std::vector<std::string_view> names;
  for (const LossType& entry : kLosses) names.push_back(entry.name);
  return names;
}

std::unique_ptr<Loss> make_loss(const Component& config) {
  Options options = config.options;
  if (options.where().empty()) options.set_where("model.loss");
  for (const LossType& entry : kLosses) {
    if (entry.name == config.type) return entry.make(options);
  }
  throw Error(ErrorKind::config, fmt::format("{}: unknown loss \"{}\"; known losses: {}", options.where(), config.type,
                                             fmt::join(loss_names(), ", ")));
}

double Loss::weight(std::size_t rows, const Targets& targets) const {
  const std::span<const double> weights = class_weights();
  if (weights.empty()) return static_cast<double>(rows);
  double sum = 0;
  for (const std::int32_t label : targets.labels) sum += weights[static_cast<std::size_t>(label)];
  return sum;
}

std::size_t checked_rows(TargetKind kind, std::size_t width, std::span<const float> outputs, const Targets& targets,
                         std::span<const float> doutputs) {
  const bool labels = kind == TargetKind::labels;
  const std::size_t rows = width == 0 ? 0 : outputs.size() / width;
  const std::size_t found = labels ? targets.labels.size() : targets.values.size();
  const std::size_t expected = labels ? rows : outputs.size();
  if (rows * width != outputs.size() || found != expected || doutputs.size() != outputs.size()) {
    throw Error(
        ErrorKind::usage,
        fmt::format("loss: {} outputs of width {} need {} {} and {} gradients, found {} and {}", outputs.size(), width,
                    expected, labels ? "labels" : "target values", outputs.size(), found, doutputs.size()));
  }
  return rows;
}

}  // namespace lockstep
