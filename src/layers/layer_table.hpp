// The one table of layers: a row a type.
//
// From it go the reading of options, --keys, completion, the README's table, explain's plain arithmetic, the exports,
// and the tests that hold for every layer. Adding one: its file, its plain file, its row; plus what tests/golden make
// of it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/type_info.hpp"
#include "layers/layer.hpp"
#include "layers/layer_export.hpp"
#include "layers/plain_layer.hpp"

namespace lockstep {

/// A layer as a test has it.
struct LayerExample {
  Options options = {};
  std::vector<Shape> inputs = {{7}};
};

struct LayerType {
  TypeInfo info;
  bool activation = false;  ///< something that may stand behind each hidden layer as it is
  /// All of these take options that complete() has seen. Errors: config, for what no single option tells.
  std::unique_ptr<Layer> (*make)(const Options& options) = nullptr;
  std::unique_ptr<PlainLayer> (*plain)(const Options& options) = nullptr;
  /// Adds the layer as it is when not training, behind `x`; returns what it ends in.
  std::string (*onnx)(OnnxNodes& nodes, const Options& options, const std::string& x) = nullptr;
  TorchModule (*torch)(LayerSizes sizes, const Options& options) = nullptr;
  std::vector<LayerExample> examples = {{}};  ///< for tests: the first with no more than is needed
};

/// All layer types, in the order of the documentation.
[[nodiscard]] std::span<const LayerType> layer_table();

/// Errors: config (unknown type, listing the known ones).
[[nodiscard]] const LayerType& find_layer(std::string_view type, const std::string& where = {});

/// Errors: config (unknown type; bad options).
[[nodiscard]] std::unique_ptr<Layer> make_layer(std::string_view type, const Options& options);
/// `options` are those that the layer itself was made of. Errors: the same.
[[nodiscard]] std::unique_ptr<PlainLayer> make_plain_layer(std::string_view type, const Options& options);

}  // namespace lockstep
