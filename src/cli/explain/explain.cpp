// lockstep explain: backpropagation on a run's own net and data, with the numbers that training uses.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "cli/explain/check.hpp"
#include "cli/explain/ranks.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/subject.hpp"
#include "comm/communicator.hpp"
#include "core/json_text.hpp"
#include "explain/explanation.hpp"
#include "explain/json.hpp"
#include "explain/network_svg.hpp"
#include "explain/page.hpp"
#include "explain/text.hpp"
#include "feed/chosen_samples.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

// A batch of one sample, in the shard that the plan gives it to.
class OneSample final : public Batch {
 public:
  OneSample(const ChosenSamples& sample, const ShardPlan& plan) : sample_(sample), plan_(plan) {}

  [[nodiscard]] std::size_t samples() const override { return 1; }
  [[nodiscard]] SampleExtras extras() const override {
    return {.weights = !sample_.weights.empty(), .missing = sample_.may_miss};
  }
  [[nodiscard]] std::size_t rows(std::size_t shard) const override { return plan_.rows(1, shard).size(); }
  void gather(std::size_t shard, const BatchRows& to) override {
    if (rows(shard) == 0) return;
    std::ranges::copy(sample_.x, to.x.begin());
    std::ranges::copy(sample_.values, to.values.begin());
    std::ranges::copy(sample_.labels, to.labels.begin());
    std::ranges::copy(sample_.samples, to.samples.begin());
    std::ranges::copy(sample_.weights, to.weights.begin());
  }

 private:
  const ChosenSamples& sample_;
  const ShardPlan& plan_;
};

// --check and --ranks each show something else than one sample. Errors: usage.
void check_options(const CommandInput& input) {
  const auto refuse = [&](std::initializer_list<const char*> others, const char* with, const char* why) {
    for (const char* other : others) {
      if (input.options.count(other) == 0) continue;
      throw Error(ErrorKind::usage, fmt::format("explain: --{} {} --{}", other, why, with));
    }
  };
  if (input.options.count("ranks") != 0) {
    refuse({"sample", "html", "svg", "check"}, "ranks", "does not go with");
  }
  if (input.options.count("check") != 0) {
    refuse({"weight", "html", "svg"}, "check", "does not go with");
  } else {
    refuse({"tolerance", "most"}, "check", "is for");
  }
}

std::optional<WeightPlace> chosen_weight(const CommandInput& input, const Model& model) {
  if (input.options.count("weight") == 0) return std::nullopt;
  return find_weight(model.parameters(), input.options["weight"].as<std::string>(), "--weight");
}

// How a step moves the weights: as a formula where it goes by this gradient and the weight alone.
std::string update_rule(const OptimizerConfig& optimizer, double lr, double clip) {
  if (lr == 0) return "the learning rate of this step is 0, so nothing moves";
  if (optimizer.type != "sgd" || optimizer.options.number("momentum", 0.0) > 0) {
    return fmt::format("by {}, which goes by more than this gradient", optimizer.type);
  }
  const double decay = optimizer.options.number("weight_decay", 0.0);
  const std::string gradient = clip < 1 ? fmt::format("{:.7g} * dC/dw", clip) : "dC/dw";
  return decay > 0 ? fmt::format("w - {:.7g} * ({} + {:.7g} * w)", lr, gradient, decay)
                   : fmt::format("w - {:.7g} * {}", lr, gradient);
}

