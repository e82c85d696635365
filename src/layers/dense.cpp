// dense: y = x W^T + b.  x [n,...,in], W [out,in], b [out], y [n,...,out].
#include <algorithm>
#include <cmath>

#include "core/sums.hpp"
#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using Start = ParameterSpec::Start;

// A rule for starting weights: how wide they are spread for `in` columns and `out` units.
struct Init {
  std::string_view name;
  Start start;
  double (*scale)(double in, double out);
};

// uniform is PyTorch's nn.Linear; xavier: Glorot and Bengio (2010); kaiming: He et al. (2015), fan-in, for relu.
// (Their names stand in the table of layers too.)
constexpr Init kInits[] = {
    {"uniform", Start::uniform, [](double in, double) { return 1.0 / std::sqrt(in); }},
    {"xavier_uniform", Start::uniform, [](double in, double out) { return std::sqrt(6.0 / (in + out)); }},
    {"xavier_normal", Start::normal, [](double in, double out) { return std::sqrt(2.0 / (in + out)); }},
    {"kaiming_uniform", Start::uniform, [](double in, double) { return std::sqrt(6.0 / in); }},
    {"kaiming_normal", Start::normal, [](double in, double) { return std::sqrt(2.0 / in); }},
    {"constant", Start::constant, nullptr},  // init_value
};

// Fills `rows` [n, row.size()] with `row`, by copies that double what is there.
void repeat(std::span<const float> row, std::span<float> rows) {
  if (rows.empty()) return;
  std::ranges::copy(row, rows.begin());
  for (std::size_t done = row.size(); done < rows.size();) {
    const std::size_t more = std::min(done, rows.size() - done);
    std::ranges::copy(rows.first(more), rows.subspan(done).begin());
    done += more;
  }
}

class Dense final : public Layer {
 public:
  Dense(std::size_t units, bool bias, const Init& init, double init_value)
      : units_(units), bias_(bias), init_(init), init_value_(init_value) {}

  // The last extent is mapped, alike for all positions before it.
  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const override {
    const Shape& input = only_input(inputs);
    std::vector<std::size_t> extents(input.extents().begin(), input.extents().end());
    extents.back() = units_;
    const Product product{.rows = input.size() / input.back(), .out = units_, .in = input.back()};
    return {.output = Shape(extents),
            .parameters = parameters(input.back()),
            .reads_output = false,
            .products = {product},
            .cost = cost_of(product)};
  }

  void forward(const PassContext& pass, const ForwardCall& call) const override {
    const auto weight = call.parameters[0];
    const std::span<float> y = call.y.values;
    // A product with beta = 0 sets y to zeros first; setting it to the bias costs no more.
    if (bias_) repeat(call.parameters[1], y);
    pass.compute->gemm({y.size() / units_, units_, weight.size() / units_}, Transpose::no, call.x[0].values,
                       Transpose::yes, weight, bias_ ? 1.0F : 0.0F, y);
  }

  // dW = dy^T x [out,in]; db = column sums of dy, in the order of the rows; dx = dy W [n,in]. No rows give zeros.
  void backward(const PassContext& pass, const BackwardCall& call) const override {
    const auto weight = call.parameters[0];
    const std::span<const float> dy = call.dy.values;
    const std::size_t rows = dy.size() / units_;
    const std::size_t inputs = weight.size() / units_;
    if (!pass.frozen) find_gradients(pass, call.x[0].values, dy, call.gradients);
    if (const std::span<float> dx = call.dx[0].values; !dx.empty())
      pass.compute->gemm({rows, inputs, units_}, Transpose::no, dy, Transpose::no, weight, 0.0F, dx);
  }

 private:
  [[nodiscard]] std::vector<ParameterSpec> parameters(std::size_t inputs) const {
    const double scale =
        init_.scale == nullptr ? init_value_ : init_.scale(static_cast<double>(inputs), static_cast<double>(units_));
    std::vector<ParameterSpec> specs{{"weight", {units_, inputs}, ParameterKind::weight, init_.start, scale}};
    if (bias_) {
      ParameterSpec bias{"bias", {units_}, ParameterKind::bias, Start::constant, 0};
      if (init_.name == "uniform") {
        bias.start = init_.start;
        bias.scale = scale;
      }
      specs.push_back(std::move(bias));
    }
    return specs;
  }

  // From the end of the arena to its beginning, and a large dW in two products: what is done is on its way to other
  // hosts while the rest is computed.
  void find_gradients(const PassContext& pass, std::span<const float> x, std::span<const float> dy,
                      ParameterViews<float> gradients) const {
    const std::size_t rows = dy.size() / units_;
    const std::size_t inputs = gradients[0].size() / units_;
    if (bias_) sum_rows(dy, gradients[1]);
    const std::size_t first = first_units();
    for (const auto [begin, end] : {Range{first, units_}, Range{0, first}}) {
      if (begin == end) continue;
      const auto dy_of = dy.empty() ? dy : dy.subspan(begin, dy.size() - (units_ - (end - begin)));
      pass.compute->gemm({end - begin, inputs, rows, units_}, Transpose::yes, dy_of, Transpose::no, x, 0.0F,
                         gradients[0].subspan(begin * inputs, (end - begin) * inputs));
      if (pass.gradient_done != nullptr) (*pass.gradient_done)(0, begin * inputs);
    }
  }

  // Of the units whose gradient is computed last: none, or about half. Two products of 256 rows and more cost no more
  // than one.
  [[nodiscard]] std::size_t first_units() const noexcept {
    constexpr std::size_t kSplitFrom = 512;
    constexpr std::size_t kStep = 64;
    return units_ < kSplitFrom ? 0 : units_ / 2 / kStep * kStep;
  }

  std::size_t units_;
  bool bias_;
  Init init_;
  double init_value_;
};

}  // namespace

std::unique_ptr<Layer> make_dense(const Options& options) {
  const auto units = static_cast<std::size_t>(options.integer("units"));
  const bool bias = options.boolean("bias");
  const Init& init = *std::ranges::find(kInits, options.text("init"), &Init::name);
  const bool constant = init.start == Start::constant;
  if (!constant && options.values().contains("init_value")) {
    throw Error(ErrorKind::config, options.where() + ".init_value: only init = \"constant\" takes it, found init = \"" +
                                       std::string(init.name) + "\"");
  }
  const double value = constant ? options.number("init_value") : 0.0;
  return std::make_unique<Dense>(units, bias, init, value);
}

}  // namespace lockstep
