// Cross entropies on logits: binary_cross_entropy (sigmoid inside) and softmax_cross_entropy (softmax inside).
// Both are stable for logits of any size, and a NaN among them gives a NaN loss.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/sums.hpp"
#include "core/vector_clones.hpp"
#include "core/vector_math.hpp"
#include "model/loss_types.hpp"

namespace lockstep {
namespace {

class BinaryCrossEntropy final : public Loss {
 public:
  [[nodiscard]] Task task() const override { return Task::binary; }

  // Per output: max(x,0) - x t + log(1 + exp(-|x|)); slope sigmoid(x) - t. Mean over the outputs of a sample.
  [[nodiscard]] double evaluate(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                std::span<float> doutputs) const override {
    const std::size_t rows = checked_rows(TargetKind::values, width, outputs, targets, doutputs);
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
  explicit SoftmaxCrossEntropy(double smoothing) : smoothing_(smoothing) {}

  [[nodiscard]] Task task() const override { return Task::classification; }

  // Per row: sum_j q_j (log sum exp(x) - x_j); slope softmax(x)_j - q_j. q is the label's one-hot, mixed with
  // `smoothing` of the uniform distribution (Szegedy et al., 2016).
  [[nodiscard]] double evaluate(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                std::span<float> doutputs) const override {
    const std::size_t rows = checked_rows(TargetKind::labels, width, outputs, targets, doutputs);
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
        sum += evaluate_row(outputs.subspan(row * width, width), most[row - begin],
                            static_cast<std::size_t>(targets.labels[row]), doutputs.subspan(row * width, width));
      }
    }
    return sum;
  }

 private:
  static constexpr std::size_t kTogether = 64;  // rows; they are short, and their exponentials are quicker in one go

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

  double smoothing_;
};

}  // namespace

std::unique_ptr<Loss> make_binary_cross_entropy(const Options& options) {
  options.expect_only({});
  return std::make_unique<BinaryCrossEntropy>();
}

std::unique_ptr<Loss> make_softmax_cross_entropy(const Options& options) {
  options.expect_only({"label_smoothing"});
  return std::make_unique<SoftmaxCrossEntropy>(options.number_in("label_smoothing", 0, 1, 0.0));
}

}  // namespace lockstep
