#include "import/date_text.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <numbers>

namespace lockstep {
namespace {

constexpr double kDaySeconds = 86400;

/// What comes next of a text that is taken piece by piece.
class Pieces {
 public:
  explicit Pieces(std::string_view text) : text_(text) {}

  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
  [[nodiscard]] bool take(char wanted) noexcept {
    if (text_.empty() || text_.front() != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// A number of just `digits` digits.
  [[nodiscard]] bool take(std::size_t digits, int& number) noexcept {
    if (text_.size() < digits) return false;
    const auto [end, code] = std::from_chars(text_.data(), text_.data() + digits, number);
    if (code != std::errc() || end != text_.data() + digits || text_.front() == '-') return false;
    text_.remove_prefix(digits);
    return true;
  }
  /// "0.5" of what stands behind a decimal point.
  [[nodiscard]] double take_fraction() noexcept {
    double value = 0;
    double place = 0.1;
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; text_.remove_prefix(1), place /= 10) {
      value += place * (text_.front() - '0');
    }
    return value;
  }

 private:
  std::string_view text_;
};

std::optional<double> days_of(int year, int month, int day) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (month < 1 || day < 1 || !date.ok()) return std::nullopt;
  return static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count());
}

std::optional<double> seconds_of(int hour, int minute, double second) {
  if (hour > 24 || minute > 59 || second >= 61 || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  return 3600.0 * hour + 60.0 * minute + second;
}

// "+01:00", "-0530", "Z" or nothing: seconds east of UTC.
std::optional<double> take_offset(Pieces& pieces) {
  if (pieces.take('Z') || pieces.empty()) return 0;
  const bool west = pieces.take('-');
  if (!west && !pieces.take('+')) return std::nullopt;
  int hours = 0;
  int minutes = 0;
  if (!pieces.take(2, hours)) return std::nullopt;
  (void)pieces.take(':');
  if (!pieces.empty() && !pieces.take(2, minutes)) return std::nullopt;
  return (west ? -1 : 1) * (3600.0 * hours + 60.0 * minutes);
}

std::optional<double> parse_iso(std::string_view text) {
  Pieces pieces(text);
  int year = 0;
  int month = 0;
  int day = 0;
  if (!pieces.take(4, year)) return std::nullopt;
  const bool slashes = pieces.take('/');
  if (!slashes && !pieces.take('-')) return std::nullopt;
  if (!pieces.take(2, month) || !pieces.take(slashes ? '/' : '-') || !pieces.take(2, day)) return std::nullopt;
  const std::optional<double> days = days_of(year, month, day);
  if (!days || pieces.empty()) return days;
  if (!pieces.take('T') && !pieces.take(' ')) return std::nullopt;
  int hour = 0;
  int minute = 0;
  int second = 0;
  double fraction = 0;
  if (!pieces.take(2, hour) || !pieces.take(':') || !pieces.take(2, minute)) return std::nullopt;
  if (pieces.take(':')) {
    if (!pieces.take(2, second)) return std::nullopt;
    if (pieces.take('.')) fraction = pieces.take_fraction();
  }
  const std::optional<double> offset = take_offset(pieces);
  const std::optional<double> seconds = seconds_of(hour, minute, second + fraction);
  if (!offset || !seconds || !pieces.empty()) return std::nullopt;
  return *days + (*seconds - *offset) / kDaySeconds;
}

std::optional<double> parse_by_format(std::string_view text, const std::string& format) {
  const std::string whole(text);  // strptime wants its end marked
  std::tm time{};
  time.tm_mday = 1;
  const char* const end = ::strptime(whole.c_str(), format.c_str(), &time);
  if (end == nullptr || end != whole.c_str() + whole.size()) return std::nullopt;
  const std::optional<double> days = days_of(time.tm_year + 1900, time.tm_mon + 1, time.tm_mday);
  const std::optional<double> seconds = seconds_of(time.tm_hour, time.tm_min, time.tm_sec);
  if (!days || !seconds) return std::nullopt;
  return *days + (*seconds - static_cast<double>(time.tm_gmtoff)) / kDaySeconds;
}

constexpr std::array<std::string_view, 7> kFeatures = {"days",     "year_sin", "year_cos", "week_sin",
                                                       "week_cos", "day_sin",  "day_cos"};

// `turn`: the part of a circle, from 0 to 1.
void put_turn(double turn, std::span<float> out) {
  const double angle = 2 * std::numbers::pi * turn;
  out[0] = static_cast<float>(std::sin(angle));
  out[1] = static_cast<float>(std::cos(angle));
}

}  // namespace

std::optional<double> parse_date(std::string_view text, const std::string& format) {
  return format.empty() ? parse_iso(text) : parse_by_format(text, format);
}

std::string date_text(double days) {
  const std::chrono::sys_seconds time{
      std::chrono::seconds(static_cast<std::int64_t>(std::llround(days * kDaySeconds)))};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::string text = fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  const std::chrono::hh_mm_ss clock(time - day);
  if (time == day) return text;
  return fmt::format("{} {:02}:{:02}:{:02}", text, clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::span<const std::string_view> date_features(bool time_of_day) noexcept {
  return std::span(kFeatures).first(time_of_day ? 7 : 5);
}

void expand_date(double days, bool time_of_day, std::span<float> out) {
  const double whole = std::floor(days);
  const double time = days - whole;
  const std::chrono::sys_days day{std::chrono::days(static_cast<std::int64_t>(whole))};
  const std::chrono::year year = std::chrono::year_month_day(day).year();
  const std::chrono::sys_days first{year / 1 / 1};
  const double of_year = static_cast<double>((day - first).count()) + time;
  const std::chrono::weekday weekday(day);
  out[0] = static_cast<float>(days);
  put_turn(of_year / (year.is_leap() ? 366 : 365), out.subspan(1, 2));
  put_turn((weekday.iso_encoding() - 1 + time) / 7, out.subspan(3, 2));
  if (time_of_day) put_turn(time, out.subspan(5, 2));
}

}  // namespace lockstep
