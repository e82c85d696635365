// lockstep predict: a checkpoint's answers to samples, as a file.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "cli/console.hpp"
#include "cli/csv_input.hpp"
#include "cli/data_option.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/shared_net.hpp"
#include "comm/communicator.hpp"
#include "config/data_place.hpp"
#include "core/number_text.hpp"
#include "data/file_list.hpp"
#include "data/open_dataset.hpp"
#include "feed/load_dataset.hpp"
#include "feed/matched_data.hpp"
#include "feed/windowed_data.hpp"
#include "lockstep/error.hpp"
#include "lockstep/version.hpp"
#include "score/prediction.hpp"

namespace lockstep::cli {
namespace {

// Local; whether there is room for the output shows when it is written.
std::string output_file(const CommandInput& input) {
  if (input.options.count("output") == 0) {
    throw Error(ErrorKind::usage, "predict: --output OUT.h5 (or OUT.csv) is needed; see lockstep predict --help");
  }
  return input.options["output"].as<std::string>();
}

// By rank 0, before anything is computed.
void check_place(const CommandInput& input, const std::string& output, const DataSource& source) {
  std::error_code ignored;
  const std::filesystem::path path(output);
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw Error(ErrorKind::usage, fmt::format("--output {}: there is no folder {}", output, folder.string()));
  }
  for (const DataSource& file : list_files(source, {})) {
    if (!std::filesystem::equivalent(path, find_place(file.x).file, ignored)) continue;
    throw Error(ErrorKind::usage, fmt::format("--output {}: this is the file of the samples", output));
  }
  if (std::filesystem::exists(path, ignored) && input.options.count("overwrite") == 0) {
    throw Error(ErrorKind::usage, fmt::format("{} is there already; give --overwrite to replace it", output));
  }
}

// All ranks must read the same; more than its shape cannot be seen without reading it.
void check_same_shape(const Communicator& comm, const TableHeader& x) {
  const std::string mine = fmt::format("{} x {} of type {}", x.rows, x.columns, static_cast<int>(x.type));
  const std::vector<std::string> all = comm.gather_texts(mine);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all.front()) continue;
    throw Error(ErrorKind::data, fmt::format("{}: rank {} finds {}, rank 0 {}; all hosts need the same file", x.name,
                                             comm.launch_rank(rank), all[rank], all.front()))
        .as_agreed();
  }
}

PredictionPlan plan_of(const StoredNet& stored, const OpenDataset& data, std::size_t samples) {
  PredictionPlan plan;
  plan.task = stored.loss->task();
  plan.samples = samples;
  const Loss& loss = *stored.loss;
  plan.outputs =
      loss.targets() == TargetKind::labels ? stored.model->outputs() : loss.num_targets(stored.model->outputs());
  plan.answers.clear();
  for (const AnswerColumn& answer : loss.answers()) plan.answers.push_back(answer.suffix);
  plan.probabilities = loss.gives_probabilities();
  plan.own_units = !stored.normalization.y.empty();
  plan.class_names = stored.info.class_names;
  plan.target_names = stored.info.columns.targets;
  plan.step = static_cast<std::int64_t>(stored.info.position.step);
  plan.notes = {{"checkpoint", stored.path},
                {"digest", stored.info.digest},
                {"input", data.source},
                {"lockstep_version", std::string(kVersion)}};
  return plan;
}

// Rows that could not be read, told on stderr.
void tell_bad_rows(const CsvMet& met, const std::string& file, std::size_t rows) {
  if (met.bad == 0) return;
  const CsvMet::BadRow first = met.first_bad.value();
  tell_message(fmt::format("{}: {} of {} could not be read and have empty answers, the first on line {}: {}", file,
                           met.bad, count_text(rows, "row"), first.line, first.what));
}

