// Every layer can be exported, and what ONNX cannot hold is refused. Whether the numbers are right, other programs tell
// in tests/parallel/export_test.py.
#include "export/onnx.hpp"

#include "core/buffer.hpp"
#include "export/arrays.hpp"
#include "export/layer_nodes.hpp"
#include "layers/layer_table.hpp"
#include "support/expect_error.hpp"
#include "support/layer_bench.hpp"

namespace lockstep {
namespace {

// Owns what a TrainedNet looks at: these layers.
struct SampleNet {
  RunConfig run;
  CheckpointInfo info;
  Normalization normalization;
  Model model;
  Buffer<float> weights;

  explicit SampleNet(std::vector<LayerConfig> layers, std::size_t inputs = 2)
      : run{.model = {.layers = std::move(layers)}},
        model(run.model, inputs),
        weights(model.parameters().arena_size()) {
    model.initialize(1, weights.view());
  }
  [[nodiscard]] TrainedNet net() const { return {run, info, model, Task::regression, weights.view(), normalization}; }
};

const LayerConfig kDense{"dense", {{"units", 2}}};

TEST(AddLayer, EachTypeOfLayerIsExportedByItself) {
  for (const LayerType& type : layer_table()) {
    for (const LayerExample& example : type.examples) {
      const SampleNet sample(test::net_of(type, example), 8);
      EXPECT_NE(build_onnx(sample.net()).find("lockstep"), std::string::npos) << type.info.name;
      const auto module = torch_module(layers_of(sample.net()).back());
      EXPECT_FALSE(module.at(0).get<std::string>().empty()) << type.info.name;
    }
  }
}

TEST(LayersOf, GivesEachLayerItsOwnTensors) {
  const SampleNet sample({kDense, {"relu"}, {"dense", {{"units", 3}, {"bias", false}}, "head"}});
  const auto layers = layers_of(sample.net());
  ASSERT_EQ(layers.size(), 3U);
  ASSERT_EQ(layers[0].tensors.size(), 2U);
  EXPECT_TRUE(layers[1].tensors.empty());
  ASSERT_EQ(layers[2].tensors.size(), 1U);
  EXPECT_EQ(layers[2].name, "head");
  const Parameter& weight = layers[2].tensors[0].parameter;
  EXPECT_EQ(weight.shape, (std::vector<std::size_t>{3, 2}));
  EXPECT_EQ(layers[2].tensors[0].values.data(), sample.weights.view().data() + weight.range.begin);
}

TEST(BuildOnnx, RefusesANormalizationBeyondFloat) {
  SampleNet sample({kDense});
  sample.normalization.x = {{0, 0}, {1, 1e-42}};
  expect_error(ErrorKind::data, {"column 1 of x", "1e+42", "--npz"}, [&] { (void)build_onnx(sample.net()); });
  sample.normalization.x = {{-1e300, 0}, {1, 1}};
  expect_error(ErrorKind::data, {"column 0 of x", "-1e+300"}, [&] { (void)build_onnx(sample.net()); });
  sample.normalization = {{}, {{0, 0}, {1e-44, 1}}};
  expect_error(ErrorKind::data, {"column 0 of y", "1e-44"}, [&] { (void)build_onnx(sample.net()); });
}

TEST(BuildOnnx, RefusesMoreWeightsThanAFileTakes) {
  const SampleNet sample({kDense});
  TrainedNet net = sample.net();
  net.weights = {net.weights.data(), std::size_t{1} << 29U};  // refused before they are read
  expect_error(ErrorKind::data, {"6 weights", "2 GiB", "--hdf5"}, [&] { (void)build_onnx(net); });
}

TEST(BuildOnnx, AddsTheRestOfAShiftOnlyWhereThereIsOne) {
  SampleNet sample({kDense});
  const auto holds_rest = [&] { return build_onnx(sample.net()).find("rest_of_shift") != std::string::npos; };
  EXPECT_FALSE(holds_rest());
  sample.normalization.x = {{0.5, 16}, {1, 3}};
  EXPECT_FALSE(holds_rest());
  sample.normalization.x = {{0.1, 16}, {1, 3}};
  EXPECT_TRUE(holds_rest());
}

}  // namespace
}  // namespace lockstep
