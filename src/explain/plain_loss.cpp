// The one list of plain losses.
#include "explain/plain_loss.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "lockstep/error.hpp"
#include "model/loss.hpp"

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

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

// The mean over the targets of a function of the outputs for one of them.
class PlainTargets final : public PlainLoss {
 public:
  using Cost = std::function<double(std::span<const double> a, double t)>;
  using Sides = std::function<void(std::span<const double> a, double t, std::vector<bool>&)>;

  PlainTargets(std::size_t each, Formula formula, Cost cost, Sides sides = {})
      : each_(each), formula_(std::move(formula)), cost_(std::move(cost)), sides_(std::move(sides)) {}

  [[nodiscard]] Formula formula(std::size_t outputs) const override {
    return {"C = " + mean_of(outputs / each_) + formula_.value, "dC/da = " + formula_.slope + share(outputs / each_)};
  }
  [[nodiscard]] double value(std::span<const double> a, const PlainTarget& target) const override {
    double sum = 0;
    for (std::size_t i = 0; i < target.values.size(); ++i) {
      if (!std::isnan(target.values[i])) sum += cost_(a.subspan(i * each_, each_), target.values[i]);
    }
    return sum / static_cast<double>(target.values.size());
  }
  void add_sides(std::span<const double> a, const PlainTarget& target, std::vector<bool>& sides) const override {
    for (std::size_t i = 0; sides_ && i < target.values.size(); ++i) {
      if (!std::isnan(target.values[i])) sides_(a.subspan(i * each_, each_), target.values[i], sides);
    }
  }

 private:
  std::size_t each_;
  Formula formula_;
  Cost cost_;
  Sides sides_;
};

std::unique_ptr<PlainLoss> plain_gaussian(const Options& options) {
  const double eps = options.number("eps", kVarianceEps);
  const double constant = options.boolean("full", false) ? std::log(2 * std::numbers::pi) / 2 : 0;
  const auto variance = [eps](double s) { return std::max(std::log1p(std::exp(s)), eps); };
  return std::make_unique<PlainTargets>(
      2,
      Formula{"(log v + (m - t)^2 / v) / 2, m = a[0], v = log(1 + exp(a[1]))",
              "(m - t) / v; (1/v - (m - t)^2 / v^2) / 2 * 1 / (1 + exp(-a[1]))"},
      [variance, constant](std::span<const double> a, double t) {
        const double v = variance(a[1]);
        return (std::log(v) + (a[0] - t) * (a[0] - t) / v) / 2 + constant;
      },
      [eps](std::span<const double> a, double, std::vector<bool>& sides) {
        sides.push_back(std::log1p(std::exp(a[1])) < eps);
      });
}

std::unique_ptr<PlainLoss> plain_quantile(const Options& options) {
  const std::vector<double> quantiles = options.numbers("quantiles", std::vector<double>{0.1, 0.5, 0.9});
  return std::make_unique<PlainTargets>(
      quantiles.size(),
      Formula{"max(q (t - a), (q - 1) (t - a)), q the quantiles",
              fmt::format("(-q where t > a, else 1 - q) / {}", quantiles.size())},
      [quantiles](std::span<const double> a, double t) {
        double sum = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
          sum += std::max(quantiles[i] * (t - a[i]), (quantiles[i] - 1) * (t - a[i]));
        }
        return sum / static_cast<double>(a.size());
      },
      [](std::span<const double> a, double t, std::vector<bool>& sides) {
        for (const double of_quantile : a) sides.push_back(t >= of_quantile);
      });
}

std::unique_ptr<PlainLoss> plain_poisson(const Options& options) {
  const bool full = options.boolean("full", false);
  const double eps = options.number("eps", 1e-8);
  const auto constant = [full](double t) {
    return full && t > 1 ? t * std::log(t) - t + std::log(2 * std::numbers::pi * t) / 2 : 0;
  };
  if (options.boolean("log_input", true)) {
    return std::make_unique<PlainTargets>(
        1, Formula{"exp(a) - t a", "exp(a) - t"},
        [constant](std::span<const double> a, double t) { return std::exp(a[0]) - t * a[0] + constant(t); });
  }
  return std::make_unique<PlainTargets>(
      1, Formula{"a - t log(a + eps)", "1 - t / (a + eps)"},
      [constant, eps](std::span<const double> a, double t) { return a[0] - t * std::log(a[0] + eps) + constant(t); });
}

