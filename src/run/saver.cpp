#include "run/saver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <new>
#include <system_error>

#include "checkpoint/retention.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Saver::Saver(const Communicator& comm, std::string folder, LogSink log)
    : comm_(comm), folder_(std::move(folder)), log_(std::move(log)) {}

void Saver::save(Engine& engine, const CheckpointConfig& config, const std::function<void()>& ready) {
  const std::uint64_t step = engine.info.position.step;
  const auto start = std::chrono::steady_clock::now();
  const During saving(comm_.pulse(), Phase::saving);
  Engine::State state;
  bool wanted = comm_.is_root() && (begun_step_ != step || is_gone());
  if (wanted) {
    finish();
    if (ready) ready();
    try {
      state = engine.make_state();
    } catch (const std::bad_alloc&) {
      failed(checkpoint_path(folder_, step), "out of memory");
      wanted = false;
    }
  }
  if (comm_.combine(wanted ? 1U : 0U) == 0) return;
  const auto begun = std::chrono::steady_clock::now();
  engine.gather_state(state);
  if (!comm_.is_root()) return;
  CheckpointJob job{folder_, step, config.keep, best_to_spare(engine.info)};
  const std::string path = checkpoint_path(folder_, step);
  try {
    if (!writer_) writer_.emplace();
    h5::FileImage image = engine.build_checkpoint(path, state);
    build_seconds_ = since(begun);
    begun_step_ = step;
    busy_ = true;
    writer_->start(std::move(job), std::move(image));
  } catch (const Error& error) {
    failed(path, error.what());
  } catch (const std::bad_alloc&) {
    failed(path, "out of memory");
  }
  stall_seconds_ += since(start);
}

// Whether the last checkpoint was written, and is not there any more.
bool Saver::is_gone() const {
  std::error_code error;
  return !busy_ && !saved_.empty() && !std::filesystem::exists(saved_, error) && !error;
}

// The best so far; where that could not be saved, the best that is there.
std::optional<std::uint64_t> Saver::best_to_spare(const CheckpointInfo& info) {
  if (!info.best) return {};
  std::error_code ignored;
  if (std::filesystem::is_regular_file(checkpoint_path(folder_, info.best->step), ignored))
    best_on_disk_ = info.best->step;
  return info.best->step == info.position.step ? info.best->step : best_on_disk_;
}

void Saver::poll() {
  if (!writer_) return;
  if (const auto outcome = writer_->take_outcome()) tell(*outcome);
}

void Saver::finish() {
  if (!writer_) return;
  if (const auto outcome = writer_->wait([this] { comm_.pulse().beat(); })) tell(*outcome);
}

void Saver::tell(const CheckpointOutcome& outcome) {
  busy_ = false;
  last_ = std::chrono::steady_clock::now();
  if (Timeline* const timeline = comm_.pulse().timeline) {
    const auto length = std::chrono::nanoseconds(static_cast<std::int64_t>(outcome.seconds * 1e9));
    timeline->add(Timeline::Thread::writer, Phase::saving, outcome.step, outcome.begin, outcome.begin + length);
  }
  const double whole = build_seconds_ + outcome.seconds;
  seconds_ += whole;
  longest_ = std::max(longest_, whole);
  if (!outcome.error.empty()) {
    failed(outcome.path, outcome.error);
    return;
  }
  saved_ = outcome.path;
  saved_step_ = outcome.step;
  error_.clear();
  if (!outcome.complaint.empty() && log_) log_(LogLevel::warning, outcome.complaint);
}

void Saver::failed(const std::string& path, const std::string& error) {
  begun_step_.reset();
  error_ = error;
  if (!log_) return;
  const std::string what = error.starts_with(path) ? error : path + ": " + error;
  log_(LogLevel::warning,
       fmt::format("a checkpoint is not saved, the training goes on and tries again at the next one: {}", what));
}

std::string Saver::last_checkpoint(const std::string& before) const {
  const std::string& last = saved_.empty() ? before : saved_;
  return last.empty() ? "there is no checkpoint" : "the last checkpoint is " + last;
}

std::string Saver::lost_state(std::uint64_t step, const std::string& before) const {
  return fmt::format("the state after step {} could not be saved: {}; {}", step, error_, last_checkpoint(before));
}

double Saver::age() const {
  return busy_ ? 0 : since(last_);
}

double Saver::expected_seconds(const Engine& engine) const {
  constexpr double kBytesPerSecond = 1e8;  // of a slow disk
  return longest_ > 0 ? longest_ : static_cast<double>(engine.checkpoint_bytes()) / kBytesPerSecond;
}

}  // namespace lockstep
