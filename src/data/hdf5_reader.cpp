// Samples from HDF5: data sets x [n, ...] and y [n] or [n, k] in one group.
#include <fmt/format.h>

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

namespace {

// Names of the columns of what was opened: what a net is to know them by must be a name for each.
ColumnNames read_columns(const h5::File& file, const std::string& group, const OpenDataset& opened) {
  const auto read = [&](const char* attribute, const TableReader* table) {
    std::vector<std::string> names = read_names(file, group, attribute);
    if (table == nullptr || names.empty() || names.size() == table->header().columns) return names;
    throw Error(ErrorKind::data,
                fmt::format("{} has {} columns, but attribute '{}' has {} names; expected one for each, or none",
                            table->header().name, table->header().columns, attribute, names.size()));
  };
  ColumnNames columns{.features = read("features", opened.x.get()),
                      .targets = opened.y ? read("targets", opened.y.get()) : std::vector<std::string>{},
                      .categorical = read("categorical", nullptr)};
  for (std::size_t i = 0; i < columns.categorical.size(); ++i) {
    if (std::ranges::any_of(columns.features, [&](const auto& name) { return columns.column_of(name) == i; })) continue;
    throw Error(ErrorKind::data,
                fmt::format("{}: attribute 'categorical' names '{}', but no feature is '{}=...', a category of it",
                            file.name(), columns.categorical[i], columns.categorical[i]));
  }
  return columns;
}

}  // namespace

OpenDataset open_hdf5_samples(const std::string& path, const std::string& group) {
  const auto file = std::make_shared<const h5::File>(h5::File::open(path));
  expect_group(*file, group);
  OpenDataset opened;
  opened.x = std::make_unique<Hdf5Table>(file, inside(group, "x"));
  opened.columns = read_columns(*file, group, opened);
  return opened;
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
  opened.columns = read_columns(*file, group, opened);
  return opened;
}

}  // namespace lockstep