std::unique_ptr<PlainLoss> plain_hinge(const Options& options) {
  const double margin = options.number("margin", 1.0);
  const auto short_of = [margin](double a, double t) { return margin - (2 * t - 1) * a; };
  return std::make_unique<PlainTargets>(
      1, Formula{fmt::format("max(0, {:.6g} - (2 t - 1) a)", margin), "1 - 2 t where C > 0, else 0"},
      [short_of](std::span<const double> a, double t) { return std::max(0.0, short_of(a[0], t)); },
      [short_of](std::span<const double> a, double t, std::vector<bool>& sides) {
        sides.push_back(short_of(a[0], t) > 0);
      });
}

std::unique_ptr<PlainLoss> plain_binary_focal(const Options& options) {
  const double gamma = options.number("gamma", 2.0);
  const double alpha = options.number("alpha", 0.25);
  return std::make_unique<PlainTargets>(
      1,
      Formula{fmt::format("-w q^{:.6g} log(1 - q), q = |t - s|, s = 1 / (1 + exp(-a))", gamma),
              "w (q^g (s - t) - g q^(g-1) log(1 - q) (1 - 2 t) s (1 - s))"},
      [gamma, alpha](std::span<const double> a, double t) {
        const double s = sigmoid(a[0]);
        const double right = s * t + (1 - s) * (1 - t);
        const double entropy = -t * std::log(s) - (1 - t) * std::log(sigmoid(-a[0]));
        return (alpha < 0 ? 1 : alpha * t + (1 - alpha) * (1 - t)) * std::pow(1 - right, gamma) * entropy;
      });
}

// Of classes: a function of the outputs and the label.
class PlainLabels final : public PlainLoss {
 public:
  using Cost = std::function<double(std::span<const double> a, std::size_t label)>;
  using Sides = std::function<void(std::span<const double> a, std::size_t label, std::vector<bool>&)>;
  PlainLabels(Formula formula, std::vector<double> weights, Cost cost, Sides sides = {})
      : formula_(std::move(formula)), weights_(std::move(weights)), cost_(std::move(cost)), sides_(std::move(sides)) {}

  [[nodiscard]] Formula formula(std::size_t /*outputs*/) const override { return formula_; }
  [[nodiscard]] double value(std::span<const double> a, const PlainTarget& target) const override {
    const auto label = static_cast<std::size_t>(target.label);
    return (weights_.empty() ? 1 : weights_[label]) * cost_(a, label);
  }
  void add_sides(std::span<const double> a, const PlainTarget& target, std::vector<bool>& sides) const override {
    if (sides_) sides_(a, static_cast<std::size_t>(target.label), sides);
  }

 private:
  Formula formula_;
  std::vector<double> weights_;  // [classes], or empty
  Cost cost_;
  Sides sides_;
};

std::unique_ptr<PlainLoss> plain_softmax_focal(const Options& options) {
  const double gamma = options.number("gamma", 2.0);
  return std::make_unique<PlainLabels>(
      Formula{fmt::format("C = -(1 - p[t])^{:.6g} log p[t], p = softmax(a)", gamma),
              "dC/da[i] = (g p q^(g-1) log p - q^g) ((1 where i = t) - p[i]), q = 1 - p[t]"},
      options.numbers("class_weights", std::vector<double>{}), [gamma](std::span<const double> a, std::size_t label) {
        const double most = *std::max_element(a.begin(), a.end());
        double sum = 0;
        for (const double x : a) sum += std::exp(x - most);
        const double p = std::exp(a[label] - most) / sum;
        return -std::pow(1 - p, gamma) * (a[label] - most - std::log(sum));
      });
}

std::unique_ptr<PlainLoss> plain_multi_margin(const Options& options) {
  const double margin = options.number("margin", 1.0);
  const auto power = static_cast<double>(options.integer_in("p", 1, 2, 1));
  return std::make_unique<PlainLabels>(
      Formula{fmt::format("C = mean of max(0, {:.6g} - a[t] + a[i])^{}, 0 where i = t", margin, power),
              "dC/da[i] = the slope of that; dC/da[t] = -sum of the others"},
      options.numbers("class_weights", std::vector<double>{}),
      [margin, power](std::span<const double> a, std::size_t label) {
        double sum = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
          if (i != label) sum += std::pow(std::max(0.0, margin - a[label] + a[i]), power);
        }
        return sum / static_cast<double>(a.size());
      },
      [margin](std::span<const double> a, std::size_t label, std::vector<bool>& sides) {
        for (const double x : a) sides.push_back(margin - a[label] + x > 0);
      });
}

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
    {"gaussian_nll", plain_gaussian},
    {"quantile", plain_quantile},
    {"poisson_nll", plain_poisson},
    {"binary_cross_entropy", plain_binary},
    {"binary_focal", plain_binary_focal},
    {"hinge", plain_hinge},
    {"softmax_cross_entropy", plain_softmax},
    {"softmax_focal", plain_softmax_focal},
    {"multi_margin", plain_multi_margin},
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
