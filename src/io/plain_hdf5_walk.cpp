// From the superblock over groups to objects, attributes and arrays, each byte at most once.
// Source: HDF5 File Format Specification 3.0: superblock 0, symbol tables, object headers of version 1.
#include "io/plain_hdf5_walk.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep::h5 {
namespace {

static_assert(std::endian::native == std::endian::little, "HDF5 stores these numbers little-endian");

using Bytes = std::span<const std::byte>;

constexpr std::uint64_t kNowhere = ~std::uint64_t{0};
constexpr std::size_t kMostDepth = 6;  // of groups in groups
constexpr std::size_t kMostExtents = 32;
constexpr std::size_t kEntryBytes = 40;  // of a symbol table
constexpr std::size_t kPathBytes = 8;    // a byte of the file, at most: a long name is repeated in each path below it

// As a datatype message has them: version and class (the version is left out), bits, size, properties.
struct NumberType {
  PlainType type;
  std::array<unsigned char, 20> bytes;
  std::size_t length;
  std::size_t size;  // of an element
};
constexpr std::array<NumberType, 3> kNumbers = {{
    {PlainType::float32, {1, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0}, 20, 4},
    {PlainType::float64, {1, 0x20, 63, 0, 8, 0, 0, 0, 0, 0, 64, 0, 52, 11, 0, 52, 0xFF, 3, 0, 0}, 20, 8},
    {PlainType::int64, {0, 8, 0, 0, 8, 0, 0, 0, 0, 0, 64, 0}, 12, 8},
}};

class Walk {
 public:
  Walk(Bytes image, const std::string& name)
      : image_(image), name_(name), left_(image.size()), path_bytes_left_(kPathBytes * image.size()) {}

  std::map<std::string, PlainObject> run() {
    const std::uint64_t root = root_header();
    links_.push_back({"/", root});
    while (!links_.empty()) {
      const Link link = std::move(links_.back());
      links_.pop_back();
      read_object(link);
    }
    return std::move(objects_);
  }

 private:
  struct Link {
    std::string path;
    std::uint64_t header;
  };
  // What the messages of an object have said so far.
  struct Parts {
    PlainObject object = {};
    std::uint64_t tree = kNowhere;
    std::uint64_t heap = kNowhere;
    std::uint64_t address = kNowhere;  // of the array
    std::uint64_t stored = 0;          // bytes of it
    std::size_t element = 0;
    bool new_links = false;  // it is a group, but none that is read here
    bool group = false, type = false, shape = false, layout = false;
  };

  [[noreturn]] void fail(const std::string& what) const { throw Error(ErrorKind::data, name_ + ": " + what); }
  [[noreturn]] void damaged(const std::string& why) const { fail(path_ + " is damaged: " + why); }
  [[noreturn]] void foreign(const std::string& what) const {
    fail(path_ + " " + what + ", which no file of this kind has");
  }

  // `count` bytes of `bytes`.
  [[nodiscard]] Bytes part(Bytes bytes, std::uint64_t at, std::uint64_t count) const {
    if (at > bytes.size() || count > bytes.size() - at) damaged("it leads out of the file or of its own bounds");
    return bytes.subspan(at, count);
  }
  template <class T>
  [[nodiscard]] T number(Bytes bytes, std::uint64_t at) const {
    return number_at<T>(part(bytes, at, sizeof(T)), 0);
  }
  // Bytes of the file that are now used up: in a whole file none belongs to two things.
  Bytes take(std::uint64_t at, std::uint64_t count) {
    const Bytes bytes = part(image_, at, count);
    if (count > left_) damaged("parts of the file lie upon each other");
    left_ -= count;
    return bytes;
  }
  void expect(bool right, const char* what) const {
    if (!right) damaged(std::string("expected ") + what);
  }
  void expect_signature(Bytes bytes, std::string_view signature, const char* what) const {
    expect(std::memcmp(bytes.data(), signature.data(), signature.size()) == 0, what);
  }

  std::uint64_t root_header() {
    path_ = "/";
    const Bytes block = take(0, 96);
    expect_signature(block, std::string_view("\x89HDF\r\n\x1a\n", 8), "HDF5's signature");
    const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(block[at]); };
    if (byte(8) != 0 || byte(9) != 0 || byte(10) != 0 || byte(12) != 0 || byte(13) != 8 || byte(14) != 8) {
      foreign("is kept as another version of HDF5 keeps it");
    }
    expect(number<std::uint64_t>(block, 24) == 0, "addresses from the beginning of the file");
    return number<std::uint64_t>(block, 64);
  }

