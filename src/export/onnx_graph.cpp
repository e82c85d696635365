// Field numbers and codes are those of onnx.proto (github.com/onnx/onnx, IR version 7).
#include "export/onnx_graph.hpp"

#include <bit>
#include <utility>

namespace lockstep {
namespace {

namespace graph {
enum Field { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
}
namespace node_of {
enum Field { input = 1, output = 2, name = 3, op_type = 4, attribute = 5 };
}
namespace attribute {
enum Field { name = 1, f = 2, i = 3, ints = 8, type = 20 };
enum Type { type_float = 1, type_int = 2, type_ints = 7 };
}  // namespace attribute
namespace tensor {
enum Field { dims = 1, data_type = 2, name = 8, raw_data = 9 };
}
namespace value_info {
enum Field { name = 1, type = 2 };
}
namespace type_of {
enum Field { tensor_type = 1 };
}
namespace tensor_type {
enum Field { elem_type = 1, shape = 2 };
}
namespace shape_of {
enum Field { dim = 1 };
}
namespace dimension {
enum Field { value = 1, param = 2 };
}
constexpr std::int64_t kFloat = 1;  // TensorProto.DataType
constexpr std::int64_t kInt64 = 7;

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

/// [N, width] of float32, N free.
ProtobufMessage rows_of(std::string_view name, std::size_t width) {
  ProtobufMessage rows;
  rows.text(dimension::param, "N");
  ProtobufMessage columns;
  columns.integer(dimension::value, static_cast<std::int64_t>(width));
  ProtobufMessage shape;
  shape.message(shape_of::dim, rows);
  shape.message(shape_of::dim, columns);
  ProtobufMessage tensor;
  tensor.integer(tensor_type::elem_type, kFloat);
  tensor.message(tensor_type::shape, shape);
  ProtobufMessage type;
  type.message(type_of::tensor_type, tensor);
  ProtobufMessage info;
  info.text(value_info::name, name);
  info.message(value_info::type, type);
  return info;
}

ProtobufMessage attribute_of(const OnnxGraph::Attribute& given) {
  ProtobufMessage message;
  message.text(attribute::name, given.first);
  if (const float* number = std::get_if<float>(&given.second)) {
    message.number(attribute::f, *number);
    message.integer(attribute::type, attribute::type_float);
  } else if (const auto* list = std::get_if<std::vector<std::int64_t>>(&given.second)) {
    for (const std::int64_t value : *list) message.integer(attribute::ints, value);
    message.integer(attribute::type, attribute::type_ints);
  } else {
    message.integer(attribute::i, std::get<std::int64_t>(given.second));
    message.integer(attribute::type, attribute::type_int);
  }
  return message;
}

}  // namespace

std::string OnnxGraph::constant(std::string name, std::span<const std::size_t> shape, std::span<const float> values) {
  return add_constant(std::move(name), kFloat, shape,
                      {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

std::string OnnxGraph::integers(std::string name, std::span<const std::int64_t> values) {
  const std::size_t shape[] = {values.size()};
  return add_constant(std::move(name), kInt64, shape,
                      {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

std::string OnnxGraph::add_constant(std::string name, std::int64_t type, std::span<const std::size_t> shape,
                                    std::string_view bytes) {
  ProtobufMessage message;
  for (const std::size_t size : shape) message.integer(tensor::dims, static_cast<std::int64_t>(size));
  message.integer(tensor::data_type, type);
  message.text(tensor::name, name);
  message.text(tensor::raw_data, bytes);
  constants_.push_back(std::move(message));
  return name;
}

std::string OnnxGraph::node(std::string name, std::string_view type, std::vector<std::string> inputs,
                            std::vector<Attribute> attributes) {
  nodes_.push_back({name, type, std::move(inputs), name + "/output", std::move(attributes)});
  return nodes_.back().output;
}

std::string OnnxGraph::rename_last(std::string name) {
  nodes_.back().output = name + "/output";
  nodes_.back().name = std::move(name);
  return nodes_.back().output;
}

ProtobufMessage OnnxGraph::finish(const std::string& name, const std::string& last, std::size_t inputs,
                                  std::size_t outputs) {
  // The net may end in what is no node's output, or that of a node before the last.
  if (nodes_.empty() || last != nodes_.back().output) node("same", "Identity", {last});
  nodes_.back().output = kOnnxOutput;  // which is added last, and read by none

  ProtobufMessage message;
  for (const Node& given : nodes_) {
    ProtobufMessage node;
    for (const std::string& input : given.inputs) node.text(node_of::input, input);
    node.text(node_of::output, given.output);
    node.text(node_of::name, given.name);
    node.text(node_of::op_type, given.type);
    for (const Attribute& attribute : given.attributes) node.message(node_of::attribute, attribute_of(attribute));
    message.message(graph::node, node);
  }
  message.text(graph::name, name);
  for (const ProtobufMessage& constant : constants_) message.message(graph::initializer, constant);
  message.message(graph::input, rows_of(kOnnxInput, inputs));
  message.message(graph::output, rows_of(kOnnxOutput, outputs));
  return message;
}

}  // namespace lockstep
