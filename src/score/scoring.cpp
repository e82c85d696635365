#include "score/scoring.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "net/decision.hpp"
#include "score/evaluation.hpp"
#include "score/sample_answers.hpp"

namespace lockstep {
namespace {

// Calls look(net) with the weights that the engine is scored with.
template <class Look>
void with_net(Engine& engine, Look look) {
  const During scoring(engine.comm().pulse(), Phase::scoring);
  engine.settle();
  engine.swap_ema();
  look(Net{.model = engine.model(),
           .loss = engine.loss(),
           .weights = engine.weights(),
           .threshold = threshold_of(engine.run(), engine.info)});
  engine.swap_ema();
}

}  // namespace

bool scores_splits(const RunConfig& run, const RunData& data) {
  return run.log.train_scores || !data.split.validation.empty() || data.test.has_value();
}

std::size_t ordering_bytes(const ScoreWishes& wishes, const RunData& data, std::size_t outputs) {
  std::size_t most = 0;
  for (const ScoreWishes::Of& of : wishes.splits) {
    if (!of.by_order) continue;
    const std::size_t samples = of.split == "test"    ? data.test->samples()
                                : of.split == "train" ? data.train_samples()
                                                      : data.split.validation.size();
    const std::size_t numbers = std::min(samples * (2 * outputs + 1), SampleAnswers::kMostNumbers);
    most = std::max(most, 2 * sizeof(float) * numbers + samples * sizeof(WeighedError));
  }
  return most;
}

void score_splits(Engine& engine, const RunData& data, const ScoreWishes& wishes, EpochScores& scores) {
  scores.train.reset();
  scores.validation.reset();
  scores.test.reset();
  if (wishes.splits.empty()) return;
  with_net(engine, [&](const Net& net) {
    for (const ScoreWishes::Of& of : wishes.splits) {
      const bool of_test = of.split == "test";
      const bool of_train = of.split == "train";
      const RowList rows = of_test ? RowList{} : RowList(of_train ? data.split.train : data.split.validation);
      std::optional<Scores>& to = of_test ? scores.test : of_train ? scores.train : scores.validation;
      to = evaluate(engine.comm(), net, of_test ? *data.test : data.train, data.normalization, rows,
                    {.by_order = of.by_order});
    }
  });
}

void score_end(Engine& engine, const RunData& data, const ScoreWishes& wishes, EpochScores& scores) {
  const CheckpointInfo& info = engine.info;
  const std::uint64_t epoch = info.restored ? info.restored->epoch : info.position.epoch;
  scores.train_loss = history_value(info.history, epoch - 1, "train_loss");
  score_splits(engine, data, wishes, scores);
}

std::optional<Told> decide(Engine& engine, const RunData& data, const ScoreWishes& wishes, EpochScores& scores) {
  engine.info.decision.reset();  // also where the number of the run file takes its place
  const std::optional<ThresholdRule> rule = threshold_rule(engine.run());
  if (!rule) return std::nullopt;
  std::optional<Threshold> found;
  with_net(engine, [&](const Net& net) {
    found = find_threshold(engine.comm(), net, data.train, data.normalization, data.split.validation, *rule);
  });
  const std::string& name = engine.run().decision.threshold.rule;
  if (!found) {
    return Told{LogLevel::warning,
                fmt::format("decision.threshold stays 0.5: by {} none is better on the validation data than to answer "
                            "always the same, or only one class has samples there",
                            name)};
  }
  engine.info.decision = Decision{.threshold = found->value, .rule = name, .score = found->score};
  score_splits(engine, data, wishes, scores);
  return Told{LogLevel::notice,
              fmt::format("the net answers 1 above a probability of {:.6g}, chosen by {} ({:.6g} on the validation "
                          "data); the scores at the run's end are by it",
                          found->value, name, found->score)};
}

}  // namespace lockstep
