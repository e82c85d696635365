#include "data/open_dataset.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>

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

bool is_idx(const std::string& file) {
  std::array<char, 4> head{};
  std::ifstream(file, std::ios::binary).read(head.data(), head.size());
  return looks_like_idx(std::as_bytes(std::span(head)));
}

void refuse_idx(const std::string& file) {
  if (is_idx(file)) {
    throw Error(ErrorKind::data, file +
                                     ": not an HDF5 file, it looks like IDX. IDX keeps samples and labels in two "
                                     "files: give train = {x = \"IMAGES\", y = \"LABELS\"}");
  }
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
  TableHeader header{name, type, shape.front(), 1};
  for (const std::size_t dim : shape.subspan(1)) header.columns *= dim;
  return header;
}

OpenDataset open_dataset(const DataSource& source, std::span<const std::string> folders) {
  if (source.empty()) throw Error(ErrorKind::usage, "open_dataset: no data source is given");
  OpenDataset opened;
  Hash identity;
  if (source.y.empty()) {
    const std::size_t colon = source.x.rfind(":/");
    const std::string file = find_file(source.x.substr(0, colon), folders);
    refuse_idx(file);
    opened = open_hdf5(file, colon == std::string::npos ? "/" : source.x.substr(colon + 1));
    opened.source = source.x;
    identity.text(file_identity(file));
  } else {
    const std::array<std::string, 2> files = {find_file(source.x, folders), find_file(source.y, folders)};
    opened = open_idx(files[0], files[1]);
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
  return opened;
}

OpenDataset open_samples(const std::string& place) {
  const std::size_t colon = place.rfind(":/");
  const std::string file = place.substr(0, colon);
  OpenDataset opened;
  opened.source = place;
  if (is_idx(file)) {
    opened.x = open_idx_samples(place);
  } else {
    opened.x = open_hdf5_samples(file, colon == std::string::npos ? "/" : place.substr(colon + 1));
  }
  Hash identity;
  identity.text(file_identity(file));
  opened.identity = identity.hex();
  check_header(opened.x->header());
  return opened;
}

}  // namespace lockstep
