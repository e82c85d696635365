// Losses whose net answers with more than one number a target, or with the rate of a count: gaussian_nll, quantile,
// poisson_nll.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/number_text.hpp"
#include "lockstep/error.hpp"
#include "model/loss_targets.hpp"

namespace lockstep {
namespace {

double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

// PyTorch's GaussianNLLLoss of the mean a[0] and the variance v = softplus(a[1]). Softplus and not exp: it grows no
// faster than its argument, so that one bad step does not make a variance that nothing brings back. As in PyTorch a
// variance below eps is taken as eps, and its slope is that at eps.
class GaussianNll final : public TargetLoss {
 public:
  GaussianNll(bool full, double eps) : full_(full), eps_(eps) {}

  [[nodiscard]] Task task() const override { return Task::regression; }
  [[nodiscard]] std::size_t outputs_per_target() const override { return 2; }
  [[nodiscard]] std::vector<AnswerColumn> answers() const override {
    return {{.suffix = ""}, {.suffix = "_std", .shifts = false}};
  }
  void answer(std::span<const float> outputs, std::span<double> answers) const override {
    answers[0] = outputs[0];
    answers[1] = std::sqrt(variance(outputs[1]));
  }
  [[nodiscard]] std::vector<OwnScore> own_scores() const override {
    return {{"nll"}, {.name = "coverage95", .smaller_is_better = std::nullopt}};
  }
  void score(std::span<const double> answers, double target, std::span<double> scores) const override {
    constexpr double inside = 1.959963984540054;  // 95 % of a normal distribution
    const double z = (target - answers[0]) / answers[1];
    scores[0] = std::log(answers[1]) + 0.5 * z * z + 0.5 * std::log(2 * std::numbers::pi);
    scores[1] = std::abs(z) <= inside ? 1 : 0;
  }

 private:
  [[nodiscard]] double variance(double output) const {
    const double found = softplus(output);
    return found < eps_ ? eps_ : found;  // NaN stays NaN
  }
  [[nodiscard]] double evaluate_target(std::size_t /*index*/, std::span<const float> outputs, float target,
                                       std::span<float> doutputs) const override {
    const double d = double{outputs[0]} - double{target};
    const double v = variance(outputs[1]);
    doutputs[0] = static_cast<float>(d / v);
    doutputs[1] = static_cast<float>(0.5 * (1 / v - d * d / (v * v)) / (1 + std::exp(-double{outputs[1]})));
    return 0.5 * (std::log(v) + d * d / v) + (full_ ? 0.5 * std::log(2 * std::numbers::pi) : 0);
  }

  bool full_;
  double eps_;
};

// The pinball loss (Koenker and Bassett, 1978), mean over the quantiles: q (t - a) where t >= a, else (1 - q) (a - t).
class Quantile final : public TargetLoss {
 public:
  explicit Quantile(std::vector<double> quantiles) : quantiles_(std::move(quantiles)) {}

  [[nodiscard]] Task task() const override { return Task::regression; }
  [[nodiscard]] std::size_t outputs_per_target() const override { return quantiles_.size(); }
  [[nodiscard]] std::vector<AnswerColumn> answers() const override {
    std::vector<AnswerColumn> columns;
    for (const double q : quantiles_) columns.push_back({.suffix = "_q" + number_text(q)});
    return columns;
  }
  [[nodiscard]] std::size_t point() const override {  // the nearest to the median
    const auto nearest = std::ranges::min_element(quantiles_, {}, [](double q) { return std::abs(q - 0.5); });
    return static_cast<std::size_t>(nearest - quantiles_.begin());
  }
  [[nodiscard]] std::vector<OwnScore> own_scores() const override {
    std::vector<OwnScore> scores;
    for (const double q : quantiles_) scores.push_back({"pinball_q" + number_text(q)});
    for (const double q : quantiles_) {
      scores.push_back({.name = "coverage_q" + number_text(q), .smaller_is_better = std::nullopt});
    }
    return scores;
  }
  void score(std::span<const double> answers, double target, std::span<double> scores) const override {
    for (std::size_t i = 0; i < quantiles_.size(); ++i) {
      scores[i] = pinball(quantiles_[i], target - answers[i]);
      scores[quantiles_.size() + i] = target <= answers[i] ? 1 : 0;
    }
  }

