#include "layers/layer_table.hpp"

#include "layers/layer_onnx.hpp"

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
LOCKSTEP_LAYER(layer_norm);
LOCKSTEP_LAYER(batch_norm);
LOCKSTEP_LAYER(add);
LOCKSTEP_LAYER(multiply);
LOCKSTEP_LAYER(concat);
std::unique_ptr<Layer> make_flatten(const Options& options);
LOCKSTEP_LAYER(reshape);
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

constexpr char kAdd[] = "Add";
constexpr char kMul[] = "Mul";

// A node of two inputs, over all inputs of the layer.
template <const char* type>
std::string fold_nodes(OnnxNodes& nodes, const Options& /*options*/, const std::string& x) {
  const std::vector<std::string> inputs = nodes.inputs();
  std::string at = x;
  for (std::size_t i = 1; i < inputs.size(); ++i) at = nodes.node(type, {at, inputs[i]});
  return at;
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
                                {{"in_features", static_cast<std::int64_t>(sizes.input.back())},
                                 {"out_features", static_cast<std::int64_t>(sizes.output.back())},
                                 {"bias", options.boolean("bias")}}};
           },
       .examples = {{.options = {{"units", 4}}},
                    {.options = {{"units", 4}, {"bias", false}}},
                    {.options = {{"units", 4}}, .inputs = {{3, 2}}}}},
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
       .examples = {{}, {.options = {{"negative_slope", 0.3}}}}},
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
       .examples = {{}, {.options = {{"approximate", "tanh"}}}}},
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
       .examples = {{}, {.options = {{"alpha", 0.4}}}}},
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
       .examples = {{}, {.options = {{"beta", 2.5}, {"threshold", 30}}}}},
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
       .examples = {{}, {.options = {{"rate", 0.25}}}}},
      {.info = {"layer_norm",
                "(x - mean) / sqrt(variance + eps) * weight + bias, over the last extent of a sample",
                {{.name = "eps", .what = "added to the variance", .fallback = 1e-5, .low = 0, .high = 1},
                 {.name = "elementwise_affine", .type = boolean, .what = "has a weight and a bias", .fallback = true},
                 {.name = "bias", .type = boolean, .what = "has a bias beside the weight", .fallback = true}}},
       .make = make_layer_norm,
       .plain = plain_layer_norm,
       .onnx = onnx_layer_norm,
       .torch =
           [](LayerSizes sizes, const Options& options) {
             return TorchModule{"LayerNorm",
                                {{"normalized_shape", static_cast<std::int64_t>(sizes.input.back())},
                                 {"eps", options.number("eps")},
                                 {"elementwise_affine", options.boolean("elementwise_affine")}}};
           },
       .examples = {{},
                    {.options = {{"bias", false}, {"eps", 0.1}}},
                    {.options = {{"elementwise_affine", false}}, .inputs = {{2, 5}}}}},
      {.info = {"batch_norm",
                "(x - mean) / sqrt(variance + eps) * weight + bias, for each channel (the first extent of a sample) "
                "over the whole batch; running ones when not training",
                {{.name = "eps", .what = "added to the variance", .fallback = 1e-5, .low = 0, .high = 1},
                 {.name = "momentum",
                  .what = "share of the batch in the running mean and variance",
                  .fallback = 0.1,
                  .low = 0,
                  .high = 1},
                 {.name = "affine", .type = boolean, .what = "has a weight and a bias", .fallback = true}}},
       .make = make_batch_norm,
       .plain = plain_batch_norm,
       .onnx = onnx_batch_norm,
       .torch =
           [](LayerSizes sizes, const Options& options) {
             return TorchModule{sizes.input.dims() == 4   ? "BatchNorm3d"
                                : sizes.input.dims() == 3 ? "BatchNorm2d"
                                                          : "BatchNorm1d",
                                {{"num_features", static_cast<std::int64_t>(sizes.input[0])},
                                 {"eps", options.number("eps")},
                                 {"momentum", options.number("momentum")},
                                 {"affine", options.boolean("affine")}}};
           },
       .examples = {{}, {.options = {{"affine", false}, {"eps", 0.1}}, .inputs = {{2, 3}}}}},
      {.info = {"add", "the sum of its inputs, which are of one shape"},
       .make = make_add,
       .plain = plain_add,
       .onnx = fold_nodes<kAdd>,
       .torch = [](LayerSizes, const Options&) { return TorchModule{"add"}; },
       .examples = {{.inputs = {{7}, {7}}}, {.inputs = {{2, 3}, {2, 3}, {2, 3}}}}},
      {.info = {"multiply", "the product of its inputs, number by number; they are of one shape"},
       .make = make_multiply,
       .plain = plain_multiply,
       .onnx = fold_nodes<kMul>,
       .torch = [](LayerSizes, const Options&) { return TorchModule{"multiply"}; },
       .examples = {{.inputs = {{7}, {7}}}, {.inputs = {{2, 3}, {2, 3}, {2, 3}}}}},
      {.info = {"concat",
                "its inputs one behind the other",
                {{.name = "dim",
                  .type = integer,
                  .what = "dimension along which they stand; the rows are 0",
                  .fallback = std::int64_t{1},
                  .low = 1,
                  .high = Shape::kMostExtents}}},
       .make = make_concat,
       .plain = plain_concat,
       .onnx =
           [](OnnxNodes& nodes, const Options& options, const std::string&) {
             return nodes.node("Concat", nodes.inputs(), {{"axis", options.integer("dim")}});
           },
       .torch =
           [](LayerSizes, const Options& options) {
             return TorchModule{"concat", {{"dim", options.integer("dim")}}};
           },
       .examples = {{.inputs = {{7}, {3}}}, {.options = {{"dim", 2}}, .inputs = {{2, 3}, {2, 1}, {2, 2}}}}},
      {.info = {"flatten", "the numbers of a sample in one dimension"},
       .make = make_flatten,
       .plain = plain_reshape,
       .onnx = onnx_reshape,
       .torch = [](LayerSizes, const Options&) { return TorchModule{"Flatten"}; },
       .examples = {{.inputs = {{2, 3, 2}}}}},
      {.info = {"reshape",
                "the numbers of a sample in another shape",
                {{.name = "shape",
                  .type = numbers,
                  .what = "extents without the rows; one may be -1, for what is left",
                  .needed = true}}},
       .make = make_reshape,
       .plain = plain_reshape,
       .onnx = onnx_reshape,
       .torch =
           [](LayerSizes sizes, const Options&) {
             const auto extents = sizes.output.extents();
             return TorchModule{"reshape", {{"shape", std::vector<double>(extents.begin(), extents.end())}}};
           },
       .examples = {{.options = {{"shape", std::vector<double>{2, -1}}}, .inputs = {{8}}}}},
  };
}

}  // namespace

std::span<const LayerType> layer_table() {
  static const std::vector<LayerType> table = make_table();
  return table;
}

const LayerType& find_layer(std::string_view type, const std::string& where) {
  return find_type(layer_table(), type, "layer type", where);
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
