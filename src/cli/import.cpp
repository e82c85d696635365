// lockstep import: tables of other formats into an HDF5 file that runs read. Runs without MPI.
#include "import/import.hpp"
#include "cli/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/signals.hpp"
#include "core/element_type.hpp"
#include "core/number_text.hpp"
#include "core/visible_text.hpp"
#include "import/date_text.hpp"
#include "import/field_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// A line on stderr that renews itself on a terminal; elsewhere a line every ten seconds.
class ImportProgress {
 public:
  explicit ImportProgress(bool quiet) : live_(isatty(STDERR_FILENO) != 0), none_(quiet) {
    const char* wish = std::getenv("LOCKSTEP_PROGRESS");
    if (wish == nullptr) return;
    const std::string_view name(wish);
    if (name == "live" || name == "lines") live_ = name == "live";
    none_ = none_ || name == "none";
  }
  ImportProgress(const ImportProgress&) = delete;
  ImportProgress& operator=(const ImportProgress&) = delete;
  ~ImportProgress() {
    if (printed_ && live_) print_to_stderr("\r\033[K");
  }

  void operator()(std::string_view what, std::size_t done, std::size_t total) {
    if (stop_signal_came()) throw Error(ErrorKind::io, "stopped by a signal; nothing is written");
    const auto now = Clock::now();
    if (none_ || now - last_ < (live_ ? std::chrono::milliseconds(200) : std::chrono::seconds(10))) return;
    last_ = now;
    printed_ = true;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const std::string line =
        what == "read" ? fmt::format("{:.0f} of {:.0f} MB read, {:.0f} MB/s", static_cast<double>(done) * 1e-6,
                                     static_cast<double>(total) * 1e-6, static_cast<double>(done) * 1e-6 / seconds)
                       : fmt::format("{} of {} rows written", done, total);
    print_to_stderr(live_ ? "\r\033[K" + line : line + "\n");
  }

