#include "run/deadline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "core/duration.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr double kSpare = 1.0;  // for the end of the processes themselves [s]

// Seconds until the time that an environment variable tells, in seconds since 1970.
std::optional<double> seconds_until(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return {};
  const std::string_view digits(text);
  std::int64_t end = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), end);
  if (error != std::errc{} || stop != digits.data() + digits.size()) return {};
  return static_cast<double>(end - std::time(nullptr));
}

}  // namespace

Deadline::Deadline(const std::string& limit, Clock::time_point started) {
  std::optional<double> seconds;
  if (limit == "auto") {
    started = Clock::now();
    source_ = "the batch system";
    seconds = seconds_until("LOCKSTEP_JOB_END_TIME");
    if (!seconds) {
      seconds = seconds_until("SLURM_JOB_END_TIME");
      source_ = "Slurm";
    }
  } else if (limit != "none") {
    seconds = parse_duration(limit);
    source_ = "train.time_limit";
    if (!seconds) {
      throw Error(ErrorKind::config,
                  fmt::format("train.time_limit: expected auto, none or a time such as \"1h55m\", \"90m\" or "
                              "\"1:55:00\", found \"{}\"",
                              limit));
    }
  }
  if (seconds) end_ = started + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(*seconds));
}

std::string Deadline::describe() const {
  const auto left = seconds_left();
  return left ? fmt::format("{} leaves {:.0f} s: the run saves and stops before", source_, *left) : "";
}

std::optional<double> Deadline::seconds_left() const {
  if (!end_) return {};
  return std::chrono::duration<double>(*end_ - Clock::now()).count();
}

bool Deadline::is_near(double save_seconds, bool scores) const {
  const auto left = seconds_left();
  return left && *left < 2 * save_seconds + 1.5 * step_ + (scores ? 1.5 * scoring_ : 0) + kSpare;
}

}  // namespace lockstep
