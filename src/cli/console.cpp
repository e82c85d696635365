#include "cli/console.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/visible_text.hpp"

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
constexpr std::chrono::seconds kLongestSilence{60};

// "0:05", "12:05", "2:10:00".
std::string clock_text(double seconds) {
  const auto whole = std::llround(seconds);
  const auto minutes = whole / 60 % 60;
  if (whole < 3600) return fmt::format("{}:{:02}", minutes, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, minutes, whole % 60);
}

// "905", "90.5k", "1.23M".
std::string short_rate(double rate) {
  if (rate < 1e3) return fmt::format("{:.0f}", rate);
  if (rate < 999.5e3) return fmt::format("{:.3g}k", rate / 1e3);
  return fmt::format("{:.3g}M", rate / 1e6);
}

// The columns of the terminal behind stderr, as it says or as the environment variable COLUMNS does.
std::optional<std::size_t> terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  if (const char* columns = std::getenv("COLUMNS")) {
    const long width = std::strtol(columns, nullptr, 10);
    if (width > 0) return static_cast<std::size_t>(width);
  }
  // mpirun stands between a rank and its terminal, which may still be that of its session.
  const int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) return {};
  const bool known = ioctl(terminal, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  close(terminal);
  return known ? std::optional<std::size_t>(size.ws_col) : std::nullopt;
}

// What is known once this start has made a step; nothing before.
std::string pace_text(const FitProgress& progress) {
  if (!(progress.samples_per_second > 0)) return "";
  return fmt::format("  {:.0f} samples/s  {} left", progress.samples_per_second, format_seconds(progress.seconds_left));
}
std::string short_pace_text(const FitProgress& progress) {
  if (!(progress.samples_per_second > 0)) return "";
  return fmt::format("  {:>5}/s  {} left", short_rate(progress.samples_per_second), clock_text(progress.seconds_left));
}

// A score of a line, and how much it is wanted there: the lowest first. Numbers are as wide in each line, so that they
// stand below each other and the same ones have room.
struct ShownScore {
  std::string text;
  int rank;
};

constexpr std::string_view kShownScores[] = {"loss", "accuracy", "top5", "macro_recall", "r2", "rmse", "mae"};

// Some scores in the order of the run folder, which has all. Of each split one is what people look for: accuracy, or
// the loss of a regression; of test data first.
std::vector<ShownScore> shown_scores(const EpochScores& scores) {
  std::vector<ShownScore> shown;
  for (const auto& [split, of_split] : {std::pair{"validation", &scores.validation}, {"test", &scores.test}}) {
    if (!*of_split) continue;
    const auto named = (*of_split)->named();
    const bool classes = std::ranges::any_of(named, [](const auto& score) { return score.first == "accuracy"; });
    for (const auto& [name, value] : named) {
      if (std::ranges::find(kShownScores, name) == std::end(kShownScores)) continue;
      const bool first = name == (classes ? "accuracy" : "loss");
      const bool test = of_split == &scores.test;
      shown.push_back({.text = fmt::format("  {} {} {:<8.5g}", split, name, value),
                       .rank = first ? (test ? 0 : 1) : (test ? 2 : 3)});
    }
  }
  return shown;
}

}  // namespace

std::string epoch_line(const FitProgress& progress, const EpochScores& scores, std::size_t width) {
  const std::string epochs = std::to_string(progress.epochs);
  const std::string begin =
      fmt::format("epoch {:>{}}/{}  loss {:<8.5g}", progress.epoch, epochs.size(), epochs, scores.train_loss);
  const std::vector<ShownScore> shown = shown_scores(scores);
  std::vector<bool> taken(shown.size());
  const auto line = [&](const std::string& end) {
    std::string text = begin;
    for (std::size_t i = 0; i < shown.size(); ++i) text += taken[i] ? shown[i].text : "";
    text += end;
    return text.substr(0, text.find_last_not_of(' ') + 1);
  };
  const auto fits = [&](const std::string& end) { return line(end).size() < width; };
  taken.assign(shown.size(), true);
  if (const std::string end = pace_text(progress); fits(end)) return line(end);
  // Speed and time left have room, and of the scores as many as fit, those first that are looked for most.
  const std::string end = short_pace_text(progress);
  taken.assign(shown.size(), false);
  for (int rank = 0; rank <= 3; ++rank) {
    for (std::size_t i = 0; i < shown.size(); ++i) {
      if (shown[i].rank != rank) continue;
      taken[i] = true;
      taken[i] = fits(end);
    }
  }
  return fits(end) ? line(end) : progress_line(0, progress, width);
}

