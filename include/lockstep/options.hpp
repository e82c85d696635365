// Named values of a layer, loss, optimizer or schedule, as a run file gives them.
// Not a general document tree: values are scalars or lists of numbers.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lockstep {

/// One value. Construct from bool, int, double, text or a list of numbers.
class OptionValue {
 public:
  using Variant = std::variant<bool, std::int64_t, double, std::string, std::vector<double>>;

  OptionValue(bool value) : value_(value) {}                            // NOLINT(*-explicit-*)
  OptionValue(int value) : value_(std::int64_t{value}) {}               // NOLINT(*-explicit-*)
  OptionValue(std::int64_t value) : value_(value) {}                    // NOLINT(*-explicit-*)
  OptionValue(double value) : value_(value) {}                          // NOLINT(*-explicit-*)
  OptionValue(const char* value) : value_(std::string(value)) {}        // NOLINT(*-explicit-*)
  OptionValue(std::string value) : value_(std::move(value)) {}          // NOLINT(*-explicit-*)
  OptionValue(std::vector<double> value) : value_(std::move(value)) {}  // NOLINT(*-explicit-*)

  [[nodiscard]] const Variant& get() const noexcept { return value_; }
  bool operator==(const OptionValue&) const = default;

 private:
  Variant value_;
};

/// The options of one component, with typed reading whose errors name the key.
class Options {
 public:
  Options() = default;
  Options(std::initializer_list<std::pair<const std::string, OptionValue>> values) : values_(values) {}

  void set(std::string key, OptionValue value) { values_.insert_or_assign(std::move(key), std::move(value)); }
  /// Where these options stand in the run file ("model.layers[2]"), for messages.
  void set_where(std::string where) { where_ = std::move(where); }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  /// Keys that stand in the same table of the run file but are read by others, for the message on an unknown key.
  void set_neighbours(std::vector<std::string> keys) { neighbours_ = std::move(keys); }
  [[nodiscard]] const std::map<std::string, OptionValue>& values() const noexcept { return values_; }

  /// Throws config, listing `known`, when a key is not among them.
  void expect_only(std::span<const std::string_view> known) const;
  void expect_only(std::initializer_list<std::string_view> known) const {
    expect_only(std::span(known.begin(), known.end()));
  }

  /// Reading: the value, or `fallback` when the key is absent.
  /// Errors: config (absent without a fallback; another type), naming key and place.
  [[nodiscard]] std::int64_t integer(std::string_view key, std::optional<std::int64_t> fallback = {}) const;
  [[nodiscard]] double number(std::string_view key, std::optional<double> fallback = {}) const;
  [[nodiscard]] bool boolean(std::string_view key, std::optional<bool> fallback = {}) const;
  [[nodiscard]] std::string text(std::string_view key, std::optional<std::string> fallback = {}) const;
  [[nodiscard]] std::vector<double> numbers(std::string_view key,
                                            std::optional<std::vector<double>> fallback = {}) const;

  /// As integer()/number(), and throws config unless low <= value <= high.
  [[nodiscard]] std::int64_t integer_in(std::string_view key, std::int64_t low, std::int64_t high,
                                        std::optional<std::int64_t> fallback = {}) const;
  [[nodiscard]] double number_in(std::string_view key, double low, double high,
                                 std::optional<double> fallback = {}) const;

  bool operator==(const Options& other) const { return values_ == other.values_; }

 private:
  [[nodiscard]] const OptionValue* find(std::string_view key) const;
  [[noreturn]] void fail(std::string_view key, const std::string& what) const;

  std::map<std::string, OptionValue> values_;
  std::string where_;
  std::vector<std::string> neighbours_;
};

}  // namespace lockstep
