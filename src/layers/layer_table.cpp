#include "layers/layer_table.hpp"

#include <fmt/format.h>

#include <numbers>

#include "lockstep/error.hpp"

namespace lockstep {

// Each is defined in the layer's file and its plain file.
#define LOCKSTEP_LAYER(name)                                  \
  std::unique_ptr<Layer> make_##name(const Options& options); \
  std::unique_ptr<PlainLayer> plain_##name(const Options& options)
LOCKSTEP_LAYER(dense);
LOCKSTEP_LAYER(relu);
LOCKSTEP_LAYER(leaky_relu);
LOCKSTEP_LAYER(gelu);
LOCKSTEP_LAYER(tanh);
LOCKSTEP_LAYER(sigmoid);
LOCKSTEP_LAYER(elu);
LOCKSTEP_LAYER(selu);
LOCKSTEP_LAYER(silu);
LOCKSTEP_LAYER(mish);
LOCKSTEP_LAYER(softplus);
LOCKSTEP_LAYER(softsign);
LOCKSTEP_LAYER(hard_sigmoid);
LOCKSTEP_LAYER(softmax);
LOCKSTEP_LAYER(dropout);
#undef LOCKSTEP_LAYER

namespace {

using enum OptionType;

constexpr double kMostUnits = std::numeric_limits<int>::max();  // BLAS counts in int
constexpr double kMostSlope = 1e6;                              // any that makes sense; keeps the float finite
constexpr double kMostFloat = std::numeric_limits<float>::max();

// A node of one input.
template <const char* type>
std::string one_node(OnnxNodes& nodes, const Options& /*options*/, const std::string& x) {
  return nodes.node(type, {x});
}
constexpr char kRelu[] = "Relu";
constexpr char kTanh[] = "Tanh";
constexpr char kSigmoid[] = "Sigmoid";

// y = x W^T + b.  W [out,in] is a Gemm's B, transposed.
std::string onnx_dense(OnnxNodes& nodes, const Options& /*options*/, const std::string& x) {
  std::vector<std::string> inputs = nodes.tensors();
  inputs.insert(inputs.begin(), x);
  return nodes.node("Gemm", std::move(inputs), {{"transB", std::int64_t{1}}});
}

// A later opset has a Gelu; these are known to every runtime. Formulas: layers/gelu.cpp.
std::string onnx_gelu(OnnxNodes& nodes, const Options& options, const std::string& x) {
  constexpr float kSqrt2 = std::numbers::sqrt2_v<float>;
  std::string phi;  // 2 Phi(x) - 1
  if (options.text("approximate") == "tanh") {
    const std::string cube = nodes.node("Mul", {nodes.node("Mul", {x, x}), x});
    const std::string sum = nodes.node("Add", {x, nodes.node("Mul", {cube, nodes.scalar(0.044715F)})});
    phi = nodes.node("Tanh", {nodes.node("Mul", {sum, nodes.scalar(kSqrt2 * std::numbers::inv_sqrtpi_v<float>)})});
  } else {
    phi = nodes.node("Erf", {nodes.node("Mul", {x, nodes.scalar(1.0F / kSqrt2)})});
  }
  const std::string twice = nodes.node("Add", {phi, nodes.scalar(1.0F)});
  return nodes.node("Mul", {nodes.node("Mul", {x, nodes.scalar(0.5F)}), twice});
}

std::vector<LayerType> make_table() {
  return {
      {.info = {"dense",
                "y = W x + b",
                {{.name = "units",
                  .type = integer,
                  .what = "width of the output",
                  .needed = true,
                  .low = 1,
                  .high = kMostUnits},
                 {.name = "bias", .type = boolean, .what = "adds a bias", .fallback = true},
                 {.name = "init",
                  .type = text,
                  .what = "starting weights: `uniform` is ±1/sqrt(inputs), the bias too; else the bias is 0; `kaiming` "
                          "goes by fan-in, for relu",
                  .fallback = "uniform",
                  .choices = {"uniform", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal",
                              "constant"}},
                 {.name = "init_value",
                  .what = "every starting weight; with `init = \"constant\"`, which needs it",
                  .low = -kMostFloat,
                  .high = kMostFloat}}},
       .make = make_dense,
       .plain = plain_dense,
       .onnx = onnx_dense,
       .torch =
           [](LayerSizes sizes, const Options& options) {
             return TorchModule{"Linear",
                                {{"in_features", static_cast<std::int64_t>(sizes.inputs)},
                                 {"out_features", static_cast<std::int64_t>(sizes.outputs)},
                                 {"bias", options.boolean("bias")}}};
           },
       .examples = {{{"units", 4}}, {{"units", 4}, {"bias", false}}}},
      {.info = {"relu", "max(x, 0)"},
       .activation = true,
       .make = make_relu,
       .plain = plain_relu,
       .onnx = one_node<kRelu>,
       .torch = [](LayerSizes, const Options&) { return TorchModule{"ReLU"}; }},
      {.info = {"leaky_relu",
                "x where x > 0, else negative_slope x",
                {{.name = "negative_slope",
                  .what = "slope below 0",
                  .fallback = 0.01,
                  .low = -kMostSlope,
                  .high = kMostSlope}}},
       .activation = true,
       .make = make_leaky_relu,
       .plain = plain_leaky_relu,
       .onnx =
           [](OnnxNodes& nodes, const Options& options, const std::string& x) {
             return nodes.node("LeakyRelu", {x}, {{"alpha", static_cast<float>(options.number("negative_slope"))}});
           },
       .torch =
           [](LayerSizes, const Options& options) {
             return TorchModule{"LeakyReLU", {{"negative_slope", options.number("negative_slope")}}};
           },
       .examples = {{}, {{"negative_slope", 0.3}}}},
      {.info = {"gelu",
                "x Phi(x), Phi the normal distribution",
                {{.name = "approximate",
                  .type = text,
                  .what = "`none`: by erf; `tanh`: by the formula with it",
                  .fallback = "none",
                  .choices = {"none", "tanh"}}}},
       .activation = true,
       .make = make_gelu,
       .plain = plain_gelu,
       .onnx = onnx_gelu,
       .torch =
           [](LayerSizes, const Options& options) {
             return TorchModule{"GELU", {{"approximate", options.text("approximate")}}};
           },
       .examples = {{}, {{"approximate", "tanh"}}}},
      {.info = {"tanh", "tanh(x)"},
       .activation = true,
       .make = make_tanh,
       .plain = plain_tanh,
       .onnx = one_node<kTanh>,
       .torch = [](LayerSizes, const Options&) { return TorchModule{"Tanh"}; }},
      {.info = {"sigmoid", "1 / (1 + exp(-x))"},
       .activation = true,
       .make = make_sigmoid,
       .plain = plain_sigmoid,
       .onnx = one_node<kSigmoid>,
       .torch = [](LayerSizes, const Options&) { return TorchModule{"Sigmoid"}; }},
      {.info = {"elu",
                "x where x > 0, else alpha (exp(x) - 1)",
                {{.name = "alpha",
                  .what = "what it tends to below 0, negated",
                  .fallback = 1.0,
                  .low = 0,
                  .high = kMostSlope}}},
       .activation = true,
       .make = make_elu,
       .plain = plain_elu,
       .onnx =
           [](OnnxNodes& nodes, const Options& options, const std::string& x) {
             return nodes.node("Elu", {x}, {{"alpha", static_cast<float>(options.number("alpha"))}});
           },
       .torch =
           [](LayerSizes, const Options& options) {
             return TorchModule{"ELU", {{"alpha", options.number("alpha")}}};
           },
       .examples = {{}, {{"alpha", 0.4}}}},
      {.info = {"selu", "1.0507 x where x > 0, else 1.0507 * 1.6733 (exp(x) - 1)"},
       .activation = true,
       .make = make_selu,
       .plain = plain_selu,
       .onnx = [](OnnxNodes& nodes, const Options&, const std::string& x) { return nodes.node("Selu", {x}); },
       .torch = [](LayerSizes, const Options&) { return TorchModule{"SELU"}; }},
      {.info = {"silu", "x / (1 + exp(-x))"},
       .activation = true,
       .make = make_silu,
       .plain = plain_silu,
       .onnx =
           [](OnnxNodes& nodes, const Options&, const std::string& x) {
             return nodes.node("Mul", {x, nodes.node("Sigmoid", {x})});
           },
       .torch = [](LayerSizes, const Options&) { return TorchModule{"SiLU"}; }},
      {.info = {"mish", "x tanh(log(1 + exp(x)))"},
       .activation = true,
       .make = make_mish,
       .plain = plain_mish,
       .onnx =
           [](OnnxNodes& nodes, const Options&, const std::string& x) {
             return nodes.node("Mul", {x, nodes.node("Tanh", {nodes.node("Softplus", {x})})});
           },
       .torch = [](LayerSizes, const Options&) { return TorchModule{"Mish"}; }},
      {.info = {"softplus",
                "log(1 + exp(beta x)) / beta",
                {{.name = "beta", .what = "how sharply it bends", .fallback = 1.0, .low = 1e-3, .high = 1e3},
                 {.name = "threshold",
                  .what = "beta x above which it is x itself",
                  .fallback = 20.0,
                  .low = 0,
                  .high = 80}}},
       .activation = true,
       .make = make_softplus,
       .plain = plain_softplus,
       .onnx =
           [](OnnxNodes& nodes, const Options& options, const std::string& x) {
             const auto beta = static_cast<float>(options.number("beta"));
             if (beta == 1) return nodes.node("Softplus", {x});
             const std::string scale = nodes.scalar(beta);
             return nodes.node("Div", {nodes.node("Softplus", {nodes.node("Mul", {x, scale})}), scale});
           },
       .torch =
           [](LayerSizes, const Options& options) {
             return TorchModule{"Softplus",
                                {{"beta", options.number("beta")}, {"threshold", options.number("threshold")}}};
           },
       .examples = {{}, {{"beta", 2.5}, {"threshold", 30}}}},
      {.info = {"softsign", "x / (1 + |x|)"},
       .activation = true,
       .make = make_softsign,
       .plain = plain_softsign,
       .onnx = [](OnnxNodes& nodes, const Options&, const std::string& x) { return nodes.node("Softsign", {x}); },
       .torch = [](LayerSizes, const Options&) { return TorchModule{"Softsign"}; }},
      {.info = {"hard_sigmoid", "x / 6 + 1/2, from 0 to 1"},
       .activation = true,
       .make = make_hard_sigmoid,
       .plain = plain_hard_sigmoid,
       .onnx =
           [](OnnxNodes& nodes, const Options&, const std::string& x) {
             return nodes.node("HardSigmoid", {x}, {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}});
           },
       .torch = [](LayerSizes, const Options&) { return TorchModule{"Hardsigmoid"}; }},
      {.info = {"softmax", "exp(x) / sum of exp(x) over a sample's numbers"},
       .make = make_softmax,
       .plain = plain_softmax,
       .onnx =
           [](OnnxNodes& nodes, const Options&, const std::string& x) {
             return nodes.node("Softmax", {x}, {{"axis", std::int64_t{1}}});
           },
       .torch =
           [](LayerSizes, const Options&) {
             return TorchModule{"Softmax", {{"dim", std::int64_t{1}}}};
           }},
      {.info = {"dropout",
                "in training, 0 for a share of the numbers, the others divided by 1 - rate",
                {{.name = "rate",
                  .what = "share of numbers dropped in training; from 0 to below 1",
                  .fallback = 0.5,
                  .low = 0,
                  .high = 1,
                  .below = true}}},
       .make = make_dropout,
       .plain = plain_dropout,
       .onnx = [](OnnxNodes&, const Options&, const std::string& x) { return x; },
       .torch =
           [](LayerSizes, const Options& options) {
             return TorchModule{"Dropout", {{"p", options.number("rate")}}};
           },
       .examples = {{}, {{"rate", 0.25}}}},
  };
}

}  // namespace

std::span<const LayerType> layer_table() {
  static const std::vector<LayerType> table = make_table();
  return table;
}

const LayerType& find_layer(std::string_view type, const std::string& where) {
  std::string known;
  for (const LayerType& entry : layer_table()) {
    if (entry.info.name == type) return entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.info.name);
  }
  throw Error(ErrorKind::config, fmt::format("{}: unknown layer type \"{}\"; known types: {}", where, type, known));
}

std::unique_ptr<Layer> make_layer(std::string_view type, const Options& options) {
  const LayerType& entry = find_layer(type, options.where());
  return entry.make(complete(entry.info, options));
}

std::unique_ptr<PlainLayer> make_plain_layer(std::string_view type, const Options& options) {
  const LayerType& entry = find_layer(type, options.where());
  return entry.plain(complete(entry.info, options));
}

}  // namespace lockstep
