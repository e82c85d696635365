#include "train/scoring.hpp"

#include "train/evaluation.hpp"

namespace lockstep {

bool scores_splits(const RunData& data) {
  return !data.split.validation.empty() || data.test.has_value();
}

void score_splits(Engine& engine, const RunData& data, EpochScores& scores) {
  scores.validation.reset();
  scores.test.reset();
  if (!scores_splits(data)) return;
  const Communicator& comm = engine.comm();
  const During scoring(comm.pulse(), Phase::scoring);
  engine.settle();
  engine.swap_ema();
  const Net net{engine.model(), engine.loss(), engine.weights()};
  if (!data.split.validation.empty()) {
    scores.validation = evaluate(comm, net, data.train, data.normalization, data.split.validation);
  }
  if (data.test) scores.test = evaluate(comm, net, *data.test, data.normalization);
  engine.swap_ema();
}

}  // namespace lockstep