// The step of all ranks, told by rank 0: on the others its numbers are missing.
Explanation explain_step(const CommandInput& input, Subject& subject) {
  const Communicator& comm = *input.comm;
  Engine& engine = *subject.prepared.engine;
  const RunConfig& run = subject.prepared.run;
  std::optional<WeightPlace> weight;
  ChosenSamples sample;
  comm.together([&] {
    weight = chosen_weight(input, engine.model());
    sample = read_samples(subject.prepared.data.train, subject.prepared.data.normalization, engine.loss().targets(),
                          {chosen_sample(input)});
    check_explainable(run.model, engine.model(), engine.loss(), {sample.x, sample.targets(), sample.samples}, weight);
  });
  engine.settle();
  std::vector<float> before;
  comm.at_root([&] { before.assign(engine.weights().begin(), engine.weights().end()); });
  const std::uint64_t step = engine.info.position.step;
  OneSample batch(sample, engine.shards());
  const StepResult result = engine.train_step(batch);
  engine.settle();
  Explanation explanation;
  comm.at_root([&] {
    const Pass pass{true, static_cast<std::uint64_t>(run.seed), static_cast<std::uint32_t>(step), sample.samples};
    explanation = explain_sample({run.model,
                                  engine.model(),
                                  engine.loss(),
                                  before,
                                  engine.weights(),
                                  {sample.x, sample.targets(), sample.samples},
                                  pass,
                                  weight,
                                  [&] { comm.pulse().beat(); }});
  });
  explanation.subject = subject.name;
  explanation.run = run.name;
  explanation.data = subject.prepared.data.train.source;
  explanation.class_names = engine.info.class_names;
  explanation.optimizer = run.optimizer.type;
  explanation.learning_rate = result.learning_rate;
  explanation.gradient_norm = result.gradient_norm;
  if (run.optimizer.clip_norm > 0 && result.gradient_norm) {
    explanation.clip = std::min(1.0, run.optimizer.clip_norm / (*result.gradient_norm + 1e-6));
  }
  explanation.update_rule = update_rule(run.optimizer, explanation.learning_rate, explanation.clip);
  return explanation;
}

// A drawing that the command writes: its option, its file, and what is in it.
struct Picture {
  const char* option;
  std::string (*draw)(const Explanation&);
  std::string file = {};
};

// Those that are wished for, before anything is computed. Errors: usage.
std::vector<Picture> pictures_of(const CommandInput& input) {
  namespace fs = std::filesystem;
  std::vector<Picture> pictures;
  for (Picture picture : {Picture{"html", explanation_page}, Picture{"svg", network_svg}}) {
    if (input.options.count(picture.option) == 0) continue;
    picture.file = input.options[picture.option].as<std::string>();
    const auto refuse = [&](const std::string& why) {
      throw Error(ErrorKind::usage, fmt::format("--{} {}: {}", picture.option, picture.file, why));
    };
    const fs::path path(picture.file);
    std::error_code ignored;
    if (!path.has_filename()) refuse("expected a file, found a folder or nothing");
    // A new file takes the place of the old one; that of a device or pipe would be lost.
    if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
      refuse("expected a file, found a folder, device or pipe");
    }
    const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
    if (!fs::is_directory(folder, ignored)) refuse(fmt::format("there is no folder {}", folder.string()));
    for (const Picture& other : pictures) {
      if (fs::path(other.file).lexically_normal() == path.lexically_normal()) {
        refuse(fmt::format("--{} names the same file", other.option));
      }
    }
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

}  // namespace

int run_explain(const CommandInput& input) {
  input.comm->together([&] { check_options(input); });
  std::vector<Picture> pictures;
  input.comm->at_root([&] { pictures = pictures_of(input); });
  const bool shows_shards = input.options.count("ranks") != 0;
  Subject subject = open_subject(input, !shows_shards);
  if (shows_shards) return explain_ranks(input, subject);
  if (input.options.count("check") != 0) return explain_check(input, subject);
  const Explanation explanation = explain_step(input, subject);
  input.comm->at_root([&] {
    for (const Picture& picture : pictures) {
      const std::string text = picture.draw(explanation);
      const std::array<std::span<const std::byte>, 1> parts{std::as_bytes(std::span(text))};
      write_file_atomically(picture.file, parts);
    }
  });
  if (!input.comm->is_root()) return 0;
  if (input.options.count("json") != 0) {
    tell_lines(json_text(explanation_json(explanation)) + "\n");
  } else {
    tell_lines(explanation_text(explanation));
    if (!pictures.empty()) tell("\n");
    for (const Picture& picture : pictures) tell("{}\n", picture.file);
  }
  return 0;
}

std::uint32_t chosen_sample(const CommandInput& input) {
  const auto sample = input.options["sample"].as<std::int64_t>();
  if (sample < 0 || sample > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::usage, fmt::format("--sample: expected the number of a training sample, counted from 0, "
                                              "found {}",
                                              sample));
  }
  return static_cast<std::uint32_t>(sample);
}

}  // namespace lockstep::cli
