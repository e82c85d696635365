// Losses, layers, training runs and schedules against the numbers that PyTorch gave; make_golden.py and
// make_golden_losses.py wrote them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "compute/compute.hpp"
#include "config/run_file.hpp"
#include "core/buffer.hpp"
#include "core/sums.hpp"
#include "layers/layer_table.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"
#include "optim/ema.hpp"
#include "optim/optimizer.hpp"
#include "optim/plateau.hpp"
#include "optim/schedule.hpp"
#include "support/layer_bench.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::json;

Json load(const std::string& name) {
  const auto path = std::filesystem::path(LOCKSTEP_SOURCE_DIR) / "tests" / "golden" / name;
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path.string());
  return Json::parse(file);
}

std::vector<float> floats(const Json& list) {
  std::vector<float> values;
  for (const Json& value : list) {
    values.push_back(value.is_null() ? std::numeric_limits<float>::quiet_NaN() : value.get<float>());
  }
  return values;
}

Options options_of(const Json& table) {
  Options options;
  for (const auto& [key, value] : table.items()) {
    if (value.is_boolean()) {
      options.set(key, value.get<bool>());
    } else if (value.is_number_integer()) {
      options.set(key, value.get<std::int64_t>());
    } else if (value.is_number()) {
      options.set(key, value.get<double>());
    } else if (value.is_string()) {
      options.set(key, value.get<std::string>());
    } else {
      options.set(key, value.get<std::vector<double>>());
    }
  }
  return options;
}

std::string title(const Json& golden) {
  return golden["type"].get<std::string>() + " " + golden["options"].dump();
}

void expect_near(std::span<const float> ours, const std::vector<float>& theirs, double tolerance, const char* what) {
  ASSERT_EQ(ours.size(), theirs.size()) << what;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_NEAR(ours[i], theirs[i], tolerance) << what << " " << i;
  }
}

// Values are a few units large and float has 6e-8 of that; exp, tanh and erf add up to 5e-7, sums a few roundings.
constexpr double kOnePass = 1e-5;

TEST(Golden, LossesAndTheirGradientsAreThoseOfPyTorch) {
  const Json golden = load("losses.json");
  const auto rows = golden["rows"].get<std::size_t>();
  const auto width = golden["width"].get<std::size_t>();
  const std::vector<float> outputs = floats(golden["outputs"]);
  const auto labels = golden["labels"].get<std::vector<std::int32_t>>();
  ASSERT_FALSE(golden["cases"].empty());
  for (const Json& one : golden["cases"]) {
    SCOPED_TRACE(title(one));
    const auto loss = make_loss({one["type"].get<std::string>(), options_of(one["options"])});
    const auto kind = one["targets"].get<std::string>();
    const std::vector<float> values = kind == "labels" ? std::vector<float>() : floats(golden[kind]);
    EXPECT_EQ(loss->targets() == TargetKind::labels, kind == "labels");
    const Targets targets = kind == "labels" ? Targets{.labels = labels} : Targets{.values = values};
    std::vector<float> gradient(outputs.size());
    const double sum = loss->evaluate(width, outputs, targets, gradient);
    // Ours are sums over the rows; PyTorch took the mean, weighted where classes are.
    const double weight = loss->weight(rows, targets);
    EXPECT_NEAR(sum / weight, one["value"].get<double>(), kOnePass);
    for (float& value : gradient) value /= static_cast<float>(weight);
    expect_near(gradient, floats(one["gradient"]), kOnePass, "gradient");
  }
}

TEST(Golden, LossesByWeightAndOfWhatIsThereAreThoseOfPyTorch) {
  const Json golden = load("weighted_losses.json");
  const auto rows = golden["rows"].get<std::size_t>();
  const std::vector<float> weights = floats(golden["weights"]);
  const auto labels = golden["labels"].get<std::vector<std::int32_t>>();
  ASSERT_FALSE(golden["cases"].empty());
  for (const Json& one : golden["cases"]) {
    const bool gaps = one["gaps"].get<bool>();
    SCOPED_TRACE(title(one) + (gaps ? ", some targets missing" : ""));
    const auto loss = make_loss({one["type"].get<std::string>(), options_of(one["options"])});
    const auto kind = one["targets"].get<std::string>();
    const std::vector<float> values =
        kind == "labels" ? std::vector<float>() : floats(gaps ? golden["missing"][kind] : golden[kind]);
    const std::vector<float> outputs = floats(one["outputs"]);
    Targets targets = kind == "labels" ? Targets{.labels = labels} : Targets{.values = values};
    targets.weights = weights;
    targets.may_miss = gaps;
    std::vector<float> gradient(outputs.size());
    const double sum = loss->evaluate(one["width"].get<std::size_t>(), outputs, targets, gradient);
    const RowWeights weigh = loss->weigh(rows, targets);
    EXPECT_LT(weigh.sum, weigh.size);  // one is negative
    const auto value = one["value"].get<double>();
    const bool in_float = one["type"] == "softmax_cross_entropy";  // its exponentials
    EXPECT_NEAR(sum / weigh.sum, value, (in_float ? 1e-6 : 1e-9) * std::max(1.0, std::abs(value)));
    for (float& slope : gradient) slope /= static_cast<float>(weigh.size);
    expect_near(gradient, floats(one["gradient"]), kOnePass, "gradient");
  }
}

