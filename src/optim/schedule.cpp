// The shapes of the learning rate over the steps, in the closed forms of torch.optim.lr_scheduler.
//
// A factor depends on the step alone, so a resumed run goes on with the very numbers. Beyond its length a schedule
// holds its last value.
#include "optim/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "lockstep/error.hpp"
#include "optim/elements.hpp"
#include "optim/plateau.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kMaxSteps = std::numeric_limits<std::int64_t>::max();

/// What a schedule is made from; remembers whether the run's length was used.
struct Source {
  const Options& options;
  double lr;           // base learning rate
  std::uint64_t rest;  // steps of the run behind the warm-up, at least 1
  bool spans_run = false;

  std::uint64_t length(std::string_view key) {
    if (!options.values().contains(std::string(key))) {
      spans_run = true;
      return rest;
    }
    return static_cast<std::uint64_t>(options.integer_in(key, 1, kMaxSteps));
  }
};

// How far `step` is on its way through `length`: 0 to 1.
double progress(std::uint64_t step, std::uint64_t length) {
  return static_cast<double>(std::min(step, length)) / static_cast<double>(length);
}

class Constant final : public Schedule {
 public:
  explicit Constant(Source& source) { source.options.expect_only({"warmup_steps"}); }

 private:
  [[nodiscard]] double shape(std::uint64_t /*step*/) const override { return 1; }
};

class StepDecay final : public Schedule {
 public:
  explicit StepDecay(Source& source) : gamma_(non_negative(source.options, "gamma", 0.1)) {
    source.options.expect_only({"step_size", "gamma", "warmup_steps"});
    step_size_ = static_cast<std::uint64_t>(source.options.integer_in("step_size", 1, kMaxSteps));
  }

 private:
  [[nodiscard]] double shape(std::uint64_t step) const override {
    return std::pow(gamma_, static_cast<double>(step / step_size_));
  }

  double gamma_;
  std::uint64_t step_size_ = 1;
};

class Linear final : public Schedule {
 public:
  explicit Linear(Source& source)
      : start_(source.options.number_in("start_factor", 0.0, 1.0, 1.0 / 3)),
        end_(source.options.number_in("end_factor", 0.0, 1.0, 1.0)) {
    source.options.expect_only({"start_factor", "end_factor", "total_iters", "warmup_steps"});
    length_ = source.length("total_iters");
  }

 private:
  [[nodiscard]] double shape(std::uint64_t step) const override {
    return start_ + (end_ - start_) * progress(step, length_);
  }

  double start_;
  double end_;
  std::uint64_t length_ = 1;
};

class Polynomial final : public Schedule {
 public:
  explicit Polynomial(Source& source) : power_(non_negative(source.options, "power", 1.0)) {
    source.options.expect_only({"total_iters", "power", "warmup_steps"});
    length_ = source.length("total_iters");
  }

 private:
  [[nodiscard]] double shape(std::uint64_t step) const override {
    return std::pow(1 - progress(step, length_), power_);
  }

  double power_;
  std::uint64_t length_ = 1;
};

/// Source: Loshchilov and Hutter, SGDR (2017), eq. 5, without restarts.
class Cosine final : public Schedule {
 public:
  explicit Cosine(Source& source) {
    source.options.expect_only({"T_max", "eta_min", "warmup_steps"});
    length_ = source.length("T_max");
    const double eta_min = source.options.number_in("eta_min", 0.0, source.lr, 0.0);
    if (eta_min > 0) floor_ = eta_min / source.lr;
  }

 private:
  [[nodiscard]] double shape(std::uint64_t step) const override {
    return floor_ + (1 - floor_) * (1 + std::cos(std::numbers::pi * progress(step, length_))) / 2;
  }

  double floor_ = 0;  // eta_min / lr
  std::uint64_t length_ = 1;
};

/// The rate falls by the scores, which are not known here: see optim/plateau.hpp. This is the warm-up.
class AtPlateaus final : public Schedule {
 public:
  explicit AtPlateaus(Source& source) {
    (void)Plateau({"plateau", source.options}, source.lr, false);
    (void)source.options.text("monitor", "auto");
  }

 private:
  [[nodiscard]] double shape(std::uint64_t /*step*/) const override { return 1; }
};

struct ScheduleType {
  std::string_view name;
  std::unique_ptr<Schedule> (*make)(Source& source);
};

template <class Type>
std::unique_ptr<Schedule> make(Source& source) {
  return std::make_unique<Type>(source);
}

constexpr std::array<ScheduleType, 6> kTable = {{
    {"constant", make<Constant>},
    {"step", make<StepDecay>},
    {"linear", make<Linear>},
    {"polynomial", make<Polynomial>},
    {"cosine", make<Cosine>},
    {"plateau", make<AtPlateaus>},
}};

}  // namespace

double Schedule::factor(std::uint64_t step) const {
  if (step < warmup_steps_) return static_cast<double>(step + 1) / static_cast<double>(warmup_steps_);
  return shape(step - warmup_steps_);
}

std::vector<std::string_view> schedule_names() {
  std::vector<std::string_view> names;
  for (const auto& row : kTable) names.push_back(row.name);
  return names;
}

std::unique_ptr<Schedule> make_schedule(const Component& config, double lr, std::uint64_t total_steps) {
  Options options = config.options;
  if (options.where().empty()) options.set_where("optimizer.schedule");
  const auto row =
      std::find_if(kTable.begin(), kTable.end(), [&](const auto& type) { return type.name == config.type; });
  if (row == kTable.end()) {
    std::string known;
    for (const auto name : schedule_names()) known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
    throw Error(ErrorKind::config, fmt::format("{}.type: unknown schedule \"{}\"; known schedules: {}", options.where(),
                                               config.type, known));
  }
  const auto warmup = static_cast<std::uint64_t>(options.integer_in("warmup_steps", 0, kMaxSteps, 0));
  Source source = {.options = options, .lr = lr, .rest = total_steps > warmup ? total_steps - warmup : 1};
  auto schedule = row->make(source);
  schedule->warmup_steps_ = warmup;
  schedule->spans_run_ = source.spans_run;
  return schedule;
}

}  // namespace lockstep
