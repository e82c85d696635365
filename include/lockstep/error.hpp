// The one exception type of lockstep.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace lockstep {

/// What went wrong, by who has to act.
enum class ErrorKind {
  usage,     ///< the caller passed arguments that the function does not take
  config,    ///< a run file, option or command line is wrong
  data,      ///< a data file or a checkpoint is wrong
  io,        ///< the file system refused
  comm,      ///< MPI failed; the Trainer that threw is unusable
  diverged,  ///< the training is no longer finite
  internal   ///< a bug in lockstep
};

/// An error with its kind and the place it was raised.
/// The message says what was expected, what was found, where, and what to try.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::source_location where = std::source_location::current())
      : std::runtime_error(message), kind_(kind), where_(where) {}

  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
  [[nodiscard]] const std::source_location& where() const noexcept { return where_; }

  /// True when every rank of the job throws this very error, so that the ranks
  /// may end in order and one of them prints it.
  [[nodiscard]] bool agreed() const noexcept { return agreed_; }
  [[nodiscard]] Error as_agreed() const {
    Error copy = *this;
    copy.agreed_ = true;
    return copy;
  }

 private:
  ErrorKind kind_;
  std::source_location where_;
  bool agreed_ = false;
};

}  // namespace lockstep
