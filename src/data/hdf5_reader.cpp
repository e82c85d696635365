// Samples from HDF5: data sets x [n, ...], y [n] or [n, k], and maybe w [n], in one group.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/number_rules.hpp"
#include "data/readers.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string inside(const std::string& group, const std::string& name) {
  return group.back() == '/' ? group + name : group + "/" + name;
}

constexpr std::size_t kConvertedBytes = std::size_t{4} << 20U;  // at a time

// What numbers count, and for times from when: "K", "hours since 2000-01-01 (noleap)". Not told where it is no text.
std::string units_of(const h5::File& file, const std::string& path) {
  std::string units;
  for (const char* name : {"units", "calendar"}) {
    if (!file.has_attribute(path, name)) continue;
    try {
      const std::string text = file.text_attribute(path, name);
      units += units.empty() ? text : " (" + text + ")";
    } catch (const Error&) {  // a run does not need it
      continue;
    }
  }
  return units;
}

class Hdf5Table final : public TableReader {
 public:
  Hdf5Table(std::shared_ptr<const h5::File> file, const std::string& path)
      : file_(std::move(file)), rows_(*file_, path) {
    const h5::DatasetInfo& info = rows_.info();
    const std::string name = file_->name() + ": " + path;
    if (!info.type) throw Error(ErrorKind::data, name + " " + file_->what_else(path));
    if (info.shape.empty()) {
      throw Error(ErrorKind::data, name + " is a single number; expected one row a sample: [n, ...]");
    }
    stored_ = *info.type;
    const bool has_attributes = file_->has_attributes(path);  // what has none is opened fast
    rules_ = has_attributes || file_->has_attribute("/", "_NCProperties") ? NumberRules(*file_, path, stored_)
                                                                          : NumberRules(stored_);
    header_ = make_header(name, rules_.type(), info.shape);
    header_.chunk_rows = std::min(rows_.chunk_rows(), info.shape.front());
    header_.chunk_bytes = rows_.chunk_bytes();
    if (has_attributes) header_.units = units_of(*file_, path);
    if (!rows_.unwritten().empty()) notices_.push_back(rows_.unwritten());
    if (rules_.packed()) notices_.push_back(name + rules_.told());
  }

  [[nodiscard]] std::optional<PlainRows> plain() const override {
    if (!rows_.plain_at() || rules_.matter()) return {};
    return PlainRows{file_->name(), *rows_.plain_at()};
  }

  void read(Range rows, std::span<std::byte> out) override {
    if (!rules_.packed()) {
      rows_.read(rows, out);
      rules_.check(out, rows.begin, header_);
      return;
    }
    const std::size_t stored_row = header_.columns * bytes_of(stored_);
    const std::size_t fit = std::max<std::size_t>(kConvertedBytes / std::max<std::size_t>(stored_row, 1), 1);
    const std::size_t chunk = std::max<std::size_t>(header_.chunk_rows, 1);
    const std::size_t piece = fit > chunk ? fit / chunk * chunk : fit;
    for (std::size_t begin = rows.begin; begin < rows.end; begin += piece) {
      const Range part{begin, std::min(begin + piece, rows.end)};
      raw_.resize(part.size() * stored_row);
      rows_.read(part, raw_);
      rules_.check(raw_, begin, header_);
      rules_.unpack(raw_, out.subspan((begin - rows.begin) * header_.row_bytes(), part.size() * header_.row_bytes()));
    }
  }

 private:
  std::shared_ptr<const h5::File> file_;  // shared by the readers of x and y
  h5::Rows rows_;
  ElementType stored_ = ElementType::f32;
  NumberRules rules_;
  std::vector<std::byte> raw_;  // packed numbers of some rows
};

