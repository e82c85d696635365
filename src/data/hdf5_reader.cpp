// Samples from HDF5: data sets x [n, ...] and y [n] or [n, k] in one group.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/readers.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string inside(const std::string& group, const std::string& name) {
  return group.back() == '/' ? group + name : group + "/" + name;
}

class Hdf5Table final : public TableReader {
 public:
  Hdf5Table(std::shared_ptr<const h5::File> file, const std::string& path)
      : file_(std::move(file)), rows_(*file_, path) {
    const h5::DatasetInfo& info = rows_.info();
    const std::string name = file_->name() + ": " + path;
    if (!info.type) {
      throw Error(ErrorKind::data,
                  name + " does not hold plain numbers; expected float32, float64, or integers of 8 to 64 bits");
    }
    if (info.shape.empty()) {
      throw Error(ErrorKind::data, name + " is a single number; expected one row a sample: [n, ...]");
    }
    header_ = make_header(name, *info.type, info.shape);
    header_.chunk_rows = std::min(rows_.chunk_rows(), info.shape.front());
    header_.chunk_bytes = rows_.chunk_bytes();
  }

  void read(Range rows, std::span<std::byte> out) override { rows_.read(rows, out); }

 private:
  std::shared_ptr<const h5::File> file_;  // shared by the readers of x and y
  h5::Rows rows_;
};

void expect_group(const h5::File& file, const std::string& group) {
  if (file.exists(group) && !file.is_group(group)) {
    throw Error(ErrorKind::data,
                file.name() + ": " + group + " is a data set; name the group that holds the data sets x and y");
  }
}

}  // namespace

std::vector<std::string> read_names(const h5::File& file, const std::string& group, const std::string& attribute) {
  for (const std::string& place : {group, std::string("/")}) {
    if (!file.has_attribute(place, attribute)) continue;
    const auto json = nlohmann::json::parse(file.text_attribute(place, attribute), nullptr, false);
    bool valid = json.is_array() && !json.empty();
    for (std::size_t i = 0; valid && i < json.size(); ++i) valid = json[i].is_string();
    if (!valid) {
      throw Error(ErrorKind::data, file.name() + ": attribute '" + attribute + "' of " + place +
                                       R"( is not a JSON list of names; expected, for example, ["cat", "dog"])");
    }
    return json.get<std::vector<std::string>>();
  }
  return {};
}

std::unique_ptr<TableReader> open_hdf5_samples(const std::string& path, const std::string& group) {
  const auto file = std::make_shared<const h5::File>(h5::File::open(path));
  expect_group(*file, group);
  return std::make_unique<Hdf5Table>(file, inside(group, "x"));
}

OpenDataset open_hdf5(const std::string& path, const std::string& group) {
  const auto file = std::make_shared<const h5::File>(h5::File::open(path));
  expect_group(*file, group);
  OpenDataset opened;
  opened.x = std::make_unique<Hdf5Table>(file, inside(group, "x"));
  opened.y = std::make_unique<Hdf5Table>(file, inside(group, "y"));
  const std::vector<std::size_t> y_shape = file->info(inside(group, "y")).shape;
  if (y_shape.size() > 2) {
    throw Error(ErrorKind::data, opened.y->header().name + " has shape " + shape_text(y_shape) +
                                     "; expected [n] labels or [n, k] targets");
  }
  opened.class_names = read_names(*file, group, "classes");
  return opened;
}

}  // namespace lockstep