TEST(Golden, LayersGoForwardAndBackwardAsInPyTorch) {
  const Json golden = load("layers.json");
  const auto inputs = golden["inputs"].get<std::size_t>();
  const auto rows = golden["rows"].get<std::size_t>();
  const std::vector<float> x = floats(golden["x"]);
  for (const LayerType& type : layer_table()) {
    if (type.info.name == "dropout") continue;  // its random numbers are not PyTorch's
    EXPECT_TRUE(std::ranges::any_of(golden["cases"], [&](const Json& one) { return one["type"] == type.info.name; }))
        << "make_golden.py has no case of " << type.info.name;
  }
  for (const Json& one : golden["cases"]) {
    SCOPED_TRACE(title(one));
    // Later cases have inputs of their own.
    std::vector<Shape> shapes = {Shape{inputs}};
    if (one.contains("shapes")) {
      shapes.clear();
      for (const Json& shape : one["shapes"]) shapes.emplace_back(shape.get<std::vector<std::size_t>>());
    }
    test::LayerBench bench(one["type"].get<std::string>(), options_of(one["options"]), shapes, rows);
    if (one.contains("training")) bench.pass.training = one["training"].get<bool>();
    if (one.contains("x")) {
      for (std::size_t i = 0; i < shapes.size(); ++i) bench.x[i] = floats(one["x"][i]);
    } else {
      bench.x[0] = x;
    }
    bench.dy = floats(one["dy"]);
    const auto& specs = bench.plan.parameters;
    ASSERT_EQ(specs.size(), one["parameters"].size());
    const auto tensor = [&](std::vector<float>& arena, std::size_t i) {
      return std::span(arena).subspan(bench.ranges[i].begin, bench.ranges[i].size());
    };
    for (std::size_t i = 0; i < specs.size(); ++i) {
      std::ranges::copy(floats(one["parameters"][specs[i].name]), tensor(bench.weights, i).begin());
    }
    expect_near(bench.forward(), floats(one["y"]), kOnePass, "y");
    auto gradients = bench.backward();
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      expect_near(gradients.dx[i], floats(one.contains("x") ? one["dx"][i] : one["dx"]), kOnePass, "dx");
    }
    for (std::size_t i = 0; i < specs.size(); ++i) {
      if (specs[i].kind != ParameterKind::running) {
        expect_near(tensor(gradients.weights, i), floats(one["gradients"][specs[i].name]), kOnePass,
                    specs[i].name.c_str());
      } else if (bench.pass.training) {
        const auto moved = tensor(bench.weights, i);
        bench.layer->update_running(i, bench.sums().forward, {0, moved.size()}, moved);
        expect_near(moved, floats(one["after"][specs[i].name]), 1e-6, specs[i].name.c_str());
      }
    }
  }
}

// A net and an optimizer that take full-batch steps, as the trainer does but in one process.
class Training {
 public:
  Training(const Json& golden, const Json& one)
      : model_(config(), 6),
        loss_(make_loss({one["loss"].get<std::string>()})),
        optimizer_(make_optimizer(one["type"].get<std::string>(), options_of(one["options"]))),
        lr_(one["lr"].get<double>()),
        clip_norm_(one["clip_norm"].get<double>()),
        rows_(golden["rows"].get<std::size_t>()),
        x_(floats(golden["x"])),
        labels_(golden["labels"].get<std::vector<std::int32_t>>()),
        values_(floats(golden["values"])),
        workspace_(model_.make_workspace(rows_, true)),
        weights_(model_.parameters().arena_size()),
        gradient_(model_.parameters().arena_size()) {
    for (std::size_t s = 0; s < optimizer_->slots().size(); ++s) {
      slots_.emplace_back(weights_.size());
      std::ranges::fill(slots_.back().view(), optimizer_->slot_start(s));
    }
    for (std::size_t i = 0; i < model_.parameters().entries().size(); ++i) {
      std::ranges::copy(floats(golden["start"][i / 2][i % 2]), weights(i).begin());
    }
  }

