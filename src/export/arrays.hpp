// A trained net as named arrays, by PyTorch's names, in NumPy's or HDF5's files.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "export/trained_net.hpp"
#include "io/hdf5.hpp"

namespace lockstep {

struct NamedArray {
  std::string name;
  std::vector<std::size_t> shape;
  std::variant<std::span<const float>, std::span<const double>> values;
};

/// "0.weight" [out, in], "0.bias" [out], "2.weight", ...: the number is the layer's place, as in the state_dict of a
/// torch.nn.Sequential of the same layers; then x_shift, x_scale, y_shift and y_scale, where there is a normalisation.
[[nodiscard]] std::vector<NamedArray> arrays_of(const TrainedNet& net);

/// The rest, as JSON: format and version of this text; run, step and digest; loss and output; classes; layers, each as
/// [class of torch.nn, its arguments].
[[nodiscard]] std::string describe_net(const TrainedNet& net);

/// An .npz: arrays_of(), and describe_net() as the bytes of "about".
[[nodiscard]] std::vector<std::byte> build_npz(const TrainedNet& net);

/// The same as an HDF5 file; `name` is for messages. Errors: io.
[[nodiscard]] h5::FileImage build_hdf5(const TrainedNet& net, const std::string& name);

}  // namespace lockstep
