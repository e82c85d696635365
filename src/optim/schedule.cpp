// The shapes of the learning rate over the steps, in the closed forms of torch.optim.lr_scheduler.
//
// A factor depends on the step alone, so a resumed run goes on with the very numbers. Beyond its length a schedule
// holds its last value.
#include "optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "optim/plateau.hpp"

namespace lockstep {
namespace {

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
    return static_cast<std::uint64_t>(options.integer(key));
  }
};

// How far `step` is on its way through `length`: 0 to 1.
double progress(std::uint64_t step, std::uint64_t length) {
  return static_cast<double>(std::min(step, length)) / static_cast<double>(length);
}

class Constant final : public Schedule {
 public:
  explicit Constant(Source& /*source*/) {}

 private:
  [[nodiscard]] double shape(std::uint64_t /*step*/) const override { return 1; }
};

class StepDecay final : public Schedule {
 public:
  explicit StepDecay(Source& source) : gamma_(source.options.number("gamma")) {
    step_size_ = static_cast<std::uint64_t>(source.options.integer("step_size"));
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
      : start_(source.options.number("start_factor")), end_(source.options.number("end_factor")) {
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
  explicit Polynomial(Source& source) : power_(source.options.number("power")) {
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
  explicit AtPlateaus(Source& source) { (void)Plateau({"plateau", source.options}, source.lr, false); }

 private:
  [[nodiscard]] double shape(std::uint64_t /*step*/) const override { return 1; }
};

template <class Type>
std::unique_ptr<Schedule> make(Source& source) {
  return std::make_unique<Type>(source);
}

struct ScheduleType {
  TypeInfo info;
  std::unique_ptr<Schedule> (*make)(Source& source) = nullptr;
};

using enum OptionType;

OptionInfo share(std::string_view name, double fallback, std::string_view what) {
  return {.name = name, .what = what, .fallback = fallback, .low = 0, .high = 1};
}
OptionInfo length(std::string_view name) {
  return {.name = name, .type = integer, .what = "over so many steps; else the rest of the run", .low = 1};
}
OptionInfo warmup_steps() {
  return {.name = "warmup_steps", .type = integer, .what = "", .fallback = 0, .low = 0};
}

const std::vector<ScheduleType>& table() {
  static const std::vector<ScheduleType> rows{
      {{"constant", "`lr`", {warmup_steps()}}, make<Constant>},
      {{"step",
        "`lr`, times `gamma` after every `step_size` steps",
        {{.name = "step_size", .type = integer, .what = "steps", .needed = true, .low = 1},
         at_least_0("gamma", 0.1, "the factor"),
         warmup_steps()}},
       make<StepDecay>},
      {{"linear",
        "a line from `lr` times `start_factor` to `lr` times `end_factor`",
        {share("start_factor", 1.0 / 3, "from 0 to 1"), share("end_factor", 1, "from 0 to 1"), length("total_iters"),
         warmup_steps()}},
       make<Linear>},
      {{"polynomial",
        "`lr` times (1 - t)^power, t from 0 to 1",
        {at_least_0("power", 1, "the power"), length("total_iters"), warmup_steps()}},
       make<Polynomial>},
      {{"cosine",
        "half a cosine from `lr` to `eta_min`",
        {at_least_0("eta_min", 0, "the least rate, no factor"), length("T_max"), warmup_steps()}},
       make<Cosine>},
      {Plateau::info(), make<AtPlateaus>},
  };
  return rows;
}

}  // namespace

double Schedule::factor(std::uint64_t step) const {
  if (step < warmup_steps_) return static_cast<double>(step + 1) / static_cast<double>(warmup_steps_);
  return shape(step - warmup_steps_);
}

std::vector<std::string_view> schedule_names() {
  std::vector<std::string_view> names;
  for (const ScheduleType& row : table()) names.push_back(row.info.name);
  return names;
}

std::vector<TypeInfo> schedule_types() {
  std::vector<TypeInfo> types;
  for (const ScheduleType& row : table()) {
    types.push_back(row.info);
    types.back().options.pop_back();  // the warm-up, which all have
  }
  return types;
}

std::unique_ptr<Schedule> make_schedule(const Component& config, double lr, std::uint64_t total_steps) {
  Options options = config.options;
  if (options.where().empty()) options.set_where("optimizer.schedule");
  const ScheduleType& row = find_type(table(), config.type, "schedule", options.where() + ".type");
  options = complete(row.info, options);
  const auto warmup = static_cast<std::uint64_t>(options.integer("warmup_steps"));
  Source source = {.options = options, .lr = lr, .rest = total_steps > warmup ? total_steps - warmup : 1};
  auto schedule = row.make(source);
  schedule->warmup_steps_ = warmup;
  schedule->spans_run_ = source.spans_run;
  return schedule;
}

}  // namespace lockstep
