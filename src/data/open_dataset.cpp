#include "data/open_dataset.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "config/data_place.hpp"
#include "data/file_list.hpp"
#include "data/joined_table.hpp"
#include "data/readers.hpp"
#include "data/variables.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::array<std::byte, 8> head_of(const std::string& file) {
  std::array<char, 8> head{};
  std::ifstream(file, std::ios::binary).read(head.data(), head.size());
  std::array<std::byte, 8> bytes{};
  std::memcpy(bytes.data(), head.data(), head.size());
  return bytes;
}

// A table of text by its name: its contents could be anything.
void refuse_csv(const std::string& file) {
  std::string ending = std::filesystem::path(file).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  std::error_code ignored;
  if ((ending != ".csv" && ending != ".tsv") || !std::filesystem::exists(file, ignored)) return;
  throw Error(ErrorKind::data, file + ": a run reads no CSV; make an HDF5 file of it first: lockstep import " + file +
                                   " --target COLUMN --output FILE.h5 (lockstep new " + file +
                                   " finds the options), then give \"FILE.h5:/train\"");
}

void refuse_half_of_a_pair(const std::string& file) {
  if (!is_one_of_a_pair(file)) return;
  const char* kind = looks_like_npy(head_of(file)) ? ".npy" : "IDX";
  throw Error(ErrorKind::data, file + ": not an HDF5 file, it looks like " + kind +
                                   ", which keeps samples and labels in two files: give train = {x = \"SAMPLES\", "
                                   "y = \"LABELS\"}");
}

// x and y each for themselves. Where x is a list of variables, they name the columns.
OpenDataset open_variables(const DataSource& source) {
  OpenDataset opened;
  Variables variables;
  const bool named = !source.more_x.empty();
  opened.x = variables.open(source.x, source.more_x, named, opened.columns.features);
  if (!named) opened.columns.features = variables.names_beside(source.x, "features", opened.x->header().columns);
  if (source.y.empty()) return opened;
  opened.y = variables.open(source.y, source.more_y, named || !source.more_y.empty(), opened.columns.targets);
  if (!named && source.more_y.empty()) {
    opened.columns.targets = variables.names_beside(source.y, "targets", opened.y->header().columns);
  }
  opened.class_names = variables.names_beside(source.y, "classes", 0);
  if (const std::vector<std::size_t>& shape = opened.y->header().shape; shape.size() > 2) {
    throw Error(ErrorKind::data, source.y + ": expected labels [n] or targets [n, k], found shape " +
                                     shape_text(shape) + "; are x and y swapped?");
  }
  return opened;
}

void check_rows(const TableHeader& header) {
  if (header.rows == 0) throw Error(ErrorKind::data, header.name + " holds no samples");
  if (header.rows > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::data,
                header.name + " holds " + std::to_string(header.rows) + " samples; at most 2^32 - 1 are taken");
  }
}

void check_columns(const TableHeader& header) {
  if (header.columns == 0) throw Error(ErrorKind::data, header.name + " has rows without numbers");
}

// Of one source without patterns or lists of files, as list_files gives it.
OpenDataset open_file(const DataSource& source) {
  OpenDataset opened;
  if (source.y.empty()) {
    const DataPlace place = find_place(source.x);
    refuse_csv(place.file);
    refuse_half_of_a_pair(place.file);
    opened = open_hdf5(place.file, place.group.empty() ? "/" : place.group);
  } else {
    opened = open_variables(source);
  }
  opened.source = source_text(source);
  opened.identity = identity_of(source);
  const TableHeader& x = opened.x->header();
  const TableHeader& y = opened.y->header();
  check_columns(x);
  check_columns(y);
  if (x.rows != y.rows) {
    check_rows(x);
    check_rows(y);
    throw Error(ErrorKind::data, x.name + " holds " + std::to_string(x.rows) + " samples, " + y.name + " " +
                                     std::to_string(y.rows) + "; expected as many");
  }
  opened.y->let_miss(y.columns > 1 && (y.type == ElementType::f32 || y.type == ElementType::f64));
  if (!opened.w) return opened;
  if (const TableHeader& w = opened.w->header(); w.shape.size() > 2 || w.columns != 1 || w.rows != x.rows) {
    throw Error(ErrorKind::data, w.name + " has shape " + shape_text(w.shape) +
                                     "; expected the weights of the samples, one for each: [" + std::to_string(x.rows) +
                                     "]. Where it is something else, give it another name");
  }
  return opened;
}