 private:
  bool live_, none_;
  bool printed_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

std::vector<std::string> texts(const CommandInput& input, const char* option) {
  return input.options.count(option) == 0 ? std::vector<std::string>{}
                                          : input.options[option].as<std::vector<std::string>>();
}

template <class Value>
Value choice(const CommandInput& input, const char* option,
             std::initializer_list<std::pair<std::string_view, Value>> known) {
  const auto& text = input.options[option].as<std::string>();
  std::string names;
  for (const auto& [name, value] : known) {
    if (text == name) return value;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw Error(ErrorKind::usage, fmt::format("import: --{} {}: expected one of {}", option, text, names));
}

char delimiter(const CommandInput& input) {
  const auto& text = input.options["delimiter"].as<std::string>();
  if (text == "tab" || text == "\\t") return '\t';
  const bool odd = text.size() == 1 && (text[0] == '"' || text[0] == '\n' || text[0] == '\r' || text[0] == '\0');
  if (text.size() == 1 && !odd) return text[0];
  throw Error(ErrorKind::usage, fmt::format("import: --delimiter \"{}\": expected one character, or tab", text));
}

ImportOptions read_options(const CommandInput& input) {
  ImportOptions options;
  options.files = input.arguments;
  if (options.files.empty()) {
    throw Error(ErrorKind::usage, "import: a file is needed; see lockstep import --help");
  }
  options.dry_run = input.options.count("dry-run") != 0;
  if (input.options.count("output") != 0) {
    options.output = input.options["output"].as<std::string>();
  } else if (!options.dry_run) {
    throw Error(ErrorKind::usage, "import: --output FILE.h5 is needed");
  }
  options.test = texts(input, "test");
  options.overwrite = input.options.count("overwrite") != 0;
  if (input.options.count("split") != 0) options.split = input.options["split"].as<double>();
  const auto seed = input.options["seed"].as<std::int64_t>();
  if (seed < 0) throw Error(ErrorKind::usage, fmt::format("import: --seed {}: expected 0 or more", seed));
  options.seed = static_cast<std::uint64_t>(seed);
  options.csv.target = texts(input, "target");
  options.csv.categorical = texts(input, "categorical");
  options.csv.date = texts(input, "date");
  options.csv.weight = texts(input, "weight");
  options.csv.drop = texts(input, "drop");
  options.csv.missing = texts(input, "missing");
  options.csv.task = choice<TargetTask>(
      input, "task",
      {{"auto", TargetTask::automatic}, {"classes", TargetTask::classes}, {"values", TargetTask::values}});
  options.csv.delimiter = delimiter(input);
  options.csv.decimal = choice<char>(input, "decimal", {{".", '.'}, {",", ','}});
  if (options.csv.decimal == options.csv.delimiter) {
    throw Error(ErrorKind::usage, "import: --decimal , takes a --delimiter that is none, ';' say");
  }
  options.csv.header = input.options.count("no-header") == 0;
  if (options.files.size() > 1) {
    for (const char* name : {"target", "categorical", "date", "weight", "drop", "missing", "no-header"}) {
      if (input.options.count(name) == 0) continue;
      throw Error(ErrorKind::usage, fmt::format("import: --{} is for a CSV table, found two files: {}, {}", name,
                                                options.files[0], options.files[1]));
    }
  }
  return options;
}

std::string shape_of(const std::vector<std::size_t>& shape) {
  std::string text;
  for (const std::size_t dim : shape) text += ", " + std::to_string(dim);
  return text;
}

// What is said of a column's missing fields; empty: nothing.
std::string missing_text(const RecipeColumn& column, const ColumnSeen& seen, bool several) {
  std::string text = seen.missing == 0 ? "" : fmt::format("{} missing", seen.missing);
  const auto add = [&](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  if (is_fill(column.missing)) {
    std::string fill = "all 0";
    if (column.use != ColumnUse::category) {
      fill = column.use == ColumnUse::date ? date_text(column.fill) : fmt::format("{:.6g}", column.fill);
    } else if (column.fill_category) {
      fill = visible(column.texts[*column.fill_category]);
    }
    add(fmt::format("{}: {}{}", rule_name(column.missing), fill, column.indicator ? ", told by a feature" : ""));
  } else if (seen.missing != 0) {
    add(column.missing == MissingRule::drop ? "rows left out" : several ? "left out of loss and scores" : "");
  }
  return text;
}

// A table of what each column is and becomes.
void tell_columns(const Recipe& recipe, const std::vector<ColumnSeen>& seen) {
  const bool several = recipe.targets().size() > 1;
  std::size_t longest = 6;
  for (const RecipeColumn& column : recipe.columns) longest = std::max(longest, visible(column.name).size());
  longest = std::min<std::size_t>(longest, 30);
  tell("{:<{}}  {:<9}{:>9}  {}\n", "column", longest, "is", "features", "holds");
  for (std::size_t i = 0; i < recipe.columns.size(); ++i) {
    const RecipeColumn& column = recipe.columns[i];
    std::string holds;
    if (column.use == ColumnUse::category || column.use == ColumnUse::label) {
      holds = count_text(column.texts.size(), "text") + ": " + visible(listed(column.texts, 5));
    } else if (column.use != ColumnUse::dropped && seen[i].numbers != 0) {
      const double mean = seen[i].sum / static_cast<double>(seen[i].numbers);
      holds = column.use == ColumnUse::date
                  ? fmt::format("{} to {}", date_text(seen[i].least), date_text(seen[i].largest))
                  : fmt::format("{:.6g} to {:.6g}, mean {:.6g}", seen[i].least, seen[i].largest, mean);
    }
    const std::string missing = missing_text(column, seen[i], several);
    if (!missing.empty()) holds += (holds.empty() ? "" : "; ") + missing;
    const bool target = column.use == ColumnUse::value || column.use == ColumnUse::label;
    const std::string is = column.use == ColumnUse::dropped ? "left out"
                           : column.use == ColumnUse::value ? "target"
                                                            : std::string(use_name(column.use));
    tell("{:<{}}  {:<9}{:>9}  {}\n", visible(column.name), longest, is,
         target || !is_feature(column.use) ? "" : std::to_string(width_of(column)), holds);
  }
}

void tell_notices(const ImportResult& result) {
  for (std::size_t i = 0; i < result.dropped_for.size(); ++i) {
    if (result.dropped_for[i].empty()) continue;
    tell_message(fmt::format("column {} is left out: {}", result.recipe.columns[i].name, result.dropped_for[i]));
  }
  if (result.looks_like_classes) {
    tell_message("all targets are whole numbers from 0 to 99, taken as values; for classes import with --task classes");
  }
  for (const std::string& name : result.counting) {
    tell_message(fmt::format("column {} counts the rows: an id, perhaps; --drop {} leaves it out", name, name));
  }
  const bool several = result.recipe.targets().size() > 1;
  for (std::size_t i = 0; i < result.recipe.columns.size(); ++i) {
    const RecipeColumn& column = result.recipe.columns[i];
    const ColumnSeen& seen = result.seen[i];
    if (column.use == ColumnUse::value && several && seen.missing != 0 && column.missing == MissingRule::refuse) {
      tell_message(
          fmt::format("target {}: {} fields are missing, left out of loss and scores", column.name, seen.missing));
    }
    if (column.use == ColumnUse::weight && seen.negative != 0) {
      tell_message(fmt::format("weight {}: {} of {} are negative; their sum is {:.6g}, that of all {:.6g}", column.name,
                               seen.negative, seen.numbers, seen.negative_sum, seen.sum));
    }
  }
}

int run_import(const CommandInput& input) {
  note_stop_signals();
  ImportOptions options = read_options(input);
  ImportResult result;
  {
    ImportProgress progress(input.options.count("quiet") != 0);
    options.progress = [&](const char* what, std::size_t done, std::size_t total) { progress(what, done, total); };
    result = import_data(options);
  }
  const RowFormat& format = result.format;
  if (options.dry_run && !result.recipe.columns.empty()) tell_columns(result.recipe, result.seen);
  if (options.dry_run) {
    tell("nothing is written: a dry run of\n");
  } else {
    tell("{}\n", options.output);
  }
  const auto group = [&](const char* name, std::size_t rows) {
    if (rows == 0) return;
    tell("  /{:<8} x {} [{}{}], y {} [{}{}]{}\n", name, type_name(format.x_type), rows, shape_of(format.x_shape),
         type_name(format.y_type), rows, shape_of(format.y_shape),
         format.weights ? fmt::format(", w {} [{}]", type_name(ElementType::f32), rows) : "");
  };
  group("train", result.train);
  group("test", result.test);
  if (!format.classes.empty()) tell("  classes   {}\n", format.classes.size());
  if (result.dropped != 0) tell("  left out  {} with missing fields\n", count_text(result.dropped, "row"));
  tell_notices(result);
  return 0;
}

}  // namespace

Command import_command() {
  return {"import",
          "TABLE.csv|X Y",
          "Makes an HDF5 file that runs read, of a table or a pair of files.",
          "lockstep import cars.csv --target price --split 0.8 --output cars.h5",
          {{"output", OptionKind::text, "FILE.h5", "", "the file to make"},
           {"overwrite", OptionKind::flag, "", "", "replaces a file that is there"},
           {"split", OptionKind::number, "SHARE", "", "deals so many rows to train, the others to test"},
           {"seed", OptionKind::integer, "N", "1", "which rows --split deals to train"},
           {"test", OptionKind::list, "FILE", "", "rows for test; given twice for a pair, X first"},
           {"target", OptionKind::list, "COLUMNS", "", "of CSV: what to predict"},
           {"task", OptionKind::text, "TASK", "auto", "targets are classes or values"},
           {"categorical", OptionKind::list, "COLUMNS", "", "columns of texts; auto: as the first row looks"},
           {"date", OptionKind::list, "COLUMNS", "", "columns of dates, or NAME=FORMAT, of strptime"},
           {"weight", OptionKind::list, "COLUMN", "", "how much each row counts"},
           {"drop", OptionKind::list, "COLUMNS", "", "columns to leave out"},
           {"missing", OptionKind::list, "RULE", "", "refuse, drop, mean, median, ... or NAME=RULE"},
           {"delimiter", OptionKind::text, "C", ",", "what stands between fields; tab for tabs"},
           {"decimal", OptionKind::text, "C", ".", "before decimals: a point or a comma"},
           {"no-header", OptionKind::flag, "", "", "the first row is data; columns are named 1, 2, ..."},
           {"dry-run", OptionKind::flag, "", "", "tells what each column would become, writes nothing"},
           {"quiet", OptionKind::flag, "", "", "no progress"}},
          run_import};
}

}  // namespace lockstep::cli
