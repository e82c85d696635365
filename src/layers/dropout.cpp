// dropout: when training, drops each number with probability `rate` and scales the others by 1 / (1 - rate).
// Column j of sample s is kept when word j of stream (dropout, layer, step, s) is at least rate * 2^32: the mask
// depends on no rank and no row number, and backward draws it again instead of keeping it.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/vector_random.hpp"
#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

class Dropout final : public Layer {
 public:
  explicit Dropout(double rate)
      : threshold_(static_cast<std::uint32_t>(
            std::min(std::ceil(rate * 0x1p32), double{std::numeric_limits<std::uint32_t>::max()}))),
        scale_(static_cast<float>(1.0 / (1.0 - rate))) {}

  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const override {
    return {.output = only_input(inputs), .reads_input = false, .reads_output = false, .in_place = true};
  }

  void forward(const PassContext& pass, const ForwardCall& call) const override {
    mask(pass, call.x[0].values, call.y.values);
  }

  void backward(const PassContext& pass, const BackwardCall& call) const override {
    if (!call.dx[0].values.empty()) mask(pass, call.dy.values, call.dx[0].values);
  }

 private:
  // out = in * mask / (1 - rate); in, out [n, width].
  void mask(const PassContext& pass, std::span<const float> in, std::span<float> out) const {
    if (!pass.training || threshold_ == 0) {
      std::copy(in.begin(), in.end(), out.begin());
      return;
    }
    if (out.empty()) return;
    const std::size_t rows = pass.samples.size();
    if (rows == 0 || out.size() % rows != 0) {
      throw Error(ErrorKind::usage, "dropout: expected the sample index of every row, found " + std::to_string(rows) +
                                        " indices for " + std::to_string(out.size()) + " numbers");
    }
    const std::size_t width = out.size() / rows;
    for (std::size_t row = 0; row < rows; ++row) {
      const RandomKey key{pass.seed, RandomPurpose::dropout, pass.layer, pass.step, pass.samples[row]};
      mask_row(key, in.subspan(row * width, width), out.subspan(row * width, width));
    }
  }

  void mask_row(const RandomKey& key, std::span<const float> in, std::span<float> out) const {
    constexpr std::size_t chunk = 512;
    std::array<std::uint32_t, chunk> words;
    const std::uint32_t threshold = threshold_;
    const float scale = scale_;
    for (std::size_t begin = 0; begin < out.size(); begin += chunk) {
      const std::size_t size = std::min(chunk, out.size() - begin);
      vector_random_words(key, static_cast<std::uint32_t>(begin / 4), std::span(words).first(size));
      for (std::size_t i = 0; i < size; ++i) {
        const std::uint32_t word = words[i];
        out[begin + i] = in[begin + i] * scale;
        if (word < threshold) out[begin + i] = 0.0F;  // not a product with 0: a dropped infinity or NaN is 0
      }
    }
  }

  std::uint32_t threshold_;
  float scale_;
};

}  // namespace

std::unique_ptr<Layer> make_dropout(const Options& options) {
  return std::make_unique<Dropout>(options.number("rate"));
}

}  // namespace lockstep