// Whether samples that are named alone are a table, not a group with x.
bool is_table(const DataPlace& place) {
  if (is_one_of_a_pair(place.file)) return true;
  if (place.group.empty()) return false;
  const h5::File file = h5::File::open(place.file);
  return file.exists(place.group) && !file.is_group(place.group);
}

OpenDataset open_samples_file(const DataSource& source) {
  const DataPlace place = find_place(source.x);
  refuse_csv(place.file);
  OpenDataset opened = !source.more_x.empty() || is_table(place)
                           ? open_variables(source)
                           : open_hdf5_samples(place.file, place.group.empty() ? "/" : place.group);
  opened.source = source_text(source);
  opened.identity = identity_of(source);
  check_columns(opened.x->header());
  return opened;
}

OpenDataset open_files(const DataSource& source, std::span<const std::string> folders,
                       OpenDataset (*open)(const DataSource&)) {
  if (source.empty()) throw Error(ErrorKind::usage, "open_dataset: no data source is given");
  std::vector<DataSource> files = list_files(source, folders);
  OpenDataset opened =
      files.size() == 1 ? open(files.front()) : join_files(source_text(source), std::move(files), open);
  opened.source = source_text(source);
  check_rows(opened.x->header());
  return opened;
}

}  // namespace

bool is_hdf5(const std::string& file) {
  constexpr std::array<unsigned char, 8> signature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  return std::memcmp(head_of(file).data(), signature.data(), signature.size()) == 0;
}

bool is_one_of_a_pair(const std::string& file) {
  const auto head = head_of(file);
  return looks_like_idx(head) || looks_like_npy(head);
}

std::unique_ptr<TableReader> open_table(const std::string& file) {
  refuse_csv(file);
  return looks_like_npy(head_of(file)) ? open_npy(file) : open_idx(file);
}

std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

TableHeader make_header(const std::string& name, ElementType type, std::span<const std::size_t> shape) {
  TableHeader header{.name = name,
                     .type = type,
                     .rows = shape.front(),
                     .columns = 1,
                     .shape = {shape.begin(), shape.end()},
                     .chunk_rows = 1,
                     .chunk_bytes = 0};
  for (const std::size_t dim : shape.subspan(1)) header.columns *= dim;
  return header;
}

OpenDataset open_dataset(const DataSource& source, std::span<const std::string> folders) {
  return open_files(source, folders, open_file);
}

OpenDataset open_samples(const DataSource& source) {
  DataSource samples = source;
  samples.y.clear();
  samples.more_y.clear();
  return open_files(samples, {}, open_samples_file);
}

std::vector<TableReader*> tables_of(const OpenDataset& opened) {
  std::vector<TableReader*> tables;
  for (TableReader* table : {opened.x.get(), opened.y.get(), opened.w.get()}) {
    if (table != nullptr) tables.push_back(table);
  }
  return tables;
}

std::vector<TableReader*> stored_tables_of(const OpenDataset& opened) {
  std::vector<TableReader*> tables = tables_of(opened);
  if (opened.rows) tables.front() = opened.rows.get();
  return tables;
}

std::size_t row_bytes_of(const OpenDataset& opened) {
  std::size_t bytes = 0;
  for (const TableReader* table : tables_of(opened)) bytes += table->header().row_bytes();
  return bytes;
}

std::size_t bytes_of(const OpenDataset& opened) {
  std::size_t bytes = 0;
  for (const TableReader* table : stored_tables_of(opened)) bytes += table->header().bytes();
  return bytes;
}

std::vector<std::string> notices_of(const OpenDataset& opened) {
  std::vector<std::string> all;
  for (const TableReader* table : tables_of(opened)) {
    all.insert(all.end(), table->notices().begin(), table->notices().end());
  }
  return all;
}

}  // namespace lockstep
