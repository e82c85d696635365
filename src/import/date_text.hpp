// Dates and times of tables: read, and as the numbers that a net learns from.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

/// Days since 1970-01-01 00:00 UTC, with the time of the day as a fraction. Unset: no such date.
/// Without a format, ISO 8601 and what is near it: 2024-01-31 or 2024/01/31, maybe with a time behind a T or a space,
/// 23:59, 23:59:59 or 23:59:59.5, maybe with Z or an offset, +01:00. A format is that of strptime, "%d.%m.%Y" say, and
/// takes all of the text.
[[nodiscard]] std::optional<double> parse_date(std::string_view text, const std::string& format);

/// "2024-01-31", with " 23:59:59" where the time is not 0.
[[nodiscard]] std::string date_text(double days);

/// Dates lie within so many days of 1970.
inline constexpr double kMostDays = 1e7;

/// What a date becomes: "days" since 1970-01-01; where it is in the year, and in the week from Monday on, as sine and
/// cosine, so that December lies beside January; and of the day, where there are times.
[[nodiscard]] std::span<const std::string_view> date_features(bool time_of_day) noexcept;

/// Those numbers, as many as date_features names, into `out`.
void expand_date(double days, bool time_of_day, std::span<float> out);

}  // namespace lockstep
