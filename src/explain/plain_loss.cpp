// The one list of plain losses.
#include "explain/plain_loss.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// What a formula says before a mean over several outputs, and behind its slope.
std::string mean_of(std::size_t outputs) {
  return outputs == 1 ? "" : "mean of ";
}
std::string share(std::size_t outputs) {
  return outputs == 1 ? "" : fmt::format(" / {}", outputs);
}

// The mean over the outputs of f(d), d = a - t.
class PlainDifference final : public PlainLoss {
 public:
  using Curve = std::function<double(double)>;
  using Sides = std::function<void(double, std::vector<bool>&)>;

  /// `formula` of one output.
  PlainDifference(Formula formula, Curve value, Sides sides = {})
      : formula_(std::move(formula)), value_(std::move(value)), sides_(std::move(sides)) {}

  [[nodiscard]] Formula formula(std::size_t outputs) const override {
    return {"C = " + mean_of(outputs) + formula_.value, "dC/da = " + formula_.slope + share(outputs)};
  }
  [[nodiscard]] double value(std::span<const double> a, const PlainTarget& target) const override {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!std::isnan(target.values[i])) sum += value_(a[i] - target.values[i]);
    }
    return sum / static_cast<double>(a.size());
  }
  void add_sides(std::span<const double> a, const PlainTarget& target, std::vector<bool>& sides) const override {
    for (std::size_t i = 0; sides_ && i < a.size(); ++i) {
      if (!std::isnan(target.values[i])) sides_(a[i] - target.values[i], sides);
    }
  }

 private:
  Formula formula_;
  Curve value_;
  Sides sides_;
};

std::unique_ptr<PlainLoss> plain_mse(const Options& /*options*/) {
  return std::make_unique<PlainDifference>(Formula{"(a - t)^2", "2 (a - t)"}, [](double d) { return d * d; });
}

std::unique_ptr<PlainLoss> plain_mae(const Options& /*options*/) {
  return std::make_unique<PlainDifference>(
      Formula{"|a - t|", "sign(a - t)"}, [](double d) { return std::abs(d); },
      [](double d, std::vector<bool>& sides) {
        sides.push_back(d > 0);
        sides.push_back(d < 0);
      });
}

// Its slope has kinks, at |d| = delta, where central differences are less exact.
std::unique_ptr<PlainLoss> plain_huber(const Options& options) {
  const double delta = static_cast<float>(options.number("delta", 1.0));
  return std::make_unique<PlainDifference>(
      Formula{fmt::format("d^2/2 where |d| <= {0:.6g}, else {0:.6g} (|d| - {1:.6g}); d = a - t", delta, delta / 2),
              fmt::format("(d, at most {0:.6g} either way)", delta)},
      [delta](double d) { return std::abs(d) <= delta ? d * d / 2 : delta * (std::abs(d) - delta / 2); },
      [delta](double d, std::vector<bool>& sides) {
        sides.push_back(d > delta);
        sides.push_back(d < -delta);
      });
}

class PlainBinary final : public PlainLoss {
 public:
  explicit PlainBinary(std::vector<double> of_ones) : of_ones_(std::move(of_ones)) {}

  [[nodiscard]] Formula formula(std::size_t outputs) const override {
    const std::string s = ", s = 1 / (1 + exp(-a))";
    const std::string weight = of_ones_.empty() ? "" : "p ";
    return {fmt::format("C = {}-{}t log(s) - (1 - t) log(1 - s){}", mean_of(outputs), weight, s),
            of_ones_.empty() ? (outputs == 1 ? "dC/da = s - t" : "dC/da = (s - t)" + share(outputs))
                             : "dC/da = ((1 + (p - 1) t) s - p t)" + share(outputs) + ", p the pos_weight"};
  }
  [[nodiscard]] double value(std::span<const double> a, const PlainTarget& target) const override {
    const auto minus_log = [](double x) {  // -log of 1 / (1 + exp(-x))
      return std::max(-x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    };
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double of_one = of_ones_.empty() ? 1 : of_ones_[of_ones_.size() == 1 ? 0 : i];
      const double t = target.values[i];
      if (std::isnan(t)) continue;
      sum += of_one * t * minus_log(a[i]) + (1 - t) * minus_log(-a[i]);
    }
    return sum / static_cast<double>(a.size());
  }

 private:
  std::vector<double> of_ones_;
};

class PlainSoftmax final : public PlainLoss {
 public:
  PlainSoftmax(double smoothing, std::vector<double> weights) : smoothing_(smoothing), weights_(std::move(weights)) {}

  [[nodiscard]] Formula formula(std::size_t outputs) const override {
    if (smoothing_ == 0) return {"C = -log p[t], p = softmax(a)", "dC/da[i] = p[i] - (1 where i = t, else 0)"};
    const std::string q = fmt::format("q[i] = {:.6g} / {} + ({:.6g} where i = t)", smoothing_, outputs, 1 - smoothing_);
    if (weights_.empty()) return {"C = -sum of q[i] log p[i], " + q, "dC/da[i] = p[i] - q[i], p = softmax(a)"};
    // Of one sample: with its class weight the loss is c[t] times this. Without smoothing they cancel.
    return {"C = -sum of v log p, v = q c / c[t], " + q,
            "dC/da[i] = p[i] (sum of v) - v[i], p = softmax(a), c the class weights"};
  }
  [[nodiscard]] double value(std::span<const double> a, const PlainTarget& target) const override {
    const double most = *std::max_element(a.begin(), a.end());
    double sum = 0;
    for (const double x : a) sum += std::exp(x - most);
    const double log_sum = most + std::log(sum);
    double cost = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double q = smoothing_ / static_cast<double>(a.size()) +
                       (i == static_cast<std::size_t>(target.label) ? 1 - smoothing_ : 0);
      cost += (weights_.empty() ? 1 : weights_[i]) * q * (log_sum - a[i]);
    }
    return cost;
  }

 private:
  double smoothing_;
  std::vector<double> weights_;  // [classes], or empty
};

std::unique_ptr<PlainLoss> plain_binary(const Options& options) {
  std::vector<double> of_ones;
  if (const auto found = options.values().find("pos_weight"); found != options.values().end()) {
    const bool is_list = std::holds_alternative<std::vector<double>>(found->second.get());
    of_ones = is_list ? options.numbers("pos_weight") : std::vector<double>{options.number("pos_weight")};
  }
  return std::make_unique<PlainBinary>(std::move(of_ones));
}

std::unique_ptr<PlainLoss> plain_softmax(const Options& options) {
  return std::make_unique<PlainSoftmax>(options.number("label_smoothing", 0.0),
                                        options.numbers("class_weights", std::vector<double>{}));
}

constexpr PlainLossType kPlainLosses[] = {
    {"mse", plain_mse},
    {"mae", plain_mae},
    {"huber", plain_huber},
    {"binary_cross_entropy", plain_binary},
    {"softmax_cross_entropy", plain_softmax},
};

}  // namespace

std::span<const PlainLossType> plain_loss_table() {
  return kPlainLosses;
}

std::unique_ptr<PlainLoss> make_plain_loss(const Component& config) {
  for (const PlainLossType& entry : kPlainLosses) {
    if (entry.name == config.type) return entry.make(config.options);
  }
  throw Error(ErrorKind::internal, fmt::format("explain knows no loss of type \"{}\"", config.type));
}

}  // namespace lockstep