  // One step; returns the mean loss before it.
  double step() {
    std::ranges::copy(x_, workspace_.input(rows_).begin());
    const auto outputs = model_.forward({.training = true}, weights_.view(), rows_, workspace_);
    const Targets targets =
        loss_->targets() == TargetKind::labels ? Targets{.labels = labels_} : Targets{.values = values_};
    const double sum = loss_->evaluate(model_.outputs(), outputs, targets, workspace_.doutputs(rows_));
    model_.backward({.training = true}, weights_.view(), rows_, workspace_, gradient_.view(), [](Range) {});

    UpdateStep update = {.lr = lr_, .step = ++steps_, .divisor = static_cast<float>(rows_)};
    const double norm = std::sqrt(sum_squares(gradient_.view())) / static_cast<double>(rows_);
    if (clip_norm_ > 0) {
      update.clip = static_cast<float>(std::min(1.0, clip_norm_ / (norm + 1e-6)));  // as torch.nn.utils.clip_grad_norm_
      clipped_ += update.clip < 1 ? 1U : 0U;
    }
    for (const Parameter& parameter : model_.parameters().entries()) {
      const auto part = [&](auto&& arena) {
        return arena.view().subspan(parameter.range.begin, parameter.range.size());
      };
      std::vector<std::span<float>> slots;
      for (auto& slot : slots_) slots.push_back(part(slot));
      if (optimizer_->needs_norms()) {
        const auto squares =
            optimizer_->measure(update, true, part(weights_), std::span<const float>(part(gradient_)), slots);
        update.weight_norm = std::sqrt(squares.weights);
        update.direction_norm = std::sqrt(squares.direction);
      }
      optimizer_->update(update, true, part(weights_), std::span<const float>(part(gradient_)), slots);
    }
    return sum / static_cast<double>(rows_);
  }

  // Tensor `index`: weight and bias of the dense layers in turn.
  std::span<float> weights(std::size_t index) {
    const Range range = model_.parameters().entries()[index].range;
    return weights_.view().subspan(range.begin, range.size());
  }
  [[nodiscard]] std::size_t clipped() const { return clipped_; }

 private:
  static ModelConfig config() {
    ModelConfig config;
    config.layers = {{"dense", {{"units", 8}}}, {"tanh"}, {"dense", {{"units", 7}}}, {"sigmoid"},
                     {"dense", {{"units", 6}}}, {"relu"}, {"dense", {{"units", 4}}}};
    return config;
  }

  Model model_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
  double lr_;
  double clip_norm_;
  std::size_t rows_;
  std::vector<float> x_;
  std::vector<std::int32_t> labels_;
  std::vector<float> values_;
  Workspace workspace_;
  Buffer<float> weights_;
  Buffer<float> gradient_;
  std::vector<Buffer<float>> slots_;
  std::uint64_t steps_ = 0;
  std::size_t clipped_ = 0;
};

// PyTorch in float64 ends within 1e-6 of these float32 numbers, so rounding explains no more than a few 1e-6.
constexpr double kThirtySteps = 1e-5;

TEST(Golden, ThirtyStepsOfEveryOptimizerEndWherePyTorchEnds) {
  const Json golden = load("training.json");
  ASSERT_FALSE(golden["cases"].empty());
  for (const Json& one : golden["cases"]) {
    SCOPED_TRACE(title(one) + " " + one["loss"].get<std::string>());
    Training training(golden, one);
    const auto losses = one["losses"].get<std::vector<double>>();
    for (std::size_t step = 0; step < losses.size(); ++step) {
      EXPECT_NEAR(training.step(), losses[step], kThirtySteps) << "loss of step " << step;
    }
    for (std::size_t layer = 0; layer < one["final"].size(); ++layer) {
      expect_near(training.weights(2 * layer), floats(one["final"][layer][0]), kThirtySteps, "weight");
      expect_near(training.weights(2 * layer + 1), floats(one["final"][layer][1]), kThirtySteps, "bias");
    }
    // The case must show both sides of the clip.
    if (one["clip_norm"].get<double>() > 0) {
      EXPECT_GT(training.clipped(), 0U);
      EXPECT_LT(training.clipped(), losses.size());
    }
  }
}

