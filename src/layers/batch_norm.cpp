// batch_norm (Ioffe and Szegedy, 2015): y = (x - mean) / sqrt(variance + eps) * weight + bias, a mean and a variance
// for each channel: the first extent of a sample, over all its other numbers.
//
// In training they are those of the whole batch, in whatever shards it comes: as of one device. Each shard brings its
// count, sum and sum of squares in double, which are added in the fixed tree. Otherwise, and where the layer is frozen,
// they are the running ones: r = (1 - momentum) r + momentum m after each step, of the variance over n - 1.
//
// With h = (x - mean) s, s = 1 / sqrt(variance + eps), over the n numbers of a channel in the batch:
// dx = weight s (dy - (sum of dy) / n - h (sum of dy h) / n). The running ones are constants: dx = weight s dy.
#include <algorithm>
#include <array>
#include <cmath>

#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"

namespace lockstep {
namespace {

// Channels that are worked on together, so that what belongs to them lies on the stack.
constexpr std::size_t kChunk = 256;

struct MeanAndScale {
  double mean = 0;
  double scale = 0;  // 1 / sqrt(variance + eps)
};

// How the numbers of a tensor lie: [rows, channels, positions].
struct Extents {
  explicit Extents(const Shape& shape) : channels(shape[0]), positions(shape.size() / shape[0]) {}
  std::size_t channels;
  std::size_t positions;
};

// Calls `use(channel, i)` for the numbers of channels [begin, end), i their index: row by row, so that those of a
// channel come in the order of the rows.
template <class Use>
void each_number(const Extents& extents, std::size_t rows, Range channels, Use use) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t channel = channels.begin; channel < channels.end; ++channel) {
      const std::size_t begin = (row * extents.channels + channel) * extents.positions;
      for (std::size_t i = begin; i < begin + extents.positions; ++i) use(channel, i);
    }
  }
}

template <class Use>
void each_chunk(std::size_t channels, Use use) {
  for (std::size_t begin = 0; begin < channels; begin += kChunk) use(Range{begin, std::min(begin + kChunk, channels)});
}

class BatchNorm final : public Layer {
 public:
  BatchNorm(double eps, double momentum, bool affine) : eps_(eps), momentum_(momentum), affine_(affine) {}

  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const override {
    const Shape& input = only_input(inputs);
    const std::size_t channels = input[0];
    using Start = ParameterSpec::Start;
    LayerPlan plan{.output = input, .reads_output = false, .shard_sums = 1 + 2 * channels};
    if (affine_) {
      plan.parameters = {{"weight", {channels}, ParameterKind::norm, Start::constant, 1},
                         {"bias", {channels}, ParameterKind::bias, Start::constant, 0}};
    }
    plan.parameters.push_back({"running_mean", {channels}, ParameterKind::running, Start::constant, 0});
    plan.parameters.push_back({"running_var", {channels}, ParameterKind::running, Start::constant, 1});
    return plan;
  }

  void forward_sums(const PassContext& /*pass*/, const ForwardCall& call) const override {
    const Tensor<const float>& x = call.x[0];
    const Extents extents(x.shape);
    const std::span<double> sums = call.sums.forward;
    std::ranges::fill(sums, 0.0);
    sums[0] = static_cast<double>(x.rows * extents.positions);
    double* sum = sums.data() + 1;
    double* squares = sum + extents.channels;
    each_number(extents, x.rows, {0, extents.channels}, [&](std::size_t channel, std::size_t i) {
      const double value = x.values[i];
      sum[channel] += value;
      squares[channel] += value * value;
    });
  }

  void forward(const PassContext& pass, const ForwardCall& call) const override {
    const Tensor<const float>& x = call.x[0];
    const Extents extents(x.shape);
    each_chunk(extents.channels, [&](Range channels) {
      std::array<float, kChunk> means;
      std::array<float, kChunk> scales;
      std::array<float, kChunk> biases;
      for (std::size_t channel = channels.begin; channel < channels.end; ++channel) {
        const MeanAndScale moments = mean_and_scale_of(pass, call.sums, call.parameters, channel, extents.channels);
        const std::size_t at = channel - channels.begin;
        means[at] = static_cast<float>(moments.mean);
        scales[at] = static_cast<float>(moments.scale * weight(call.parameters, channel));
        biases[at] = affine_ ? call.parameters[1][channel] : 0.0F;
      }
      each_number(extents, x.rows, channels, [&](std::size_t channel, std::size_t i) {
        const std::size_t at = channel - channels.begin;
        call.y.values[i] = (x.values[i] - means[at]) * scales[at] + biases[at];
      });
    });
  }

  void backward_sums(const PassContext& pass, const BackwardCall& call) const override {
    const std::size_t all = call.dy.shape[0];
    each_chunk(all, [&](Range channels) {
      const std::size_t size = channels.size();
      add_products(pass, call, channels, call.sums.backward.subspan(channels.begin, size),
                   call.sums.backward.subspan(all + channels.begin, size));
    });
  }

