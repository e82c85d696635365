#include "data/open_dataset.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "config/data_place.hpp"
#include "core/hash.hpp"
#include "data/readers.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string find_file(const std::string& file, std::span<const std::string> folders) {
  const std::filesystem::path path(file);
  if (path.is_absolute() || folders.empty()) return file;
  std::string tried;
  for (const std::string& folder : folders) {
    const std::filesystem::path candidate = std::filesystem::path(folder) / path;
    std::error_code code;
    if (std::filesystem::exists(candidate, code)) return candidate.string();
    tried += (tried.empty() ? "" : ", ") + candidate.string();
  }
  throw Error(ErrorKind::data, file + ": no such file; looked for " + tried);
}

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
  if (ending != ".csv" && ending != ".tsv") return;
  throw Error(ErrorKind::data, file + ": a run reads no CSV; make an HDF5 file of it first: lockstep import " + file +
                                   " --target COLUMN --output FILE.h5, then give \"FILE.h5:/train\"");
}

bool is_one_of_a_pair(const std::string& file) {
  const auto head = head_of(file);
  return looks_like_idx(head) || looks_like_npy(head);
}

void refuse_half_of_a_pair(const std::string& file) {
  if (!is_one_of_a_pair(file)) return;
  const char* kind = looks_like_npy(head_of(file)) ? ".npy" : "IDX";
  throw Error(ErrorKind::data, file + ": not an HDF5 file, it looks like " + kind +
                                   ", which keeps samples and labels in two files: give train = {x = \"SAMPLES\", "
                                   "y = \"LABELS\"}");
}

std::unique_ptr<TableReader> open_table(const std::string& file) {
  refuse_csv(file);
  return looks_like_npy(head_of(file)) ? open_npy(file) : open_idx(file);
}

OpenDataset open_pair(const std::string& x_file, const std::string& y_file) {
  OpenDataset opened;
  opened.x = open_table(x_file);
  opened.y = open_table(y_file);
  if (const std::vector<std::size_t>& shape = opened.y->header().shape; shape.size() > 2) {
    throw Error(ErrorKind::data, y_file + ": expected labels [n] or targets [n, k], found shape " + shape_text(shape) +
                                     "; are x and y swapped?");
  }
  return opened;
}

void check_header(const TableHeader& header) {
  if (header.rows == 0) throw Error(ErrorKind::data, header.name + " holds no samples");
  if (header.columns == 0) throw Error(ErrorKind::data, header.name + " has rows without numbers");
  if (header.rows > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::data,
                header.name + " holds " + std::to_string(header.rows) + " samples; at most 2^32 - 1 are taken");
  }
}

}  // namespace

std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

TableHeader make_header(const std::string& name, ElementType type, std::span<const std::size_t> shape) {
  TableHeader header{name, type, shape.front(), 1, {shape.begin(), shape.end()}, 1, 0};
  for (const std::size_t dim : shape.subspan(1)) header.columns *= dim;
  return header;
}

OpenDataset open_dataset(const DataSource& source, std::span<const std::string> folders) {
  if (source.empty()) throw Error(ErrorKind::usage, "open_dataset: no data source is given");
  OpenDataset opened;
  Hash identity;
  if (source.y.empty()) {
    const DataPlace place = find_place(source.x, folders);
    const std::string file = place.found ? place.file : find_file(place.file, folders);
    refuse_csv(file);
    refuse_half_of_a_pair(file);
    opened = open_hdf5(file, place.group.empty() ? "/" : place.group);
    opened.source = source.x;
    identity.text(file_identity(file));
  } else {
    const std::array<std::string, 2> files = {find_file(source.x, folders), find_file(source.y, folders)};
    opened = open_pair(files[0], files[1]);
    opened.source = source.x + ", " + source.y;
    for (const std::string& file : files) identity.text(file_identity(file));
  }
  opened.identity = identity.hex();
  const TableHeader& x = opened.x->header();
  const TableHeader& y = opened.y->header();
  check_header(x);
  check_header(y);
  if (x.rows != y.rows) {
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

std::vector<TableReader*> tables_of(const OpenDataset& opened) {
  std::vector<TableReader*> tables;
  for (TableReader* table : {opened.x.get(), opened.y.get(), opened.w.get()}) {
    if (table != nullptr) tables.push_back(table);
  }
  return tables;
}

std::size_t row_bytes_of(const OpenDataset& opened) {
  std::size_t bytes = 0;
  for (const TableReader* table : tables_of(opened)) bytes += table->header().row_bytes();
  return bytes;
}

std::size_t bytes_of(const OpenDataset& opened) {
  std::size_t bytes = 0;
  for (const TableReader* table : tables_of(opened)) bytes += table->header().bytes();
  return bytes;
}

std::vector<std::string> notices_of(const OpenDataset& opened) {
  std::vector<std::string> all;
  for (const TableReader* table : tables_of(opened)) {
    all.insert(all.end(), table->notices().begin(), table->notices().end());
  }
  return all;
}

OpenDataset open_samples(const std::string& source) {
  const auto& [file, group, found] = find_place(source);
  OpenDataset opened;
  refuse_csv(file);
  if (!is_one_of_a_pair(file)) {
    opened = open_hdf5_samples(file, group.empty() ? "/" : group);
  } else if (group.empty()) {
    opened.x = open_table(file);
  } else {
    throw Error(ErrorKind::data, source + ": " + file + " is no HDF5 file and has no groups; give its name alone");
  }
  opened.source = source;
  Hash identity;
  identity.text(file_identity(file));
  opened.identity = identity.hex();
  check_header(opened.x->header());
  return opened;
}

}  // namespace lockstep