// The net, written as in a run file, with the masks of dropout that the program draws.
TEST(Golden, ThirtyStepsOfADeepResidualNetEndWherePyTorchEnds) {
  const Json golden = load("graph.json");
  const RunConfig run = parse_run(
      "[model]\nlayers = " + golden["layers"].get<std::string>() + "\nloss = \"softmax_cross_entropy\"", "graph.json");
  const auto rows = golden["rows"].get<std::size_t>();
  const Model model(run.model, golden["inputs"].get<std::size_t>());
  EXPECT_EQ(model.num_stages(), 21U);
  const auto loss = make_loss(run.model.loss);
  const auto optimizer = make_optimizer("sgd", {{"momentum", golden["momentum"].get<double>()}});
  Workspace workspace = model.make_workspace(rows, true);
  Buffer<float> weights(model.parameters().arena_size());
  Buffer<float> gradient(weights.size());
  Buffer<float> momentum(weights.size());
  const auto entries = model.parameters().entries();
  const auto name_of = [&](const Parameter& parameter) { return parameter.layer + "/" + parameter.name; };
  const auto part = [&](Buffer<float>& arena, const Range& range) {
    return arena.view().subspan(range.begin, range.size());
  };
  for (const Parameter& parameter : entries) {
    std::ranges::copy(floats(golden["start"][name_of(parameter)]), part(weights, parameter.range).begin());
  }
  std::vector<std::uint32_t> samples(rows);
  std::iota(samples.begin(), samples.end(), 0U);
  const std::vector<float> x = floats(golden["x"]);
  const auto labels = golden["labels"].get<std::vector<std::int32_t>>();
  const auto losses = golden["losses"].get<std::vector<double>>();
  for (std::uint32_t step = 0; step < losses.size(); ++step) {
    const Pass pass{true, golden["seed"].get<std::uint64_t>(), step, samples};
    std::ranges::copy(x, workspace.input(rows).begin());
    const auto outputs = model.forward(pass, weights.view(), rows, workspace);
    const double sum = loss->evaluate(model.outputs(), outputs, {.labels = labels}, workspace.doutputs(rows));
    EXPECT_NEAR(sum / static_cast<double>(rows), losses[step], kThirtySteps) << "loss of step " << step;
    model.backward(pass, weights.view(), rows, workspace, gradient.view(), {});
    const UpdateStep update{.lr = golden["lr"].get<double>(), .step = step + 1, .divisor = static_cast<double>(rows)};
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Range range = entries[i].range;
      if (entries[i].kind == ParameterKind::running) {
        model.update_running(i, range, workspace, part(weights, range));
        continue;
      }
      std::span<float> slot = part(momentum, range);
      optimizer->update(update, true, part(weights, range), std::span<const float>(part(gradient, range)), {&slot, 1});
    }
  }
  for (const Parameter& parameter : entries) {
    expect_near(part(weights, parameter.range), floats(golden["final"][name_of(parameter)]), kThirtySteps,
                name_of(parameter).c_str());
  }
}

TEST(Golden, TheTrainingCasesNameEveryOptimizer) {
  const Json golden = load("training.json");
  for (const auto& type : optimizer_table()) {
    EXPECT_TRUE(std::ranges::any_of(golden["cases"], [&](const Json& one) { return one["type"] == type.info.name; }))
        << type.info.name;
  }
}

TEST(Golden, SchedulesGiveTheRatesOfPyTorch) {
  const Json golden = load("schedules.json");
  const auto lr = golden["lr"].get<double>();
  ASSERT_FALSE(golden["cases"].empty());
  for (const Json& one : golden["cases"]) {
    SCOPED_TRACE(title(one));
    const auto rates = one["lr"].get<std::vector<double>>();
    const auto schedule = make_schedule({one["type"].get<std::string>(), options_of(one["options"])}, lr, rates.size());
    for (std::size_t step = 0; step < rates.size(); ++step) {
      // PyTorch multiplies step by step, ours are closed forms: both in double.
      EXPECT_NEAR(lr * schedule->factor(step), rates[step], 1e-9 * rates[step] + 1e-15) << "step " << step;
    }
  }
}

TEST(Golden, PlateausReduceTheRateWherePyTorchDoes) {
  const Json golden = load("plateaus.json");
  ASSERT_FALSE(golden["cases"].empty());
  for (const Json& one : golden["cases"]) {
    SCOPED_TRACE(one["mode"].get<std::string>() + " " + one["options"].dump());
    Plateau plateau({"plateau", options_of(one["options"])}, golden["lr"].get<double>(), one["mode"] == "max");
    for (std::size_t epoch = 0; epoch < golden["scores"].size(); ++epoch) {
      const Json& score = golden["scores"][epoch];
      plateau.add(score.is_null() ? std::numeric_limits<double>::quiet_NaN() : score.get<double>());
      EXPECT_EQ(plateau.lr(), one["lr"][epoch].get<double>()) << "epoch " << epoch;  // the same operations in double
    }
  }
}

TEST(Golden, AveragesFollowTheWeightsAsPyTorchs) {
  const Json golden = load("averages.json");
  std::vector<float> average = floats(golden["start"]);
  ASSERT_FALSE(golden["steps"].empty());
  for (const Json& step : golden["steps"]) {
    move_average(floats(step["weights"]), static_cast<float>(1 - golden["decay"].get<double>()), average);
    expect_near(average, floats(step["average"]), 1e-6, "average");  // a rounding or two a step, of numbers below 1
  }
}

}  // namespace
}  // namespace lockstep
