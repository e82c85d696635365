#include "cli/console.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace lockstep::cli {
namespace {

std::shared_ptr<spdlog::logger> make_logger() {
  auto logger = std::make_shared<spdlog::logger>("lockstep", std::make_shared<spdlog::sinks::stderr_sink_st>());
  logger->set_pattern("lockstep: %v");
  logger->flush_on(spdlog::level::info);
  return logger;
}

constexpr std::chrono::milliseconds kLiveInterval{100};
constexpr std::chrono::milliseconds kLineInterval{500};

}  // namespace

LogSink console_log(bool quiet) {
  return [logger = make_logger(), quiet](LogLevel level, std::string_view text) {
    if (level == LogLevel::warning) logger->warn("warning: {}", text);
    if (level == LogLevel::notice) logger->info("{}", text);
    if (level == LogLevel::info && !quiet) logger->info("{}", text);
  };
}

void print_to_stderr(const std::string& text) noexcept {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

std::string format_seconds(double seconds) {
  const auto whole = std::llround(seconds);
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

ConsoleProgress::ConsoleProgress(bool quiet) : mode_(isatty(STDERR_FILENO) != 0 ? Mode::live : Mode::lines) {
  if (const char* wish = std::getenv("LOCKSTEP_PROGRESS")) {
    const std::string_view name(wish);
    if (name == "live") mode_ = Mode::live;
    if (name == "lines") mode_ = Mode::lines;
    if (name == "none") mode_ = Mode::none;
  }
  if (quiet) mode_ = Mode::none;
}

void ConsoleProgress::on_step(const StepResult& step, const FitProgress& progress) {
  if (mode_ != Mode::live) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < kLiveInterval) return;
  last_ = now;
  print_to_stderr(fmt::format("\r\033[Kepoch {}/{}  step {}/{}  loss {:.5g}  {:.0f} samples/s  {} left", progress.epoch,
                              progress.epochs, step.step, progress.total_steps, progress.epoch_loss,
                              progress.samples_per_second, format_seconds(progress.seconds_left)));
}

void ConsoleProgress::on_epoch(const FitProgress& progress, const EpochScores& scores) {
  if (mode_ == Mode::none) return;
  const auto now = std::chrono::steady_clock::now();
  if (mode_ == Mode::lines && now - last_ < kLineInterval && progress.epoch != 1 && !progress.last_epoch) return;
  last_ = now;
  std::string text;
  for (const auto& [split, of_split] : {std::pair{"validation", &scores.validation}, {"test", &scores.test}}) {
    if (!*of_split) continue;
    for (const auto& [name, value] : (*of_split)->named()) text += fmt::format("  {} {} {:.5g}", split, name, value);
  }
  print_to_stderr(fmt::format("{}epoch {}/{}  loss {:.5g}{}  {:.0f} samples/s  {} left\n",
                              mode_ == Mode::live ? "\r\033[K" : "", progress.epoch, progress.epochs, scores.train_loss,
                              text, progress.samples_per_second, format_seconds(progress.seconds_left)));
}

}  // namespace lockstep::cli