CsvReading reading_of(const CommandInput& input) {
  CsvReading reading{.notes = true};
  if (input.options.count("bad-rows") != 0) {
    const auto text = input.options["bad-rows"].as<std::string>();
    if (text != "refuse" && text != "mark") {
      throw Error(ErrorKind::usage, fmt::format("--bad-rows: expected refuse or mark, found \"{}\"", text));
    }
    reading.mark_bad = text == "mark";
  }
  if (input.options.count("keep") != 0) {
    for (const std::string& words : input.options["keep"].as<std::vector<std::string>>()) {
      for (std::size_t begin = 0; begin <= words.size();) {
        const std::size_t comma = std::min(words.find(',', begin), words.size());
        const std::string name = words.substr(begin, comma - begin);
        if (std::ranges::find(reading.keep, name) != reading.keep.end()) {
          throw Error(ErrorKind::usage, fmt::format("--keep: {} is named twice", name));
        }
        reading.keep.push_back(name);
        begin = comma + 1;
      }
    }
  }
  return reading;
}

}  // namespace

int run_predict(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  std::string output;
  CsvReading reading;
  comm.together([&] {
    output = output_file(input);
    reading = reading_of(input);
    if (!reading.keep.empty() && std::filesystem::path(output).extension() != ".csv") {
      throw Error(ErrorKind::usage,
                  fmt::format("--keep: texts of a table go into a table: give --output OUT.csv, found "
                              "{}",
                              output));
    }
  });
  const StoredNet stored = load_net(comm, input);
  OpenDataset data;
  std::unique_ptr<CsvSamples> table;
  std::unique_ptr<PredictionFile> file;
  std::vector<std::string> notices;
  DataSource source;
  std::unique_ptr<NumberedWindows> numbered;
  std::uint32_t is_table = 0;
  comm.together(
      [&] {
        source = chosen_data(input, "input", stored.run);
        is_table = is_csv(stored, source.x) ? 1 : 0;
        if (comm.is_root()) check_place(input, output, source);
        if (is_table != 0) return;
        for (const char* option : {"keep", "bad-rows"}) {
          if (input.options.count(option) == 0) continue;
          throw Error(ErrorKind::usage,
                      fmt::format("--{}: is for tables of text, found {}", option, source_text(source)));
        }
      },
      Blame::host);
  const KnownNames known = known_names(stored.info, *stored.loss, stored.path);
  if (comm.combine(is_table) != 0) {
    table = open_csv(comm, stored, source.x, reading, notices);
    data = table->open();
    match_names(comm, data, known, notices);
  } else {
    data = open_matched_samples(comm, source, stored.run.data, known, notices);
  }
  if (data.windows) numbered = std::make_unique<NumberedWindows>(std::move(data.x), data.windows);
  TableReader& samples = numbered ? *numbered : *data.x;
  comm.together(
      [&] {
        const TableHeader& x = samples.header();
        if (x.columns != stored.model->inputs()) {
          throw Error(ErrorKind::data, fmt::format("{} has {} columns a sample, the net takes {}", x.name, x.columns,
                                                   stored.model->inputs()));
        }
        PredictionPlan plan = plan_of(stored, data, samples.header().rows);
        if (table) plan.kept_names = table->kept_names();
        if (numbered) plan.kept_names = {"row"};
        file = make_prediction_file(output, std::move(plan));
      },
      Blame::host);
  tell_notices(comm, notices);
  check_same_files(comm, data);
  check_same_shape(comm, samples.header());
  const std::size_t rows = samples.header().rows;
  const RowNotes* notes = table.get();
  if (numbered) notes = numbered.get();
  ConsoleProgress progress(false);
  const auto begin = std::chrono::steady_clock::now();
  predict_to_file(comm, {*stored.model, *stored.loss, stored.weights.view(), stored.threshold}, samples,
                  stored.normalization, *file,
                  {.done = [&](std::size_t done) { progress.on_samples(done, rows); }, .notes = notes});
  progress.clear();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (table) {
    const CsvMet met = met_by_all(comm, *table);
    tell_notices(comm, unknown_notices(met, source.x, rows));
    if (comm.is_root()) tell_bad_rows(met, source.x, rows);
  }
  if (comm.is_root()) {
    tell("{}: {} by {} (step {}) of {} in {}, {:.0f} samples/s on {}\n", output, count_text(rows, "prediction"),
         stored.path, stored.info.position.step, data.source, format_seconds(seconds.count()),
         static_cast<double>(rows) / seconds.count(), count_text(comm.size(), "rank"));
  }
  return 0;
}

}  // namespace lockstep::cli