 private:
  [[nodiscard]] static double pinball(double q, double d) { return d >= 0 ? q * d : (q - 1) * d; }
  [[nodiscard]] double evaluate_target(std::size_t /*index*/, std::span<const float> outputs, float target,
                                       std::span<float> doutputs) const override {
    const auto count = static_cast<double>(quantiles_.size());
    double sum = 0;
    for (std::size_t i = 0; i < quantiles_.size(); ++i) {
      const double d = double{target} - double{outputs[i]};
      sum += pinball(quantiles_[i], d);
      const double slope = d > 0 ? -quantiles_[i] : (d < 0 ? 1 - quantiles_[i] : d);  // 0 at 0; NaN stays NaN
      doutputs[i] = static_cast<float>(slope / count);
    }
    return sum / count;
  }

  std::vector<double> quantiles_;
};

// PyTorch's PoissonNLLLoss: exp(a) - t a, or a - t log(a + eps) where the output is the rate itself; with `full`
// Stirling's t log t - t + log(2 pi t) / 2 for targets above 1.
class PoissonNll final : public TargetLoss {
 public:
  PoissonNll(bool log_input, bool full, double eps) : log_input_(log_input), full_(full), eps_(eps) {}

  [[nodiscard]] Task task() const override { return Task::regression; }
  [[nodiscard]] TargetRange target_range() const override { return TargetRange::from_zero; }
  [[nodiscard]] bool normalizes_targets() const override { return false; }
  void answer(std::span<const float> outputs, std::span<double> answers) const override {
    answers[0] = log_input_ ? std::exp(double{outputs[0]}) : double{outputs[0]};
  }
  [[nodiscard]] std::vector<OwnScore> own_scores() const override { return {{"deviance"}}; }
  void score(std::span<const double> answers, double target, std::span<double> scores) const override {
    const double logs = target == 0 ? 0 : target * std::log(target / answers[0]);
    scores[0] = 2 * (logs - target + answers[0]);
  }

 private:
  [[nodiscard]] double evaluate_target(std::size_t /*index*/, std::span<const float> outputs, float target,
                                       std::span<float> doutputs) const override {
    const double a = outputs[0];
    const double t = target;
    const double constant = full_ && t > 1 ? t * std::log(t) - t + 0.5 * std::log(2 * std::numbers::pi * t) : 0;
    if (log_input_) {
      const double rate = std::exp(a);
      doutputs[0] = static_cast<float>(rate - t);
      return rate - t * a + constant;
    }
    doutputs[0] = static_cast<float>(1 - t / (a + eps_));
    return a - t * std::log(a + eps_) + constant;
  }

  bool log_input_;
  bool full_;
  double eps_;
};

}  // namespace

void TargetLoss::check_outputs(std::size_t outputs) const {
  const std::size_t each = outputs_per_target();
  if (outputs > 0 && outputs % each == 0) return;
  throw Error(ErrorKind::config, fmt::format("model.layers: the last layer has {} outputs, but this loss takes {} for "
                                             "each target",
                                             outputs, each));
}

double TargetLoss::evaluate_rows(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                 std::span<float> doutputs) const {
  const std::size_t each = outputs_per_target();
  const std::size_t rows = checked_rows(TargetKind::values, width, outputs, targets, doutputs, each);
  const std::size_t columns = width / each;
  const auto count = static_cast<double>(columns);
  double sum = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    double row_sum = 0;
    for (std::size_t i = 0; i < columns; ++i) {
      const std::size_t at = row * width + i * each;
      const auto slopes = doutputs.subspan(at, each);
      row_sum += evaluate_target(i, outputs.subspan(at, each), targets.values[row * columns + i], slopes);
      for (float& slope : slopes) slope = static_cast<float>(slope / count);
    }
    sum += row_sum / count;
  }
  return sum;
}

std::unique_ptr<Loss> make_gaussian_nll(const Options& options) {
  return std::make_unique<GaussianNll>(options.boolean("full"), options.number("eps"));
}

std::unique_ptr<Loss> make_quantile(const Options& options) {
  constexpr std::size_t most = 99;
  const std::vector<double> quantiles = options.numbers("quantiles");
  bool right = !quantiles.empty() && quantiles.size() <= most;
  for (std::size_t i = 0; i < quantiles.size(); ++i) {
    right = right && quantiles[i] > 0 && quantiles[i] < 1 && (i == 0 || quantiles[i] > quantiles[i - 1]);
  }
  if (!right) {
    throw Error(ErrorKind::config, fmt::format("{}.quantiles: expected 1 to {} numbers between 0 and 1, each larger "
                                               "than the one before",
                                               options.where(), most));
  }
  return std::make_unique<Quantile>(quantiles);
}

std::unique_ptr<Loss> make_poisson_nll(const Options& options) {
  return std::make_unique<PoissonNll>(options.boolean("log_input"), options.boolean("full"), options.number("eps"));
}

}  // namespace lockstep