std::string progress_line(std::uint64_t step, const FitProgress& progress, std::size_t width) {
  const double loss = progress.epoch_loss;
  const double left = progress.seconds_left;
  const std::string epoch_text = fmt::format("epoch {}/{}", progress.epoch, progress.epochs);
  const std::string step_text = fmt::format("step {}/{}", step, progress.total_steps);
  const std::string forms[] = {
      fmt::format("{}  {}  loss {:.5g}{}", epoch_text, step_text, loss, pace_text(progress)),
      fmt::format("{}  {}  loss {:.4g}{}", epoch_text, step_text, loss, short_pace_text(progress)),
      fmt::format("{}  loss {:.4g}{}", epoch_text, loss, short_pace_text(progress)),
      fmt::format("{}  loss {:.4g}  {} left", epoch_text, loss, clock_text(left)),
      fmt::format("{}/{}  {:.3g}  {}", progress.epoch, progress.epochs, loss, clock_text(left)),
  };
  // One column stays free: some terminals wrap when the last is filled.
  for (const std::string& form : forms) {
    if (form.size() < width) return form;
  }
  return forms[std::size(forms) - 1].substr(0, std::max<std::size_t>(width, 1) - 1);
}

LogSink console_log(bool quiet, ConsoleProgress& progress) {
  return [logger = make_logger(), quiet, &progress](LogLevel level, std::string_view text) {
    progress.clear();
    if (level == LogLevel::warning) logger->warn("warning: {}", visible(text));
    if (level == LogLevel::notice) logger->info("{}", visible(text));
    if (level == LogLevel::info && !quiet) logger->info("{}", visible(text));
  };
}

void tell_notices(const Communicator& comm, const std::vector<std::string>& notices) {
  if (!comm.is_root()) return;
  const auto logger = make_logger();
  for (const std::string& text : notices) logger->info("{}", visible(text));
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

void ConsoleProgress::clear() {
  if (!shown_) return;
  print_to_stderr("\r\033[K");
  shown_ = false;
}

void ConsoleProgress::on_step(const StepResult& step, const FitProgress& progress) {
  if (mode_ == Mode::none) return;
  const auto now = std::chrono::steady_clock::now();
  if (mode_ == Mode::lines) {
    if (last_ == decltype(last_){}) last_ = now;
    if (now - last_ < kLongestSilence) return;
    last_ = now;
    print_to_stderr(progress_line(step.step, progress, width()) + "\n");
    return;
  }
  if (now - last_ >= kLiveInterval) show(progress_line(step.step, progress, width()));
}

void ConsoleProgress::on_work(std::size_t done, std::size_t all, const char* what) {
  if (mode_ != Mode::live || std::chrono::steady_clock::now() - last_ < kLiveInterval) return;
  const std::string line = fmt::format("{}/{} {}", done, all, what);
  show(line.substr(0, std::max<std::size_t>(width(), 1) - 1));
}

std::size_t ConsoleProgress::width() const {
  constexpr std::size_t usual = 80;
  return terminal_width().value_or(mode_ == Mode::live ? usual : std::string::npos);
}

void ConsoleProgress::show(const std::string& line) {
  last_ = std::chrono::steady_clock::now();
  shown_ = true;
  print_to_stderr("\r\033[K" + line);
}

void ConsoleProgress::on_epoch(const FitProgress& progress, const EpochScores& scores) {
  if (mode_ == Mode::none) return;
  const auto now = std::chrono::steady_clock::now();
  if (mode_ == Mode::lines && now - last_ < kLineInterval && progress.epoch != 1 && !progress.last_epoch) return;
  last_ = now;
  const std::string line = epoch_line(progress, scores, width());
  clear();
  print_to_stderr(line + "\n");
}

}  // namespace lockstep::cli
