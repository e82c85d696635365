// Cross entropies on logits: binary_cross_entropy (sigmoid inside) and softmax_cross_entropy (softmax inside).
// Both are stable for logits of any size, and a NaN among them gives a NaN loss.
// Weights (of classes, of ones) are PyTorch's `weight` and `pos_weight`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/sums.hpp"
#include "core/vector_clones.hpp"
#include "core/vector_math.hpp"
#include "lockstep/error.hpp"
#include "model/class_weights.hpp"
#include "model/loss_types.hpp"

namespace lockstep {
namespace {

void expect_one_an_output(const std::vector<double>& weights, std::size_t outputs, const std::string& name) {
  if (weights.size() == outputs) return;
  throw Error(ErrorKind::config, fmt::format("{}: expected {} weights, one an output of the net, found {}", name,
                                             outputs, weights.size()));
}

class BinaryCrossEntropy final : public Loss {
 public:
  /// `of_ones`: one number for all outputs, or one for each; empty: 1.
  BinaryCrossEntropy(std::vector<double> of_ones, std::string name)
      : of_ones_(std::move(of_ones)), name_(std::move(name)) {}

  [[nodiscard]] Task task() const override { return Task::binary; }
  [[nodiscard]] bool is_log_loss() const override { return of_ones_.empty(); }
  void check_outputs(std::size_t outputs) const override {
    if (of_ones_.size() > 1) expect_one_an_output(of_ones_, outputs, name_);
  }

 private:
  // Per output: max(x,0) - x t + log(1 + exp(-|x|)); slope sigmoid(x) - t. Mean over the outputs of a sample.
  [[nodiscard]] double evaluate_rows(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                     std::span<float> doutputs) const override {
    const std::size_t rows = checked_rows(TargetKind::values, width, outputs, targets, doutputs);
    if (!of_ones_.empty()) return evaluate_weighted(width, outputs, targets, doutputs);
    double sum = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      double row_sum = 0;
      for (std::size_t i = row * width; i < (row + 1) * width; ++i) {
        const double x = outputs[i];
        row_sum += std::max(x, 0.0) - x * targets.values[i] + std::log1p(std::exp(-std::abs(x)));
      }
      sum += row_sum / static_cast<double>(width);
    }
    vector_sigmoid(outputs, doutputs);
    const float share = 1.0F / static_cast<float>(width);
    for (std::size_t i = 0; i < doutputs.size(); ++i) doutputs[i] = share * (doutputs[i] - targets.values[i]);
    return sum;
  }

  // Per output, with w for ones: (1 - t) x + (1 + (w - 1) t) (max(-x,0) + log(1 + exp(-|x|)));
  // slope (1 + (w - 1) t) sigmoid(x) - w t.
  [[nodiscard]] double evaluate_weighted(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                         std::span<float> doutputs) const {
    check_outputs(width);
    vector_sigmoid(outputs, doutputs);
    double sum = 0;
    for (std::size_t begin = 0; begin < outputs.size(); begin += width) {
      double row_sum = 0;
      for (std::size_t column = 0; column < width; ++column) {
        const std::size_t i = begin + column;
        const double of_one = of_ones_[of_ones_.size() == 1 ? 0 : column];
        const double x = outputs[i];
        const double t = targets.values[i];
        const double of_log = 1 + (of_one - 1) * t;
        row_sum += (1 - t) * x + of_log * (std::max(-x, 0.0) + std::log1p(std::exp(-std::abs(x))));
        doutputs[i] = static_cast<float>((of_log * doutputs[i] - of_one * t) / static_cast<double>(width));
      }
      sum += row_sum / static_cast<double>(width);
    }
    return sum;
  }

  [[nodiscard]] double evaluate_target(std::size_t index, std::span<const float> outputs, float target,
                                       std::span<float> doutputs) const override {
    const double of_one = of_ones_.empty() ? 1 : of_ones_[of_ones_.size() == 1 ? 0 : index];
    const double x = outputs[0];
    const double t = target;
    const double of_log = 1 + (of_one - 1) * t;
    doutputs[0] = static_cast<float>(of_log / (1 + std::exp(-x)) - of_one * t);
    return (1 - t) * x + of_log * (std::max(-x, 0.0) + std::log1p(std::exp(-std::abs(x))));
  }

  std::vector<double> of_ones_;
  std::string name_;  // for messages
};

LOCKSTEP_VECTOR_CLONES void subtract(std::span<const float> x, float amount, std::span<float> y) {
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] - amount;
}

// y = y * factor - amount
LOCKSTEP_VECTOR_CLONES void scale_and_shift(std::span<float> y, float factor, float amount) {
  for (float& value : y) value = value * factor - amount;
}

class SoftmaxCrossEntropy final : public Loss {
 public:
  SoftmaxCrossEntropy(double smoothing, std::vector<double> weights, std::string name)
      : smoothing_(smoothing), weights_(std::move(weights)), name_(std::move(name)) {
    for (const double weight : weights_) weight_sum_ += weight;
  }

