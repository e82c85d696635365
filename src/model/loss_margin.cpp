// Losses of classes besides the cross entropies: hinge and multi_margin, which ask for a margin and give no
// probabilities; binary_focal and softmax_focal, which weigh by how wrong an answer is (Lin et al., 2017).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lockstep/error.hpp"
#include "model/class_weights.hpp"
#include "model/loss_targets.hpp"

namespace lockstep {
namespace {

// max(0, margin - s a), s from -1 for a target of 0 to 1 for a target of 1.
class Hinge final : public TargetLoss {
 public:
  explicit Hinge(double margin) : margin_(margin) {}
  [[nodiscard]] Task task() const override { return Task::binary; }
  [[nodiscard]] bool gives_probabilities() const override { return false; }

 private:
  [[nodiscard]] double evaluate_target(std::size_t /*index*/, std::span<const float> outputs, float target,
                                       std::span<float> doutputs) const override {
    const double sign = 2 * double{target} - 1;
    const double short_of = margin_ - sign * outputs[0];
    doutputs[0] = short_of <= 0 ? 0.0F : static_cast<float>(-sign);
    return short_of <= 0 ? 0 : short_of;  // NaN stays NaN
  }

  double margin_;
};

// As torchvision.ops.sigmoid_focal_loss: (1 - p_t)^gamma times the cross entropy, with alpha for ones and 1 - alpha for
// zeros unless alpha is negative; p_t = p t + (1 - p) (1 - t).
class BinaryFocal final : public TargetLoss {
 public:
  BinaryFocal(double gamma, double alpha) : gamma_(gamma), alpha_(alpha) {}
  [[nodiscard]] Task task() const override { return Task::binary; }

 private:
  [[nodiscard]] double evaluate_target(std::size_t /*index*/, std::span<const float> outputs, float target,
                                       std::span<float> doutputs) const override {
    const double x = outputs[0];
    const double t = target;
    const double p = 1 / (1 + std::exp(-x));
    const double entropy = std::max(x, 0.0) - x * t + std::log1p(std::exp(-std::abs(x)));
    const double wrong = p + t - 2 * p * t;  // 1 - p_t
    const double weight = alpha_ < 0 ? 1 : alpha_ * t + (1 - alpha_) * (1 - t);
    const double focus = std::pow(wrong, gamma_);
    const double slope_of_focus = gamma_ == 0 ? 0 : gamma_ * std::pow(wrong, gamma_ - 1) * (1 - 2 * t) * p * (1 - p);
    // Where an answer is all right in double, a power below 1 has no slope but an infinite one times nothing.
    const double of_focus = wrong > 0 || std::isnan(wrong) ? entropy * slope_of_focus : 0;
    doutputs[0] = static_cast<float>(weight * ((p - t) * focus + of_focus));
    return weight * focus * entropy;
  }

  double gamma_;
  double alpha_;
};

// Losses of labels that are computed row by row, in double.
class RowLoss : public Loss {
 public:
  RowLoss(std::vector<double> weights, std::string name) : weights_(std::move(weights)), name_(std::move(name)) {}
  [[nodiscard]] Task task() const override { return Task::classification; }
  [[nodiscard]] std::span<const double> class_weights() const override { return weights_; }
  void check_outputs(std::size_t outputs) const override {
    if (weights_.empty() || weights_.size() == outputs) return;
    throw Error(ErrorKind::config, fmt::format("{}: expected {} weights, one an output of the net, found {}", name_,
                                               outputs, weights_.size()));
  }

 private:
  // Without the class's weight.
  [[nodiscard]] virtual double evaluate_label(std::span<const float> x, std::size_t label,
                                              std::span<float> dx) const = 0;
  [[nodiscard]] double evaluate_rows(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                     std::span<float> doutputs) const final {
    const std::size_t rows = checked_rows(TargetKind::labels, width, outputs, targets, doutputs);
    check_outputs(width);
    double sum = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const auto label = static_cast<std::size_t>(targets.labels[row]);
      const auto slopes = doutputs.subspan(row * width, width);
      const double weight = weights_.empty() ? 1 : weights_[label];
      sum += weight * evaluate_label(outputs.subspan(row * width, width), label, slopes);
      for (float& slope : slopes) slope = static_cast<float>(weight * slope);
    }
    return sum;
  }

  std::vector<double> weights_;  // [classes], or empty
  std::string name_;             // of the weights, for messages
};

// PyTorch's MultiMarginLoss: the mean over the classes of max(0, margin - x_label + x_j)^p, j not the label.
class MultiMargin final : public RowLoss {
 public:
  MultiMargin(double margin, int power, std::vector<double> weights, std::string name)
      : RowLoss(std::move(weights), std::move(name)), margin_(margin), power_(power) {}
  [[nodiscard]] bool gives_probabilities() const override { return false; }

 private:
  [[nodiscard]] double evaluate_label(std::span<const float> x, std::size_t label, std::span<float> dx) const override {
    const auto classes = static_cast<double>(x.size());
    double sum = 0;
    double of_label = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      dx[j] = 0;
      const double short_of = margin_ - x[label] + x[j];
      if (j == label || short_of <= 0) continue;
      const double slope = (power_ == 1 ? 1 : 2 * short_of) / classes;
      sum += (power_ == 1 ? short_of : short_of * short_of) / classes;
      dx[j] = static_cast<float>(slope);
      of_label -= slope;
    }
    dx[label] = static_cast<float>(of_label);
    return sum;
  }

  double margin_;
  int power_;
};

// (1 - p)^gamma (-log p), p the softmax of the label.
class SoftmaxFocal final : public RowLoss {
 public:
  SoftmaxFocal(double gamma, std::vector<double> weights, std::string name)
      : RowLoss(std::move(weights), std::move(name)), gamma_(gamma) {}

 private:
  [[nodiscard]] double evaluate_label(std::span<const float> x, std::size_t label, std::span<float> dx) const override {
    double most = x[0];
    for (const float value : x) most = std::max(most, double{value});
    double sum = 0;
    double others = 0;  // without the label: 1 - p would lose digits
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double part = std::exp(double{x[j]} - most);
      sum += part;
      if (j != label) others += part;
    }
    const double log_p = x[label] - most - std::log(sum);
    const double p = std::exp(log_p);
    const double wrong = others / sum;
    const double focus = std::pow(wrong, gamma_);
    const double of_focus = gamma_ == 0 || wrong == 0 ? 0 : gamma_ * p * std::pow(wrong, gamma_ - 1) * log_p;
    const double slope = of_focus - focus;  // by log p
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double share = std::exp(double{x[j]} - most) / sum;
      dx[j] = static_cast<float>(slope * (j == label ? wrong : -share));
    }
    return -focus * log_p;
  }

  double gamma_;
};

}  // namespace

std::unique_ptr<Loss> make_hinge(const Options& options) {
  return std::make_unique<Hinge>(options.number("margin"));
}

std::unique_ptr<Loss> make_multi_margin(const Options& options) {
  return std::make_unique<MultiMargin>(options.number("margin"), static_cast<int>(options.integer("p")),
                                       given_class_weights(options), options.where() + ".class_weights");
}

std::unique_ptr<Loss> make_binary_focal(const Options& options) {
  return std::make_unique<BinaryFocal>(options.number("gamma"), options.number("alpha"));
}

std::unique_ptr<Loss> make_softmax_focal(const Options& options) {
  return std::make_unique<SoftmaxFocal>(options.number("gamma"), given_class_weights(options),
                                        options.where() + ".class_weights");
}

}  // namespace lockstep
