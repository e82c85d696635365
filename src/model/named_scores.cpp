// Scores by their names, in the order in which they are told.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/scores.hpp"

namespace lockstep {
namespace {

using Named = std::vector<std::pair<std::string, double>>;

void add(Named& named, const char* name, const std::optional<double>& value) {
  if (value) named.emplace_back(name, *value);
}

// What a target has as all of them have.
template <class Some>
void add_errors(Named& named, const Some& scores) {
  add(named, "r2", scores.r2);
  add(named, "explained_variance", scores.explained_variance);
  add(named, "rmse", scores.rmse);
  add(named, "mae", scores.mae);
  add(named, "mape", scores.mape);
  add(named, "error_median", scores.error_median);
  add(named, "error_p90", scores.error_p90);
  add(named, "error_p95", scores.error_p95);
  add(named, "error_max", scores.error_max);
}

}  // namespace

Named TargetScores::named() const {
  Named result;
  add_errors(result, *this);
  return result;
}

Named Scores::named() const {
  Named result{{"loss", loss}};
  add(result, "accuracy", accuracy);
  add(result, "top5", top5);
  add(result, "macro_recall", macro_recall);
  add(result, "precision", precision);
  add(result, "recall", recall);
  add(result, "f1", f1);
  add(result, "log_loss", log_loss);
  add(result, "auc", auc);
  add(result, "average_precision", average_precision);
  add_errors(result, *this);
  result.insert(result.end(), own.begin(), own.end());
  return result;
}

}  // namespace lockstep