  [[nodiscard]] Task task() const override { return Task::classification; }
  [[nodiscard]] bool is_log_loss() const override { return smoothing_ == 0 && weights_.empty(); }
  [[nodiscard]] std::span<const double> class_weights() const override { return weights_; }
  void check_outputs(std::size_t outputs) const override {
    if (!weights_.empty()) expect_one_an_output(weights_, outputs, name_);
  }

 private:
  static constexpr std::size_t kTogether = 64;  // rows; they are short, and their exponentials are quicker in one go

  // Per row: sum_j q_j (log sum exp(x) - x_j); slope softmax(x)_j - q_j. q is the label's one-hot, mixed with
  // `smoothing` of the uniform distribution (Szegedy et al., 2016).
  [[nodiscard]] double evaluate_rows(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                     std::span<float> doutputs) const override {
    const std::size_t rows = checked_rows(TargetKind::labels, width, outputs, targets, doutputs);
    check_outputs(width);
    double sum = 0;
    for (std::size_t begin = 0; begin < rows; begin += kTogether) {
      const std::size_t end = std::min(begin + kTogether, rows);
      std::array<float, kTogether> most;
      for (std::size_t row = begin; row < end; ++row) {
        const auto x = outputs.subspan(row * width, width);
        most[row - begin] = lockstep::largest(x);
        subtract(x, most[row - begin], doutputs.subspan(row * width, width));
      }
      const auto exps = doutputs.subspan(begin * width, (end - begin) * width);
      vector_exp(exps, exps);
      for (std::size_t row = begin; row < end; ++row) {
        const auto x = outputs.subspan(row * width, width);
        const auto dx = doutputs.subspan(row * width, width);
        const auto label = static_cast<std::size_t>(targets.labels[row]);
        sum += weights_.empty() ? evaluate_row(x, most[row - begin], label, dx)
                                : evaluate_weighted_row(x, most[row - begin], label, dx);
      }
    }
    return sum;
  }

  // dx: exp(x - most) on entry, the slope on return; most: the largest x.
  [[nodiscard]] double evaluate_row(std::span<const float> x, float most, std::size_t label,
                                    std::span<float> dx) const {
    const double exp_sum = lockstep::sum(dx);
    const double log_sum = double{most} + std::log(exp_sum);
    const double uniform = smoothing_ / static_cast<double>(x.size());
    double loss = (1.0 - smoothing_) * (log_sum - x[label]);
    if (smoothing_ != 0) {
      double all = 0;
      for (const float value : x) all += log_sum - value;
      loss += uniform * all;
    }
    scale_and_shift(dx, static_cast<float>(1.0 / exp_sum), static_cast<float>(uniform));
    dx[label] -= static_cast<float>(1.0 - smoothing_);
    return loss;
  }

  // The same with weights w: q_j is (1 - smoothing) w_label for the label, and smoothing / n w_j for each class, as
  // PyTorch's. The slope is softmax(x)_j times the sum of q, less q_j.
  [[nodiscard]] double evaluate_weighted_row(std::span<const float> x, float most, std::size_t label,
                                             std::span<float> dx) const {
    const double exp_sum = lockstep::sum(dx);
    const double log_sum = double{most} + std::log(exp_sum);
    const double uniform = smoothing_ / static_cast<double>(x.size());
    const double of_label = (1.0 - smoothing_) * weights_[label];
    double loss = of_label * (log_sum - x[label]);
    scale_and_shift(dx, static_cast<float>((of_label + uniform * weight_sum_) / exp_sum), 0);
    for (std::size_t j = 0; smoothing_ != 0 && j < x.size(); ++j) {
      loss += uniform * weights_[j] * (log_sum - x[j]);
      dx[j] -= static_cast<float>(uniform * weights_[j]);
    }
    dx[label] -= static_cast<float>(of_label);
    return loss;
  }

  double smoothing_;
  std::vector<double> weights_;  // [classes], or empty
  double weight_sum_ = 0;
  std::string name_;  // of the weights, for messages
};

}  // namespace

std::unique_ptr<Loss> make_binary_cross_entropy(const Options& options) {
  const std::string name = options.where() + ".pos_weight";
  std::vector<double> of_ones;
  if (const auto found = options.values().find("pos_weight"); found != options.values().end()) {
    const bool is_list = std::holds_alternative<std::vector<double>>(found->second.get());
    of_ones = is_list ? options.numbers("pos_weight") : std::vector<double>{options.number("pos_weight")};
    if (of_ones.empty()) throw Error(ErrorKind::config, name + ": expected a number or a list of them, found none");
  }
  check_weights(of_ones, name);
  return std::make_unique<BinaryCrossEntropy>(std::move(of_ones), name);
}

std::unique_ptr<Loss> make_softmax_cross_entropy(const Options& options) {
  const std::string name = options.where() + ".class_weights";
  const double smoothing = options.number("label_smoothing");
  return std::make_unique<SoftmaxCrossEntropy>(smoothing, given_class_weights(options), name);
}

}  // namespace lockstep
