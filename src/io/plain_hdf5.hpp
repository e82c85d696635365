// HDF5 files of the plainest kind, read without HDF5: groups of hard links, and arrays of float32, float64, int64 or
// one text, which lie in the file in one piece, just as they are. What this program writes is of that kind.
//
// For files from strangers. HDF5 1.10 crashes on made-up files, follows links to pipes and other files, and unpacks a
// megabyte to gigabytes. Here, whatever is of another kind is refused before anything of it is used, and no byte
// belongs to two things: what is read in all is at most as large as the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::h5 {

enum class PlainType { float32, float64, int64, fixed_text, text_in_heap };
enum class TextPadding { ended_by_nul, nuls, spaces };

/// Numbers or a text, where they lie.
struct PlainValue {
  PlainType type = PlainType::int64;
  std::vector<std::size_t> shape;  ///< empty: one number or text
  std::span<const std::byte> bytes;
  TextPadding padding = TextPadding::nuls;  ///< of a fixed text
};

struct PlainObject {
  bool is_group = true;
  PlainValue value;  ///< of what is no group
  std::map<std::string, PlainValue> attributes;
};

/// Paths begin with '/'.
/// Errors of all: data, naming the file and what in it is missing, or of another kind than asked.
class PlainFile {
 public:
  /// Looks through all of the file. `image` must outlive it; `name` is for messages.
  PlainFile(std::span<const std::byte> image, std::string name);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::map<std::string, PlainObject>& objects() const noexcept { return objects_; }
  [[nodiscard]] bool exists(const std::string& path) const { return objects_.count(path) != 0; }
  [[nodiscard]] bool has_attribute(const std::string& path, const std::string& name) const;
  /// Names in a group, in alphabetical order.
  [[nodiscard]] std::vector<std::string> children(const std::string& path) const;
  /// The shape of an array of `type`.
  [[nodiscard]] const std::vector<std::size_t>& shape(const std::string& path, PlainType type) const;

  /// All numbers of an array; as many as the span takes.
  void read(const std::string& path, std::span<float> out) const;
  void read(const std::string& path, std::span<double> out) const;
  [[nodiscard]] std::string read_text(const std::string& path) const;
  [[nodiscard]] std::string text_attribute(const std::string& path, const std::string& name) const;
  [[nodiscard]] std::int64_t integer_attribute(const std::string& path, const std::string& name) const;
  [[nodiscard]] double number_attribute(const std::string& path, const std::string& name) const;

 private:
  [[nodiscard]] const PlainObject& object(const std::string& path) const;
  [[nodiscard]] const PlainValue& array(const std::string& path, PlainType type) const;
  [[nodiscard]] const PlainValue& attribute(const std::string& path, const std::string& name) const;
  [[nodiscard]] std::string text(const PlainValue& value, const std::string& what) const;

  std::span<const std::byte> image_;
  std::string name_;
  std::map<std::string, PlainObject> objects_;
};

}  // namespace lockstep::h5
