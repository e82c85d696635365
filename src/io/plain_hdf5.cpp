// What is asked of a plain HDF5 file, once it has been looked through.
#include "io/plain_hdf5.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "io/plain_hdf5_walk.hpp"
#include "lockstep/error.hpp"

namespace lockstep::h5 {
namespace {

std::string name_of(PlainType type) {
  switch (type) {
    case PlainType::float32:
      return "float32";
    case PlainType::float64:
      return "float64";
    case PlainType::int64:
      return "int64";
    case PlainType::fixed_text:
    case PlainType::text_in_heap:
      break;
  }
  return "text";
}

std::string_view characters(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Source: HDF5 File Format Specification 3.0, III.E, Disk Format: Level 1E - Global Heap. Empty where there is no such
// text; it points into the image.
std::optional<std::string_view> text_in_heap(std::span<const std::byte> image, std::span<const std::byte> descriptor) {
  constexpr std::size_t head_bytes = 16;  // of a collection: "GCOL", version, size; of an object: index, uses, size
  const auto length = number_at<std::uint32_t>(descriptor, 0);
  const auto address = number_at<std::uint64_t>(descriptor, 4);
  const auto wanted = number_at<std::uint32_t>(descriptor, 12);
  if (length == 0 || address == 0) return "";
  if (address > image.size() || image.size() - address < head_bytes) return {};
  const auto rest = image.subspan(address);
  if (!characters(rest).starts_with(std::string_view("GCOL\1", 5))) return {};
  const auto size = number_at<std::uint64_t>(rest, 8);
  if (size > rest.size()) return {};
  const auto heap = rest.first(size);
  for (std::size_t at = head_bytes; at + head_bytes <= heap.size();) {
    const auto index = number_at<std::uint16_t>(heap, at);
    const auto bytes = number_at<std::uint64_t>(heap, at + 8);
    at += head_bytes;
    if (index == 0 || bytes > heap.size() - at) return {};  // free space is the last
    if (index == wanted) {
      if (length > bytes) return {};
      return characters(heap.subspan(at, length));
    }
    at += (bytes + 7) / 8 * 8;
  }
  return {};
}

}  // namespace

PlainFile::PlainFile(std::span<const std::byte> image, std::string name)
    : image_(image), name_(std::move(name)), objects_(walk_plain(image_, name_)) {}

const PlainObject& PlainFile::object(const std::string& path) const {
  const auto found = objects_.find(path);
  if (found == objects_.end()) throw Error(ErrorKind::data, name_ + ": there is no " + path);
  return found->second;
}

const PlainValue& PlainFile::array(const std::string& path, PlainType type) const {
  const PlainObject& found = object(path);
  if (found.is_group) throw Error(ErrorKind::data, name_ + ": " + path + " is a group, expected " + name_of(type));
  if (found.value.type == type) return found.value;
  throw Error(ErrorKind::data,
              name_ + ": " + path + ": expected " + name_of(type) + ", found " + name_of(found.value.type));
}

const PlainValue& PlainFile::attribute(const std::string& path, const std::string& name) const {
  const auto& attributes = object(path).attributes;
  const auto found = attributes.find(name);
  if (found == attributes.end()) throw Error(ErrorKind::data, name_ + ": " + path + " has no attribute '" + name + "'");
  if (found->second.shape.empty()) return found->second;
  throw Error(ErrorKind::data, name_ + ": " + path + ", attribute '" + name + "': expected one value, found an array");
}

bool PlainFile::has_attribute(const std::string& path, const std::string& name) const {
  return exists(path) && object(path).attributes.count(name) != 0;
}

std::vector<std::string> PlainFile::children(const std::string& path) const {
  if (!object(path).is_group) throw Error(ErrorKind::data, name_ + ": " + path + ": expected a group");
  const std::string prefix = path == "/" ? path : path + "/";
  std::vector<std::string> names;
  for (auto i = objects_.upper_bound(prefix); i != objects_.end() && i->first.starts_with(prefix); ++i) {
    const std::string rest = i->first.substr(prefix.size());
    if (rest.find('/') == std::string::npos) names.push_back(rest);
  }
  return names;
}

const std::vector<std::size_t>& PlainFile::shape(const std::string& path, PlainType type) const {
  return array(path, type).shape;
}

namespace {

template <class T>
void copy_numbers(const PlainValue& value, std::span<T> out, const std::string& what) {
  if (value.bytes.size() != out.size_bytes()) {
    throw Error(ErrorKind::data, what + ": expected " + std::to_string(out.size()) + " numbers, found " +
                                     std::to_string(value.bytes.size() / sizeof(T)));
  }
  std::ranges::copy(value.bytes, std::as_writable_bytes(out).begin());
}

}  // namespace

void PlainFile::read(const std::string& path, std::span<float> out) const {
  copy_numbers(array(path, PlainType::float32), out, name_ + ": " + path);
}

void PlainFile::read(const std::string& path, std::span<double> out) const {
  copy_numbers(array(path, PlainType::float64), out, name_ + ": " + path);
}

std::string PlainFile::text(const PlainValue& value, const std::string& what) const {
  if (value.type == PlainType::text_in_heap) {
    const std::optional<std::string_view> found = text_in_heap(image_, value.bytes);
    if (!found) throw Error(ErrorKind::data, name_ + ": " + what + " is damaged: its text is not where the file says");
    return std::string(found->substr(0, found->find('\0')));
  }
  if (value.type != PlainType::fixed_text) {
    throw Error(ErrorKind::data, name_ + ": " + what + ": expected text, found " + name_of(value.type));
  }
  const std::string_view all = characters(value.bytes);
  if (value.padding == TextPadding::ended_by_nul) return std::string(all.substr(0, all.find('\0')));
  const auto last = all.find_last_not_of(value.padding == TextPadding::spaces ? ' ' : '\0');
  return std::string(all.substr(0, last + 1));
}

std::string PlainFile::read_text(const std::string& path) const {
  const PlainObject& found = object(path);
  if (found.is_group || !found.value.shape.empty()) {
    throw Error(ErrorKind::data, name_ + ": " + path + ": expected one text, found a group or an array");
  }
  return text(found.value, path);
}

std::string PlainFile::text_attribute(const std::string& path, const std::string& name) const {
  return text(attribute(path, name), path + ", attribute '" + name + "'");
}

std::int64_t PlainFile::integer_attribute(const std::string& path, const std::string& name) const {
  const PlainValue& value = attribute(path, name);
  if (value.type == PlainType::int64) return number_at<std::int64_t>(value.bytes, 0);
  throw Error(ErrorKind::data,
              name_ + ": " + path + ", attribute '" + name + "': expected int64, found " + name_of(value.type));
}

double PlainFile::number_attribute(const std::string& path, const std::string& name) const {
  const PlainValue& value = attribute(path, name);
  if (value.type == PlainType::float64) return number_at<double>(value.bytes, 0);
  throw Error(ErrorKind::data,
              name_ + ": " + path + ", attribute '" + name + "': expected float64, found " + name_of(value.type));
}

}  // namespace lockstep::h5