  void backward(const PassContext& pass, const BackwardCall& call) const override {
    const bool by_batch = uses_batch(pass);
    const Extents extents(call.dy.shape);
    if (!by_batch && !pass.frozen) {
      each_chunk(extents.channels, [&](Range channels) {
        std::array<double, kChunk> sums;
        std::array<double, kChunk> products;
        add_products(pass, call, channels, std::span(sums).first(channels.size()),
                     std::span(products).first(channels.size()));
      });
    }
    if (call.dx[0].values.empty()) return;
    const double count = by_batch ? call.sums.forward[0] : 1;
    each_chunk(extents.channels, [&](Range channels) {
      std::array<float, kChunk> means;
      std::array<float, kChunk> scales;
      std::array<float, kChunk> of_sum{};      // (sum of dy) / n
      std::array<float, kChunk> of_product{};  // s (sum of dy h) / n
      for (std::size_t channel = channels.begin; channel < channels.end; ++channel) {
        const MeanAndScale moments = mean_and_scale_of(pass, call.sums, call.parameters, channel, extents.channels);
        const std::size_t at = channel - channels.begin;
        means[at] = static_cast<float>(moments.mean);
        scales[at] = static_cast<float>(moments.scale * weight(call.parameters, channel));
        if (!by_batch) continue;
        of_sum[at] = static_cast<float>(call.sums.backward[channel] / count);
        of_product[at] = static_cast<float>(moments.scale * call.sums.backward[extents.channels + channel] / count);
      }
      each_number(extents, call.dy.rows, channels, [&](std::size_t channel, std::size_t i) {
        const std::size_t at = channel - channels.begin;
        const float dy = call.dy.values[i];
        const float centred = by_batch ? call.x[0].values[i] - means[at] : 0.0F;
        call.dx[0].values[i] = scales[at] * (dy - of_sum[at] - centred * of_product[at]);
      });
    });
  }

  void update_running(std::size_t tensor, std::span<const double> sums, Range elements,
                      std::span<float> values) const override {
    const std::size_t channels = (sums.size() - 1) / 2;
    const bool of_variance = tensor == first_running() + 1;
    const double count = sums[0];
    if (of_variance && count < 2) return;  // one number has no variance over n - 1
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t channel = elements.begin + i;
      const double mean = sums[1 + channel] / count;
      const double now =
          of_variance ? variance_of(sums[1 + channels + channel] / count, mean) * count / (count - 1) : mean;
      values[i] = static_cast<float>((1 - momentum_) * values[i] + momentum_ * now);
    }
  }

 private:
  [[nodiscard]] static bool uses_batch(const PassContext& pass) { return pass.training && !pass.frozen; }
  [[nodiscard]] std::size_t first_running() const { return affine_ ? 2 : 0; }
  static double variance_of(double mean_of_squares, double mean) {
    return std::max(mean_of_squares - mean * mean, 0.0);
  }

  // Sums of dy and of dy h over the rows, for channels `channels` [their number], and the gradients that they are.
  void add_products(const PassContext& pass, const BackwardCall& call, Range channels, std::span<double> sums,
                    std::span<double> products) const {
    const Extents extents(call.dy.shape);
    std::array<MeanAndScale, kChunk> moments;
    for (std::size_t channel = channels.begin; channel < channels.end; ++channel) {
      moments[channel - channels.begin] =
          mean_and_scale_of(pass, call.sums, call.parameters, channel, extents.channels);
    }
    std::ranges::fill(sums, 0.0);
    std::ranges::fill(products, 0.0);
    each_number(extents, call.dy.rows, channels, [&](std::size_t channel, std::size_t i) {
      const std::size_t at = channel - channels.begin;
      const double dy = call.dy.values[i];
      sums[at] += dy;
      products[at] += dy * ((call.x[0].values[i] - moments[at].mean) * moments[at].scale);
    });
    for (std::size_t channel = channels.begin; channel < channels.end; ++channel) {
      const std::size_t at = channel - channels.begin;
      if (affine_) call.gradients[0][channel] = static_cast<float>(products[at]);
      if (affine_) call.gradients[1][channel] = static_cast<float>(sums[at]);
      // What is running has no gradient; the exchange adds up numbers all the same.
      call.gradients[first_running()][channel] = 0;
      call.gradients[first_running() + 1][channel] = 0;
    }
  }

  [[nodiscard]] double weight(const ParameterViews<const float>& parameters, std::size_t channel) const {
    return affine_ ? parameters[0][channel] : 1.0F;
  }

  [[nodiscard]] MeanAndScale mean_and_scale_of(const PassContext& pass, const BatchSums& sums,
                                               const ParameterViews<const float>& parameters, std::size_t channel,
                                               std::size_t channels) const {
    if (uses_batch(pass)) {
      const double count = sums.forward[0];
      const double mean = sums.forward[1 + channel] / count;
      const double squares = sums.forward[1 + channels + channel] / count;
      return {.mean = mean, .scale = 1 / std::sqrt(variance_of(squares, mean) + eps_)};
    }
    return {.mean = parameters[first_running()][channel],
            .scale = 1 / std::sqrt(double{parameters[first_running() + 1][channel]} + eps_)};
  }

  double eps_;
  double momentum_;
  bool affine_;
};

}  // namespace

std::unique_ptr<Layer> make_batch_norm(const Options& options) {
  return std::make_unique<BatchNorm>(options.number("eps"), options.number("momentum"), options.boolean("affine"));
}

}  // namespace lockstep