// Samples of a group are in x. NetCDF calls coordinates so too, and its variables by other names.
void expect_samples(const h5::File& file, const std::string& group) {
  if (!file.exists(group)) return;
  const std::string x = inside(group, "x");
  const std::vector<std::string> names = file.children(group);
  const bool there = std::ranges::find(names, "x") != names.end();  // be it a link to nowhere
  const bool coordinate = there && file.has_attribute(x, "CLASS") && file.has_attribute(x, "REFERENCE_LIST");
  if (there && !coordinate) return;
  const std::string path = file.name() + ":" + inside(group, "");
  throw Error(
      ErrorKind::data,
      fmt::format("{}: {}; {} holds {}. Where its samples have other names, name them: train = {{x = "
                  "[\"{}NAME\", ...], y = \"{}NAME\"}}",
                  file.name(), there ? x + " is a coordinate (a dimension scale), no samples" : "there is no " + x,
                  group, fmt::join(names, ", "), path, path));
}

void expect_group(const h5::File& file, const std::string& group) {
  if (file.exists(group) && !file.is_group(group)) {
    throw Error(ErrorKind::data,
                file.name() + ": " + group + " is a data set; name the group that holds the data sets x and y");
  }
}

}  // namespace

std::vector<std::string> read_names(const h5::File& file, const std::string& group, const std::string& attribute) {
  for (const std::string& place : {group, std::string("/")}) {
    if (!file.has_attributes(place) || !file.has_attribute(place, attribute)) continue;
    if (auto list = file.text_list_attribute(place, attribute)) {
      // A list of one may be one text of JSON.
      if (list->size() > 1 || (list->size() == 1 && !nlohmann::json::parse(list->front(), nullptr, false).is_array())) {
        return *std::move(list);
      }
    }
    const auto json = nlohmann::json::parse(file.text_attribute(place, attribute), nullptr, false);
    bool valid = json.is_array() && !json.empty();
    for (std::size_t i = 0; valid && i < json.size(); ++i) valid = json[i].is_string();
    if (!valid) {
      throw Error(
          ErrorKind::data,
          file.name() + ": attribute '" + attribute + "' of " + place +
              R"( is neither an array of texts nor a JSON list of them; expected, for example, ["cat", "dog"])");
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
  for (const std::string& place : {group, std::string("/")}) {
    if (!file.has_attribute(place, "recipe")) continue;
    columns.recipe = file.text_attribute(place, "recipe");
    break;
  }
  for (std::size_t i = 0; i < columns.categorical.size(); ++i) {
    if (std::ranges::any_of(columns.features, [&](const auto& name) { return columns.column_of(name) == i; })) continue;
    throw Error(ErrorKind::data,
                fmt::format("{}: attribute 'categorical' names '{}', but no feature is '{}=...', a category of it",
                            file.name(), columns.categorical[i], columns.categorical[i]));
  }
  return columns;
}

}  // namespace

std::unique_ptr<TableReader> open_hdf5_table(std::shared_ptr<const h5::File> file, const std::string& path) {
  return std::make_unique<Hdf5Table>(std::move(file), path);
}

OpenDataset open_hdf5_samples(const std::string& path, const std::string& group) {
  const auto file = std::make_shared<const h5::File>(h5::File::open(path));
  expect_group(*file, group);
  expect_samples(*file, group);
  OpenDataset opened;
  opened.x = std::make_unique<Hdf5Table>(file, inside(group, "x"));
  opened.columns = read_columns(*file, group, opened);
  return opened;
}

OpenDataset open_hdf5(const std::string& path, const std::string& group) {
  const auto file = std::make_shared<const h5::File>(h5::File::open(path));
  expect_group(*file, group);
  expect_samples(*file, group);
  OpenDataset opened;
  opened.x = std::make_unique<Hdf5Table>(file, inside(group, "x"));
  opened.y = std::make_unique<Hdf5Table>(file, inside(group, "y"));
  const std::vector<std::size_t>& y_shape = opened.y->header().shape;
  if (y_shape.size() > 2) {
    throw Error(ErrorKind::data, opened.y->header().name + " has shape " + shape_text(y_shape) +
                                     "; expected [n] labels or [n, k] targets");
  }
  if (file->exists(inside(group, "w"))) opened.w = std::make_unique<Hdf5Table>(file, inside(group, "w"));
  opened.class_names = read_names(*file, group, "classes");
  opened.columns = read_columns(*file, group, opened);
  return opened;
}

}  // namespace lockstep
