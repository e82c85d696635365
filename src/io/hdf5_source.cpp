#include "io/hdf5_source.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "io/hdf5_call.hpp"

namespace lockstep::h5 {
namespace {

// What Python does about all that HDF5 alone does not read.
constexpr const char* kRewrite = "; rewrite it in Python: new.create_dataset(\"x\", data=old[\"x\"][()])";

std::optional<ElementType> integer_type(std::size_t bytes, bool is_signed) {
  if (bytes == 1) return is_signed ? ElementType::i8 : ElementType::u8;
  if (bytes == 2) return is_signed ? ElementType::i16 : ElementType::u16;
  if (bytes <= 4) return is_signed ? ElementType::i32 : ElementType::u32;
  if (bytes <= 8) return is_signed ? ElementType::i64 : ElementType::u64;
  return {};
}

// Of the filters that HDF5's registry numbers, those that users meet.
std::string filter_name(H5Z_filter_t id, const std::string& stored) {
  constexpr std::array<std::pair<H5Z_filter_t, const char*>, 16> known{{{H5Z_FILTER_DEFLATE, "deflate (gzip)"},
                                                                        {H5Z_FILTER_SZIP, "szip"},
                                                                        {307, "bzip2"},
                                                                        {32000, "lzf"},
                                                                        {32001, "blosc"},
                                                                        {32004, "lz4"},
                                                                        {32008, "bitshuffle"},
                                                                        {32013, "zfp"},
                                                                        {32015, "zstd"},
                                                                        {32017, "sz"},
                                                                        {32018, "fcidecomp"},
                                                                        {32019, "jpeg"},
                                                                        {32022, "bitgroom"},
                                                                        {32023, "granular bitround"},
                                                                        {32024, "sz3"},
                                                                        {32026, "blosc2"}}};
  for (const auto& [number, name] : known) {
    if (number == id) return name;
  }
  return stored.empty() ? "without a name" : stored;
}

struct LinkTarget {
  std::string file;  ///< empty: the same
  std::string path;
};

/// Of a soft or external link.
std::optional<LinkTarget> target_of(hid_t file, const std::string& path) {
  H5L_info_t info;
  if (H5Lget_info(file, path.c_str(), &info, H5P_DEFAULT) < 0) return {};
  if (info.type != H5L_TYPE_SOFT && info.type != H5L_TYPE_EXTERNAL) return {};
  std::vector<char> value(info.u.val_size + 1);
  if (H5Lget_val(file, path.c_str(), value.data(), info.u.val_size, H5P_DEFAULT) < 0) return {};
  if (info.type == H5L_TYPE_SOFT) return LinkTarget{"", value.data()};
  unsigned flags = 0;
  const char* other = nullptr;
  const char* place = nullptr;
  if (H5Lunpack_elink_val(value.data(), info.u.val_size, &flags, &other, &place) < 0) return {};
  return LinkTarget{other, place};
}

}  // namespace

std::optional<ElementType> element_type(hid_t type) {
  const std::size_t bytes = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      if (bytes <= 4) return ElementType::f32;
      return bytes <= 8 ? std::optional(ElementType::f64) : std::nullopt;
    case H5T_INTEGER:
      return integer_type(bytes, H5Tget_sign(type) != H5T_SGN_NONE);
    case H5T_ENUM: {
      const Handle base(H5Tget_super(type));  // of integers always
      return integer_type(bytes, H5Tget_sign(base.get()) != H5T_SGN_NONE);
    }
    default:
      return {};
  }
}

