#include "run/steering.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/number_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// The best checkpoint is by the score that early stopping watches, unless it has one of its own.
std::string monitor_of_best(const RunConfig& run) {
  const bool is_auto = run.checkpoint.monitor == "auto";
  return is_auto && run.train.early_stop ? run.train.early_stop->monitor : run.checkpoint.monitor;
}

}  // namespace

ScoredSplits scored_splits(const RunConfig& run) {
  return {.validation = run.data.validation > 0, .test = !run.data.test.empty()};
}

Steering::Steering(const RunConfig& run, const Loss& loss, std::size_t outputs)
    : epochs_(static_cast<std::uint64_t>(run.train.epochs)),
      lr_(*run.optimizer.lr),
      best_(
          monitor_of_best(run), loss, outputs, scored_splits(run),
          run.checkpoint.monitor == "auto" && run.train.early_stop ? "train.early_stop.monitor" : "checkpoint.monitor"),
      early_stop_(run.train.early_stop) {
  if (early_stop_) {
    stop_monitor_ = early_stop_->monitor == "auto"
                        ? best_
                        : Monitor(early_stop_->monitor, loss, outputs, scored_splits(run), "train.early_stop.monitor");
    if (early_stop_->restore_best && stop_monitor_->name() != best_.name()) {
      throw Error(ErrorKind::config,
                  fmt::format("train.early_stop: restore_best takes the best checkpoint, which is by {} "
                              "(checkpoint.monitor), but monitor is {}: name one score for both, or set restore_best = "
                              "false",
                              best_.name(), stop_monitor_->name()));
    }
  }
  if (run.optimizer.schedule.type == "plateau") {
    plateau_monitor_.emplace(run.optimizer.schedule.options.text("monitor", "auto"), loss, outputs, scored_splits(run),
                             "optimizer.schedule.monitor");
    plateau_.emplace(run.optimizer.schedule, lr_, plateau_monitor_->larger_is_better());
  }
}

void Steering::follow(const History& history) {
  for (; seen_ < history.num_rows(); ++seen_) {
    if (early_stop_) {
      const double value = stop_monitor_->value(history, seen_);
      const bool improved = stop_monitor_->better(value, stop_best_, early_stop_->min_delta);
      if (improved) stop_best_ = value;
      // An epoch whose score is not known says nothing.
      if (!std::isnan(value)) waited_ = improved ? 0 : waited_ + 1;
    }
    if (plateau_) plateau_->add(plateau_monitor_->value(history, seen_));
  }
}

std::vector<Monitor> Steering::monitors() const {
  std::vector<Monitor> all{best_};
  for (const auto* monitor : {&stop_monitor_, &plateau_monitor_}) {
    if (*monitor && std::ranges::count(all, (*monitor)->name(), &Monitor::name) == 0) all.push_back(**monitor);
  }
  return all;
}

std::string Steering::why_it_stops() const {
  return fmt::format("{} has not improved for {}", stop_monitor_->name(), count_text(waited_, "epoch"));
}

}  // namespace lockstep
