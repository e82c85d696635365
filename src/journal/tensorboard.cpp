// Source of the record format: tensorflow/core/lib/io/record_writer.h; of the messages and their field numbers:
// tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto.
#include "journal/tensorboard.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "core/crc32c.hpp"
#include "core/folder_names.hpp"
#include "io/places.hpp"
#include "io/protobuf.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kPrefix = "events.out.tfevents.";

// Fields of Event.
constexpr int kWallTime = 1;
constexpr int kStep = 2;
constexpr int kFileVersion = 3;
constexpr int kSummary = 5;
constexpr int kSessionLog = 7;
// Of Summary, of its values, and of SessionLog.
constexpr int kValue = 1;
constexpr int kTag = 1;
constexpr int kSimpleValue = 2;
constexpr int kStatus = 1;
constexpr int kStart = 1;  // a status

void add_little_endian(std::string& bytes, std::uint64_t value, int width) {
  for (int byte = 0; byte < width; ++byte) bytes += static_cast<char>(value >> (8 * byte) & 0xffU);
}

// Checksums of data that hold checksums would be weak.
std::uint32_t masked(std::uint32_t crc) {
  return ((crc >> 15U) | (crc << 17U)) + 0xa282ead8U;
}

std::string record_of(const ProtobufMessage& event) {
  std::string record;
  add_little_endian(record, event.bytes().size(), 8);
  add_little_endian(record, masked(crc32c(record)), 4);
  record += event.bytes();
  add_little_endian(record, masked(crc32c(event.bytes())), 4);
  return record;
}

ProtobufMessage event_at(std::uint64_t step) {
  ProtobufMessage event;
  event.number(kWallTime, std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
  event.integer(kStep, static_cast<std::int64_t>(step));
  return event;
}

std::vector<std::filesystem::path> event_files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code ignored;  // there may be no such folder
  for (const std::string& name : names_in(folder, ignored)) {
    if (name.starts_with(kPrefix)) files.push_back(std::filesystem::path(folder) / name);
  }
  return files;
}

// TensorBoard reads files in the order of their names, which begin with the time of their start: two starts may fall
// into one second, and a clock may be set back.
std::string new_file(const std::string& folder) {
  using std::chrono::seconds;
  auto stamp = std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (const std::filesystem::path& path : event_files(folder)) {
    const std::string name = path.filename().string();
    std::int64_t other = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), other);
    stamp = std::max(stamp, other + 1);
  }
  std::array<char, 256> host{};  // zeros behind a name that is cut off
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '-';
  return fmt::format("{}/{}{:010}.{}", folder, kPrefix, stamp, host.data());
}

}  // namespace

EventFile::EventFile(const std::string& folder, std::uint64_t step) {
  make_folders(folder);
  file_ = RowFile(new_file(folder));
  ProtobufMessage version = event_at(0);
  version.text(kFileVersion, "brain.Event:2");
  ProtobufMessage status;
  status.integer(kStatus, kStart);
  ProtobufMessage start = event_at(step + 1);  // what earlier files have of this step and later ones does not count
  start.message(kSessionLog, status);
  if (const std::string problem = file_.add(record_of(version) + record_of(start)); !problem.empty())
    throw Error(ErrorKind::io, problem);
}

std::string EventFile::add(std::uint64_t step, const std::vector<TaggedValue>& values) {
  ProtobufMessage summary;
  for (const TaggedValue& tagged : values) {
    ProtobufMessage value;
    value.text(kTag, tagged.tag);
    value.number(kSimpleValue, static_cast<float>(tagged.value));
    summary.message(kValue, value);
  }
  ProtobufMessage event = event_at(step);
  event.message(kSummary, summary);
  return file_.add(record_of(event));
}

bool has_event_files(const std::string& folder) {
  return !event_files(folder).empty();
}

void remove_event_files(const std::string& folder) {
  for (const std::filesystem::path& path : event_files(folder)) {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) throw Error(ErrorKind::io, fmt::format("{} cannot be removed: {}", path.string(), error.message()));
  }
}

}  // namespace lockstep
