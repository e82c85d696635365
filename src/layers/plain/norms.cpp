// The normalisations.
#include <cmath>
#include <memory>

#include "layers/plain_layer.hpp"
#include "lockstep/options.hpp"

namespace lockstep {
namespace {

struct MeanAndVariance {
  double mean = 0;
  double variance = 0;
};

// Of numbers 0 to count - 1, in two passes.
template <class Number>
MeanAndVariance mean_and_variance_of(std::size_t count, Number number) {
  MeanAndVariance moments;
  for (std::size_t i = 0; i < count; ++i) moments.mean += number(i) / static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double apart = number(i) - moments.mean;
    moments.variance += apart * apart / static_cast<double>(count);
  }
  return moments;
}

class PlainLayerNorm final : public PlainLayer {
 public:
  explicit PlainLayerNorm(double eps) : eps_(eps) {}
  [[nodiscard]] Formula formula() const override {
    return {"y = (x - mean) / sqrt(variance + eps) * w + b", "each number depends on all of its sample"};
  }
  [[nodiscard]] bool has_slopes() const override { return false; }
  void forward(const PlainPass& pass, PlainTensors tensors, PlainInputs x, std::span<double> y) const override {
    const std::size_t width = pass.shapes[0].back();
    for (std::size_t begin = 0; begin < y.size(); begin += width) {
      const MeanAndVariance moments = mean_and_variance_of(width, [&](std::size_t i) { return x[0][begin + i]; });
      for (std::size_t i = 0; i < width; ++i) {
        const double h = (x[0][begin + i] - moments.mean) / std::sqrt(moments.variance + eps_);
        y[begin + i] = h * (tensors.empty() ? 1 : tensors[0][i]) + (tensors.size() < 2 ? 0 : tensors[1][i]);
      }
    }
  }

 private:
  double eps_;
};

class PlainBatchNorm final : public PlainLayer {
 public:
  PlainBatchNorm(double eps, bool affine) : eps_(eps), affine_(affine) {}
  [[nodiscard]] Formula formula() const override {
    return {"y = (x - mean) / sqrt(variance + eps) * w + b", "each number depends on all of its channel in the batch"};
  }
  [[nodiscard]] bool has_slopes() const override { return false; }
  [[nodiscard]] bool mixes_samples() const override { return true; }
  void forward(const PlainPass& pass, PlainTensors tensors, PlainInputs x, std::span<double> y) const override {
    const PlainRows of_one{{x[0].begin(), x[0].end()}};
    PlainRows to{std::vector<double>(y.size())};
    forward_batch(pass, tensors, of_one, to);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = to[0][i];
  }
  void forward_batch(const PlainPass& pass, PlainTensors tensors, const PlainRows& x, PlainRows& y) const override {
    const std::size_t channels = pass.shapes[0][0];
    const std::size_t positions = pass.shapes[0].size() / channels;
    for (std::size_t channel = 0; channel < channels; ++channel) {
      const auto number = [&](std::size_t i) { return x[i / positions][channel * positions + i % positions]; };
      const MeanAndVariance moments = mean_and_variance_of(x.size() * positions, number);
      for (std::size_t i = 0; i < x.size() * positions; ++i) {
        const double h = (number(i) - moments.mean) / std::sqrt(moments.variance + eps_);
        y[i / positions][channel * positions + i % positions] =
            h * (affine_ ? tensors[0][channel] : 1) + (affine_ ? tensors[1][channel] : 0);
      }
    }
  }

 private:
  double eps_;
  bool affine_;
};

}  // namespace

std::unique_ptr<PlainLayer> plain_layer_norm(const Options& options) {
  return std::make_unique<PlainLayerNorm>(options.number("eps"));
}

std::unique_ptr<PlainLayer> plain_batch_norm(const Options& options) {
  return std::make_unique<PlainBatchNorm>(options.number("eps"), options.boolean("affine"));
}

}  // namespace lockstep