  void read_object(const Link& link) {
    path_ = link.path;
    const auto [first, is_new] = headers_.emplace(link.header, link.path);
    if (!is_new) foreign("is a second link to " + first->second);
    Parts parts;
    read_header(link.header, parts);
    if (parts.new_links) foreign("keeps its links as a later version of HDF5 does");
    PlainObject& object = parts.object;
    const bool array = parts.type && parts.shape && parts.layout;
    if (parts.group == array || (parts.group && (parts.type || parts.shape || parts.layout))) {
      foreign("is neither a group nor an array");
    }
    object.is_group = parts.group;
    if (array) take_array(parts);
    const bool kept = objects_.emplace(link.path, std::move(object)).second;
    expect(kept, "names that are not there twice");
    if (parts.group) read_group(parts.tree, parts.heap, link.path == "/" ? "/" : link.path + "/");
  }

  void read_header(std::uint64_t address, Parts& parts) {
    const Bytes head = take(address, 16);
    if (number<std::uint8_t>(head, 0) != 1) {
      expect(std::memcmp(head.data(), "OHDR", 4) == 0, "an object's header");
      foreign("is kept as another version of HDF5 keeps it");
    }
    auto messages = number<std::uint16_t>(head, 2);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks{{address + 16, number<std::uint32_t>(head, 8)}};
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const auto [at, size] = blocks[i];
      const Bytes block = take(at, size);
      for (std::size_t next = 0; next + 8 <= block.size() && messages > 0; --messages) {
        const auto type = number<std::uint16_t>(block, next);
        const auto bytes = number<std::uint16_t>(block, next + 2);
        const auto flags = number<std::uint8_t>(block, next + 4);
        const Bytes data = part(block, next + 8, bytes);
        if (type == 0x10) {
          blocks.emplace_back(number<std::uint64_t>(data, 0), number<std::uint64_t>(data, 8));
        } else {
          read_message(type, flags, data, parts);
        }
        next += std::size_t{8} + bytes;
      }
    }
    expect(messages == 0, "more in its header");
  }

  void read_message(unsigned type, unsigned flags, Bytes data, Parts& parts) {
    if ((flags & 2U) != 0 && type != 0) foreign("has a type of its own in the file, or shares one");
    const auto once = [&](bool& seen) { expect(!std::exchange(seen, true), "one of each part in its header"); };
    switch (type) {
      case 0x00:  // free room
      case 0x04:  // fill values, of which an array that is all there needs none
      case 0x05:
      case 0x0E:  // times of modification
      case 0x12:
        return;
      case 0x01:
        once(parts.shape);
        parts.object.value.shape = shape_of(data, path_);
        return;
      case 0x03:
        once(parts.type);
        parts.element = read_type(data, parts.object.value, path_);
        return;
      case 0x08:
        once(parts.layout);
        read_layout(data, parts);
        return;
      case 0x0C:
        read_attribute(data, parts.object);
        return;
      case 0x11:
        once(parts.group);
        parts.tree = number<std::uint64_t>(data, 0);
        parts.heap = number<std::uint64_t>(data, 8);
        return;
      case 0x02:  // of links that are kept as messages, or elsewhere
      case 0x0A:
        parts.new_links = true;
        return;
      case 0x06:
        expect_hard_link(data);
        return;
      case 0x07:
        foreign("keeps its numbers in other files");
      case 0x0B:
        foreign("is packed by filters");
      default:
        foreign("has a part of type " + std::to_string(type) + " in its header");
    }
  }

  // A group keeps its links as messages where one of them is neither hard nor soft: it is to be named.
  void expect_hard_link(Bytes data) {
    const auto flags = number<std::uint8_t>(data, 1);
    std::size_t at = 2;
    const unsigned type = (flags & 8U) != 0 ? number<std::uint8_t>(data, at++) : 0;
    if (type == 0) return;
    if ((flags & 4U) != 0) at += 8;
    if ((flags & 16U) != 0) at += 1;
    const std::size_t length = number<std::uint8_t>(data, at);
    const Bytes text = part(data, at + (std::size_t{1} << (flags & 3U)), length);
    path_ += (path_ == "/" ? "" : "/") + std::string(reinterpret_cast<const char*>(text.data()), text.size());
    foreign(type == 64 ? "is an external link" : type == 1 ? "is a soft link" : "is a link of another kind");
  }

  [[nodiscard]] std::vector<std::size_t> shape_of(Bytes data, const std::string& what) const {
    const auto version = number<std::uint8_t>(data, 0);
    const std::size_t rank = number<std::uint8_t>(data, 1);
    const bool null = version == 2 && number<std::uint8_t>(data, 3) == 2;
    if ((version != 1 && version != 2) || null || rank > kMostExtents)
      fail(what + " has no number of elements, or not in a plain shape");
    std::vector<std::size_t> shape(rank);
    for (std::size_t i = 0; i < rank; ++i) {
      shape[i] = number<std::uint64_t>(data, (version == 1 ? 8 : 4) + 8 * i);
    }
    return shape;
  }

  // Sets the type; returns the bytes of an element.
  [[nodiscard]] std::size_t read_type(Bytes data, PlainValue& value, const std::string& what) const {
    const auto class_of = [](Bytes type) { return std::to_integer<unsigned>(type[0]) & 15U; };
    const Bytes head = part(data, 0, 8);
    for (const NumberType& number : kNumbers) {
      if (data.size() < number.length || class_of(head) != number.bytes[0]) continue;
      if (std::memcmp(data.data() + 1, number.bytes.data() + 1, number.length - 1) != 0) continue;
      value.type = number.type;
      return number.size;
    }
    const std::size_t size = number<std::uint32_t>(data, 4);
    const unsigned bits = number<std::uint8_t>(data, 1);
    if (class_of(head) == 3 && (bits & 15U) <= 2 && size > 0) {
      value.type = PlainType::fixed_text;
      value.padding = static_cast<TextPadding>(bits & 15U);
      return size;
    }
    const bool of_text = class_of(head) == 9 && (bits & 15U) == 1;
    if (of_text && size == 16) {
      value.type = PlainType::text_in_heap;
      return size;
    }
    fail(what + " is of another type than float32, float64, int64 or text, which no file of this kind has");
  }

  [[nodiscard]] std::uint64_t bytes_of(const PlainValue& value, std::size_t element, const std::string& what) const {
    std::uint64_t bytes = element;
    for (const std::size_t extent : value.shape) {
      if (__builtin_mul_overflow(bytes, std::max<std::size_t>(extent, 1), &bytes)) {
        fail(what + " claims more than 2^64 bytes");
      }
    }
    return std::find(value.shape.begin(), value.shape.end(), std::size_t{0}) != value.shape.end() ? 0 : bytes;
  }

  void read_attribute(Bytes data, PlainObject& object) const {
    const auto version = number<std::uint8_t>(data, 0);
    if (version < 1 || version > 3) damaged("an attribute is of no version that there is");
    if (version > 1 && number<std::uint8_t>(data, 1) != 0) foreign("has an attribute whose type is shared");
    const std::size_t name_bytes = number<std::uint16_t>(data, 2);
    const std::size_t type_bytes = number<std::uint16_t>(data, 4);
    const std::size_t shape_bytes = number<std::uint16_t>(data, 6);
    const auto padded = [&](std::size_t bytes) { return version == 1 ? (bytes + 7) / 8 * 8 : bytes; };
    std::size_t at = version == 3 ? 9 : 8;
    const Bytes name = part(data, at, name_bytes);
    const auto* text = reinterpret_cast<const char*>(name.data());
    const std::string key(text, std::find(text, text + name.size(), '\0'));
    const std::string what = path_ + ", attribute '" + key + "'";
    PlainValue value;
    const std::size_t element = read_type(part(data, at += padded(name_bytes), type_bytes), value, what);
    value.shape = shape_of(part(data, at += padded(type_bytes), shape_bytes), what);
    value.bytes = part(data, at + padded(shape_bytes), bytes_of(value, element, what));
    expect(object.attributes.emplace(key, std::move(value)).second, "attributes of different names");
  }

  void read_layout(Bytes data, Parts& parts) const {
    const auto version = number<std::uint8_t>(data, 0);
    const auto kind = number<std::uint8_t>(data, 1);
    if (version < 3) foreign("is kept as another version of HDF5 keeps it");
    if (kind == 2) foreign("is kept in chunks");
    if (kind == 3) foreign("is virtual, its numbers lie elsewhere");
    if (version != 3 || kind != 1) foreign("is kept as part of its header, or in another way");
    parts.address = number<std::uint64_t>(data, 2);
    parts.stored = number<std::uint64_t>(data, 10);
  }

  void take_array(Parts& parts) {
    PlainValue& value = parts.object.value;
    const std::uint64_t claimed = bytes_of(value, parts.element, path_);
    if (claimed == 0) return;
    if (parts.address == kNowhere) fail(path_ + " was never written");
    if (claimed != parts.stored || claimed > image_.size()) {
      fail(path_ + " claims " + std::to_string(claimed) + " bytes, of which the file has " +
           std::to_string(std::min<std::uint64_t>(parts.stored, image_.size())));
    }
    value.bytes = take(parts.address, claimed);
  }

  void read_group(std::uint64_t tree, std::uint64_t heap, const std::string& prefix) {
    if (std::ranges::count(prefix, '/') > static_cast<std::ptrdiff_t>(kMostDepth)) foreign("lies too deep in groups");
    const Bytes head = take(heap, 32);
    expect_signature(head, "HEAP", "the names of a group");
    names_ = part(image_, number<std::uint64_t>(head, 24), number<std::uint64_t>(head, 8));
    prefix_ = prefix;
    read_tree(tree, -1);
  }

  // `level`: of this node; -1: of the root, which says so itself.
  void read_tree(std::uint64_t address, int level) {
    const Bytes head = take(address, 24);
    expect_signature(head, "TREE", "the tree of a group");
    const int found = number<std::uint8_t>(head, 5);
    expect(number<std::uint8_t>(head, 4) == 0 && (level < 0 || found == level), "a tree of links");
    const std::uint64_t entries = number<std::uint16_t>(head, 6);
    const Bytes children = take(address + 24, 16 * entries);
    for (std::size_t i = 0; i < entries; ++i) {
      const auto child = number<std::uint64_t>(children, 16 * i + 8);
      if (found > 0) {
        read_tree(child, found - 1);
      } else {
        read_symbols(child);
      }
    }
  }

  void read_symbols(std::uint64_t address) {
    const Bytes head = take(address, 8);
    expect_signature(head, "SNOD", "the links of a group");
    const std::uint64_t count = number<std::uint16_t>(head, 6);
    const Bytes entries = take(address + 8, kEntryBytes * count);
    for (std::size_t i = 0; i < count; ++i) {
      const Bytes entry = part(entries, kEntryBytes * i, kEntryBytes);
      const std::string path = prefix_ + link_name(number<std::uint64_t>(entry, 0));
      expect(path.size() <= path_bytes_left_, "shorter names");
      path_bytes_left_ -= path.size();
      if (number<std::uint32_t>(entry, 16) == 2) {
        path_ = path;
        foreign("is a soft link");
      }
      links_.push_back({path, number<std::uint64_t>(entry, 8)});
    }
  }

  [[nodiscard]] std::string link_name(std::uint64_t offset) {
    const Bytes rest = part(names_, offset, names_.size() - std::min<std::uint64_t>(offset, names_.size()));
    const auto end = std::ranges::find(rest, std::byte{0});
    expect(end != rest.begin() && end != rest.end(), "links with names");
    const auto size = static_cast<std::size_t>(end - rest.begin());
    (void)take(static_cast<std::uint64_t>(rest.data() - image_.data()), size);
    std::string name(reinterpret_cast<const char*>(rest.data()), size);
    expect(name.find('/') == std::string::npos, "names without '/'");
    return name;
  }

  Bytes image_;
  const std::string& name_;
  std::uint64_t left_;             // bytes of the file that nothing has yet
  std::uint64_t path_bytes_left_;  // that paths may still have
  std::map<std::string, PlainObject> objects_;
  std::map<std::uint64_t, std::string> headers_;  // paths by address
  std::vector<Link> links_;                       // still to be followed
  std::string path_;                              // of what is looked at, for messages
  Bytes names_;                                   // of the group that is looked at
  std::string prefix_;                            // and the beginning of their paths
};

}  // namespace

std::map<std::string, PlainObject> walk_plain(std::span<const std::byte> image, const std::string& name) {
  if (image.size() < 96) throw Error(ErrorKind::data, name + ": cut short, expected an HDF5 file");
  return Walk(image, name).run();
}

}  // namespace lockstep::h5
