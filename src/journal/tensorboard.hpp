// A run as TensorBoard reads it: event files, each a row of records, each record a message of Protocol Buffers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/files.hpp"

namespace lockstep {

/// A number and what it is called: "train/loss".
struct TaggedValue {
  std::string tag;
  double value = 0;
};

/// The events of one start of a run, from step `step` on. Every start has a file of its own, later in the order of
/// names than those of earlier starts, and begins it by saying which steps of theirs are not done any more.
class EventFile {
 public:
  EventFile() = default;
  /// Makes `folder` if need be, and a new file in it. Errors: io.
  EventFile(const std::string& folder, std::uint64_t step);

  /// Appends values of `step`. Returns what is wrong, if anything: they are kept then, and written with later ones.
  std::string add(std::uint64_t step, const std::vector<TaggedValue>& values);
  /// Tries once more to write what could not be written; returns what is wrong.
  std::string finish() { return file_.finish(); }

 private:
  RowFile file_;
};

/// Whether `folder` holds event files.
[[nodiscard]] bool has_event_files(const std::string& folder);
/// Removes them. Errors: io.
void remove_event_files(const std::string& folder);

}  // namespace lockstep
