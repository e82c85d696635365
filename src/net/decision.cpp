#include "net/decision.hpp"

#include <fmt/format.h>

#include "lockstep/error.hpp"

namespace lockstep {

double threshold_of(const RunConfig& run, const CheckpointInfo& info) noexcept {
  return info.decision ? info.decision->threshold : run.decision.threshold.value;
}

std::optional<ThresholdRule> threshold_rule(const RunConfig& run) {
  const std::string& rule = run.decision.threshold.rule;
  if (rule.empty()) return std::nullopt;
  return rule == "f1" ? ThresholdRule::f1 : ThresholdRule::youden;
}

void check_decision(const RunConfig& run, const Loss& loss, std::size_t outputs) {
  if (run.decision.threshold == ThresholdConfig{}) return;
  if (loss.task() != Task::binary || outputs != 1) {
    throw Error(
        ErrorKind::config,
        fmt::format("decision.threshold: only a binary net with one output answers by a threshold; this one has "
                    "{} outputs and the loss {}",
                    outputs, run.model.loss.type));
  }
  if (!loss.gives_probabilities()) {
    throw Error(ErrorKind::config,
                fmt::format("decision.threshold: it is a probability, and {} gives none", run.model.loss.type));
  }
  if (!run.decision.threshold.rule.empty() && !(run.data.validation > 0)) {
    throw Error(ErrorKind::config,
                fmt::format("decision.threshold: \"{}\" is chosen on validation data, of which there is none: set "
                            "data.validation, or give a number",
                            run.decision.threshold.rule));
  }
}

}  // namespace lockstep
