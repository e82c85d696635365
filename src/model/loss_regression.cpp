// Losses of the difference d = output - target: mse, mae, huber. Each is the mean over the outputs of a sample.
#include <algorithm>
#include <cmath>

#include "lockstep/error.hpp"
#include "model/loss_types.hpp"

namespace lockstep {
namespace {

/// The loss that Difference gives: value(d) in double, and its derivative slope(d).
template <class Difference>
class DifferenceLoss final : public Loss {
 public:
  explicit DifferenceLoss(Difference difference = {}) : difference_(difference) {}

  [[nodiscard]] Task task() const override { return Task::regression; }

 private:
  [[nodiscard]] double evaluate_rows(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                     std::span<float> doutputs) const override {
    const std::size_t rows = checked_rows(TargetKind::values, width, outputs, targets, doutputs);
    double sum = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      double row_sum = 0;
      for (std::size_t i = row * width; i < (row + 1) * width; ++i) {
        row_sum += difference_.value(double{outputs[i]} - double{targets.values[i]});
      }
      sum += row_sum / static_cast<double>(width);
    }
    const Difference difference = difference_;
    const float share = 1.0F / static_cast<float>(width);
    for (std::size_t i = 0; i < doutputs.size(); ++i) {
      doutputs[i] = share * difference.slope(outputs[i] - targets.values[i]);
    }
    return sum;
  }
  [[nodiscard]] double evaluate_target(std::size_t /*index*/, std::span<const float> outputs, float target,
                                       std::span<float> doutputs) const override {
    doutputs[0] = difference_.slope(outputs[0] - target);
    return difference_.value(double{outputs[0]} - double{target});
  }

  Difference difference_;
};

struct Squared {  // d^2
  [[nodiscard]] double value(double d) const { return d * d; }
  [[nodiscard]] float slope(float d) const { return 2.0F * d; }
};

struct Absolute {  // |d|; slope 0 at 0
  [[nodiscard]] double value(double d) const { return std::abs(d); }
  [[nodiscard]] float slope(float d) const { return d > 0.0F ? 1.0F : (d < 0.0F ? -1.0F : d); }  // NaN stays NaN
};

struct Huber {  // d^2 / 2 within delta, delta (|d| - delta/2) beyond (Huber, 1964)
  float delta = 1;
  [[nodiscard]] double value(double d) const {
    const double size = std::abs(d);
    return size <= delta ? 0.5 * d * d : delta * (size - 0.5 * delta);
  }
  [[nodiscard]] float slope(float d) const { return std::max(std::min(d, delta), -delta); }
};

}  // namespace

std::unique_ptr<Loss> make_mse(const Options& /*options*/) {
  return std::make_unique<DifferenceLoss<Squared>>();
}

std::unique_ptr<Loss> make_mae(const Options& /*options*/) {
  return std::make_unique<DifferenceLoss<Absolute>>();
}

std::unique_ptr<Loss> make_huber(const Options& options) {
  const auto delta = static_cast<float>(options.number("delta"));
  return std::make_unique<DifferenceLoss<Huber>>(Huber{delta});
}

}  // namespace lockstep