std::string what_else(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_STRING:
      return "holds texts, a run needs numbers; of classes store integers, as classes, labels = numpy.unique(texts, "
             "return_inverse=True) gives them, with the attribute classes = json.dumps(list(classes)), or let lockstep "
             "import make the file of a CSV table";
    case H5T_COMPOUND:
      return "holds records (a compound type, or complex numbers), a run needs plain numbers; store the fields as "
             "columns: "
             "numpy.stack([x[name] for name in x.dtype.names], axis=1), of complex numbers x.real and x.imag";
    case H5T_VLEN:
      return "holds lists of various lengths, a run needs rows of one length; store them as [n, columns], filled up or "
             "cut";
    case H5T_ARRAY:
      return "holds arrays as elements, a run needs plain numbers; store them with the arrays' dimensions as its own";
    case H5T_BITFIELD:
      return "holds bits, a run needs plain numbers; store it as x.astype(\"uint8\")";
    case H5T_REFERENCE:
      return "holds references, a run needs plain numbers; store what they lead to";
    case H5T_FLOAT:
    case H5T_INTEGER:
    case H5T_ENUM:
      return "holds numbers of " + std::to_string(H5Tget_size(type)) +
             " bytes, at most 8 are read; store it as x.astype(\"float64\")";
    default:
      return "does not hold plain numbers; expected float16, float32, float64, integers of up to 64 bits or truth "
             "values";
  }
}

void check_source(hid_t created, const std::string& name, const std::string& path) {
  const H5D_layout_t layout = H5Pget_layout(created);
  if (layout == H5D_VIRTUAL || (layout == H5D_CONTIGUOUS && H5Pget_external_count(created) != 0)) {
    throw Error(ErrorKind::data,
                name + ": " + path + " keeps its numbers in other files (" +
                    (layout == H5D_VIRTUAL ? "a virtual data set" : "external storage") +
                    "), which is not read, since what is missing there would be read as other numbers" + kRewrite);
  }
  const int filters = H5Pget_nfilters(created);
  for (int i = 0; i < filters; ++i) {
    std::array<char, 64> text{};
    std::size_t values = 0;
    const H5Z_filter_t id = H5Pget_filter2(created, static_cast<unsigned>(i), nullptr, &values, nullptr,
                                           text.size() - 1, text.data(), nullptr);
    if (id < 0) fail(ErrorKind::data, name, path + ": its filters cannot be read");
    unsigned can = 0;
    if (H5Zfilter_avail(id) > 0 && H5Zget_filter_info(id, &can) >= 0 && (can & H5Z_FILTER_CONFIG_DECODE_ENABLED) != 0) {
      continue;
    }
    throw Error(ErrorKind::data,
                name + ": " + path + " is packed with the filter " + filter_name(id, text.data()) + " (number " +
                    std::to_string(id) +
                    "), which HDF5 here does not have; rewrite it in Python, with gzip or none: "
                    "new.create_dataset(\"x\", data=old[\"x\"][()], compression=\"gzip\")" +
                    (id == 32000 ? "" : ", or name the folder of the filter's plugin in HDF5_PLUGIN_PATH"));
  }
}

std::string dangling_link(hid_t file, const std::string& path) {
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string prefix = path.substr(0, end);
    if (prefix.empty() || prefix.back() == '/') continue;
    if (H5Lexists(file, prefix.c_str(), H5P_DEFAULT) <= 0) return "";
    const std::optional<LinkTarget> target = target_of(file, prefix);
    if (!target || (may_follow(file, prefix) && H5Oexists_by_name(file, prefix.c_str(), H5P_DEFAULT) > 0)) continue;
    return prefix + " is a link to " + target->path + (target->file.empty() ? "" : " of file " + target->file) +
           ", which is not there or cannot be opened" +
           (target->file.empty() ? "" : " (looked for in the folder of this file, then in the working directory)");
  }
  return "";
}

bool may_follow(hid_t file, const std::string& path) {
  const std::optional<LinkTarget> target = target_of(file, path);
  if (!target || target->file.empty()) return true;
  std::vector<char> file_name(1024);
  H5Fget_name(file, file_name.data(), file_name.size() - 1);
  for (const std::filesystem::path& candidate :
       {std::filesystem::path(file_name.data()).parent_path() / target->file, std::filesystem::path(target->file)}) {
    std::error_code code;
    const auto status = std::filesystem::status(candidate, code);
    if (std::filesystem::exists(status) && status.type() != std::filesystem::file_type::regular) return false;
  }
  return true;
}

void expect_no_writer(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return;  // HDF5 tells why
  const bool written = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  if (!written) return;
  throw Error(ErrorKind::data,
              path +
                  ": another process has it open for writing, so what is in it may be half of what will be; close it "
                  "there first (in Python: file.close())");
}

}  // namespace lockstep::h5
