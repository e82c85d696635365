#include "checkpoint/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "compute/compute.hpp"
#include "config/run_file.hpp"
#include "lockstep/error.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"

namespace lockstep {
namespace {

class Check {
 public:
  Check(const CheckpointInfo& info, const std::string& file) : info_(info), file_(file) {}

  ExpectedArrays run() const {
    if (info_.inputs < 1 || info_.outputs < 1) fail("its net has no inputs or no outputs");
    ExpectedArrays expected;
    try {
      const RunConfig run = parse_run(info_.run, file_ + ":/run");
      const Model model(run.model, Shape(info_.input_shape), make_compute({.threads = run.train.threads}));
      const std::unique_ptr<Loss> loss = make_loss(run.model.loss);
      expected.optimizer = make_optimizer(run.optimizer.type, run.optimizer.options);
      expected.table = model.parameters();
      expected.ema = run.train.ema > 0;
      check_net(run, model, *loss);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::config) throw;
      const std::string what = error.what();
      throw Error(ErrorKind::data, what.starts_with(file_) ? what : fmt::format("{}:/run: {}", file_, what));
    }
    check_place();
    check_history();
    return expected;
  }

 private:
  template <class... Values>
  [[noreturn]] void fail(fmt::format_string<Values...> what, Values&&... values) const {
    throw Error(ErrorKind::data, fmt::format("{}: {}", file_, fmt::format(what, std::forward<Values>(values)...)));
  }

  void expect_as_in_run(const char* name, std::int64_t found, std::int64_t in_run) const {
    if (found != in_run) fail("attribute '{}' is {}, but its run has {}", name, found, in_run);
  }

  void check_net(const RunConfig& run, const Model& model, const Loss& loss) const {
    expect_as_in_run("seed", info_.seed, run.seed);
    expect_as_in_run("shards", info_.shards, run.train.shards.value_or(info_.shards));
    expect_as_in_run("blas_threads", info_.blas_threads, run.train.threads);
    expect_as_in_run("outputs", info_.outputs, static_cast<std::int64_t>(model.outputs()));
    if (info_.ranks < 1 || info_.ranks > info_.shards)
      fail("attribute 'ranks' is {}: {} shards are for 1 to {}", info_.ranks, info_.shards, info_.shards);
    if (loss.targets() == TargetKind::labels) {
      loss.check_outputs(model.outputs());
      const std::size_t names = info_.class_names.size();
      if (names != 0 && !run.data.classes && names != model.outputs()) {
        fail("/classes has {} names, but the net has {} outputs", names, model.outputs());
      }
    }
    for (const auto& [name, text] :
         {std::pair{"data_fingerprint", &info_.train_fingerprint}, {"test_fingerprint", &info_.test_fingerprint}}) {
      const bool hex = text->find_first_not_of("0123456789abcdef") == std::string::npos;
      if (!text->empty() && (!hex || text->size() != 32)) fail("attribute '{}' is no fingerprint", name);
    }
    check_decision(model, loss);
    const std::size_t targets = loss.num_targets(model.outputs());
    if (info_.columns.targets.size() > 1 && info_.columns.targets.size() != targets) {
      fail("/names/targets has {} names, but the net has {} targets", info_.columns.targets.size(), targets);
    }
    check_scaling("x", model.inputs(), "inputs");
    for (const auto& [name, values] : info_.normalization) {
      const bool of_targets = name == "y_shift" || name == "y_scale";
      if (!of_targets && name != "x_shift" && name != "x_scale") {
        fail("/normalization/{} is no part of a checkpoint", name);
      }
      if (of_targets && !loss.normalizes_targets()) {
        fail("/normalization/{} is there, but the targets of this loss are not normalised", name);
      }
    }
    check_scaling("y", loss.num_targets(model.outputs()), "targets");
  }

  void check_decision(const Model& model, const Loss& loss) const {
    if (!info_.decision) return;
    if (loss.task() != Task::binary || model.outputs() != 1) fail("/decision is there, but its net is not binary");
    const Decision& decision = *info_.decision;
    if (!(decision.threshold >= 0 && decision.threshold < 1)) {
      fail("/decision, attribute 'threshold', is {}, expected a probability below 1", decision.threshold);
    }
    if (!std::isfinite(decision.score)) fail("/decision, attribute 'score', is {}", decision.score);
  }

  void check_scaling(const std::string& what, std::size_t columns, const char* of) const {
    const auto find = [&](const char* name) -> const std::vector<double>* {
      const auto found = info_.normalization.find(what + name);
      if (found == info_.normalization.end()) return nullptr;
      if (found->second.size() == columns) return &found->second;
      fail("/normalization/{} has {} numbers, but the net has {} {}", found->first, found->second.size(), columns, of);
    };
    const std::vector<double>* const shift = find("_shift");
    const std::vector<double>* const scale = find("_scale");
    if ((shift == nullptr) != (scale == nullptr)) {
      fail("/normalization has {0}_{1} without {0}_{2}", what, shift != nullptr ? "shift" : "scale",
           shift != nullptr ? "scale" : "shift");
    }
    if (shift == nullptr) return;
    for (std::size_t i = 0; i < columns; ++i) {
      if (!std::isfinite((*shift)[i])) fail("/normalization/{}_shift[{}] is {}", what, i, (*shift)[i]);
      const bool good = (*scale)[i] > 0 && std::isfinite((*scale)[i]) && std::isfinite(1 / (*scale)[i]);
      if (!good) fail("/normalization/{}_scale[{}] is {}, expected a positive number", what, i, (*scale)[i]);
    }
  }

  void check_place() const {
    const Position& at = info_.position;
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();  // a part of the keys of random numbers
    if (at.step > most) fail("attribute 'step' is {}, a run has at most {}", at.step, most);
    if (at.position > most) fail("attribute 'position' is {}, data has at most {} samples", at.position, most);
    if (at.epoch > at.step || (at.position > 0 && at.epoch == at.step)) {
      fail("attributes 'step', 'epoch' and 'position' do not agree: {} steps cannot make {} epochs and {} samples",
           at.step, at.epoch, at.position);
    }
    const EpochSums& sums = info_.sums;
    if (sums.samples > at.position) {
      fail("/history, attribute 'samples', is {}, but only {} samples of the epoch are done", sums.samples,
           at.position);
    }
    if (!std::isfinite(sums.loss_sum)) fail("/history, attribute 'loss_sum', is {}", sums.loss_sum);
    for (const auto& [name, value] :
         {std::pair{"weight", sums.weight}, {"seconds", sums.seconds}, {"total_seconds", sums.total_seconds}}) {
      if (!std::isfinite(value) || value < 0) fail("/history, attribute '{}', is {}", name, value);
    }
  }

  // The values of a column by epoch; none where there is no such column.
  [[nodiscard]] std::vector<double> column(const std::string& name) const {
    const History& history = info_.history;
    const auto found = std::ranges::find(history.columns, name);
    std::vector<double> values;
    if (found == history.columns.end()) return values;
    const auto first = static_cast<std::size_t>(found - history.columns.begin());
    for (std::size_t row = 0; row < history.num_rows(); ++row) {
      values.push_back(history.rows[row * history.columns.size() + first]);
    }
    return values;
  }

  void check_history() const {
    for (const std::string& name : info_.history.columns) {
      if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") != std::string::npos) {
        fail("/history has a column \"{}\", expected names of small letters, digits, '_' and '.'", name);
      }
    }
    const std::uint64_t epochs = info_.position.epoch;
    if (info_.history.num_rows() != epochs) {
      fail("/history, attribute 'columns', names none, but {} epochs are done", epochs);
    }
    const std::vector<double> epoch = column("epoch");
    const std::vector<double> step = column("step");
    if (epoch.size() != epochs || step.size() != epochs)
      fail("/history, attribute 'columns', does not name epoch and step");
    for (std::size_t row = 0; row < epochs; ++row) {
      if (epoch[row] != static_cast<double>(row + 1)) fail("/history/epoch[{}] is {}", row, epoch[row]);
      const double before = row == 0 ? 0 : step[row - 1];
      const bool good = step[row] > before && step[row] <= static_cast<double>(info_.position.step) &&
                        step[row] == std::floor(step[row]);
      if (!good)
        fail("/history/step[{}] is {}: expected more than {}, at most {}", row, step[row], before, info_.position.step);
    }
    const auto expect_row = [&](const char* what, std::uint64_t at_step, std::uint64_t at_epoch) {
      if (at_epoch >= 1 && at_epoch <= epochs && step[at_epoch - 1] == static_cast<double>(at_step)) return;
      fail("{} names step {} and epoch {}, which /history does not have", what, at_step, at_epoch);
    };
    if (info_.restored) expect_row("/restored", info_.restored->step, info_.restored->epoch);
    if (!info_.best) return;
    expect_row("/best", info_.best->step, info_.best->epoch);
    std::string name = info_.best->monitor;
    std::ranges::replace(name, '.', '_');
    const std::vector<double> scores = column(name);
    if (scores.empty()) fail("/best, attribute 'monitor', is {}, which is no column of /history", info_.best->monitor);
    if (const double score = scores[info_.best->epoch - 1]; !(score == info_.best->value)) {
      fail("/best, attribute 'value', is {}, but {} in /history is {}", info_.best->value, info_.best->monitor, score);
    }
  }

  const CheckpointInfo& info_;
  const std::string& file_;
};

}  // namespace

ExpectedArrays check_info(const CheckpointInfo& info, const std::string& file) {
  return Check(info, file).run();
}

}  // namespace lockstep
