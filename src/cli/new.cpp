// lockstep new: a run file to begin with, for data that is looked at. Runs without MPI.
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "config/data_place.hpp"
#include "config/run_file.hpp"
#include "config/starter.hpp"
#include "core/number_text.hpp"
#include "data/describe_data.hpp"
#include "import/csv_reader.hpp"
#include "import/csv_rows.hpp"
#include "import/field_text.hpp"
#include "import/import.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

constexpr double kTrainShare = 0.8;
constexpr std::size_t kLookedAt = 10000;  // rows, for decimal commas

std::size_t usable_cores() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<std::size_t>(std::max(CPU_COUNT(&set), 1));
}

// For a command line that a shell reads.
std::string shell_word(const std::string& text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,=+:";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

/// The fields of one row.
class Fields final : public CsvRows {
 public:
  void field(std::string_view text) override { texts.emplace_back(text); }
  void end_of_row() override {}
  std::vector<std::string> texts;
};

// Without fields where its quotes are not good.
std::vector<std::string> split(std::string_view row, char delimiter) {
  Fields fields;
  if (!CsvRowSplitter(delimiter).split(row, fields).empty()) return {};
  return fields.texts;
}

/// How a table is to be imported, found out by looking at it.
struct TableImport {
  ImportOptions options;
  ImportResult result;
  std::string command;
};

// The sign that makes the most columns of the first row.
char likely_delimiter(std::string_view row) {
  char best = ',';
  std::size_t most = 0;
  for (const char sign : {',', ';', '\t', '|'}) {
    const std::size_t fields = split(row, sign).size();
    if (fields <= most) continue;
    most = fields;
    best = sign;
  }
  return best;
}

CsvOptions likely_options(const std::string& file, const std::vector<std::string>& target) {
  RowCutter rows(file, ',');
  if (!rows.next()) throw Error(ErrorKind::data, file + ": holds no rows, only blank lines");
  check_csv_beginning(file, rows.row());
  CsvOptions options;
  options.delimiter = likely_delimiter(rows.row());
  const std::vector<std::string> header = split(rows.row(), options.delimiter);
  if (header.empty()) {
    throw Error(ErrorKind::data, file + ": line 1: a quote in the middle of a field; expected names of columns");
  }
  for (std::size_t row = 0; options.delimiter != ',' && options.decimal != ',' && row < kLookedAt && rows.next();
       ++row) {
    const std::vector<std::string> fields = split(rows.row(), options.delimiter);
    if (std::ranges::any_of(fields, [](const std::string& text) { return has_commas(text); })) options.decimal = ',';
  }
  options.target = target;
  if (target.empty()) {
    if (header.back().empty()) throw Error(ErrorKind::usage, file + ": which column is to be predicted? Give --target");
    options.target = {header.back()};
  }
  options.categorical = {"auto"};
  options.drop = {"auto"};
  options.missing = {"median"};
  // Without an answer there is nothing to be learned of a row.
  if (options.target.size() == 1 && options.target.front().find(',') == std::string::npos) {
    options.missing.push_back(options.target.front() + "=drop");
  }
  return options;
}

TableImport look_at_table(const std::string& file, const std::string& output, const std::vector<std::string>& target,
                          TargetTask task) {
  TableImport table;
  table.options.files = {file};
  table.options.output = output;
  table.options.dry_run = true;
  table.options.split = kTrainShare;
  table.options.csv = likely_options(file, target);
  table.options.csv.task = task;
  table.options.progress = [](const char* /*what*/, std::size_t /*done*/, std::size_t /*total*/) {
    if (stop_signal_came()) throw Error(ErrorKind::io, "stopped by a signal; nothing is written");
  };
  table.result = import_data(table.options);
  const Recipe& recipe = table.result.recipe;
  const auto is_two_valued = [&] {  // 0 and 1, and nothing between
    for (std::size_t i = 0; i < recipe.columns.size(); ++i) {
      if (recipe.columns[i].use != ColumnUse::value) continue;
      if (table.result.seen[i].least != 0 || table.result.seen[i].largest != 1) return false;
    }
    return table.result.looks_like_classes && recipe.targets().size() == 1;
  };
  if (task == TargetTask::automatic && is_two_valued()) {
    return look_at_table(file, output, table.options.csv.target, TargetTask::classes);
  }
  const CsvOptions& csv = table.options.csv;
  std::string& command = table.command;
  command = fmt::format("lockstep import {} --target {} --categorical auto", shell_word(file),
                        shell_word(joined(csv.target)));
  if (csv.task == TargetTask::classes) command += " --task classes";
  if (csv.delimiter != ',') command += " --delimiter " + (csv.delimiter == '\t' ? "tab" : shell_word({csv.delimiter}));
  if (csv.decimal != '.') command += " --decimal ,";
  std::vector<std::string> dropped;
  bool gaps = false;
  bool target_gaps = false;
  for (std::size_t i = 0; i < recipe.columns.size(); ++i) {
    const RecipeColumn& column = recipe.columns[i];
    if (column.use == ColumnUse::dropped) dropped.push_back(column.name);
    gaps = gaps || (is_feature(column.use) && table.result.seen[i].missing != 0);
    target_gaps = target_gaps || (column.missing == MissingRule::drop && table.result.seen[i].missing != 0);
  }
  if (!dropped.empty()) command += " --drop " + shell_word(joined(dropped));
  if (gaps) command += " --missing median";
  if (target_gaps) command += " --missing " + shell_word(csv.target.front() + "=drop");
  command += fmt::format(" --split {} --output {}", kTrainShare, shell_word(output));
  return table;
}

DataFacts facts_of_table(const TableImport& table) {
  const ImportResult& result = table.result;
  DataFacts facts{.train = table.options.output + ":/train", .test = table.options.output + ":/test"};
  facts.samples = result.train;
  facts.inputs = result.format.features.size();
  facts.class_samples = result.class_samples;
  facts.classes = result.format.classes;
  facts.targets = result.format.targets.size();
  facts.target_names = result.format.targets;
  facts.weights = result.format.weights;
  for (std::size_t i = 0; i < result.recipe.columns.size(); ++i) {
    const RecipeColumn& column = result.recipe.columns[i];
    const bool value = column.use == ColumnUse::value && facts.targets > 1;
    facts.missing_targets = facts.missing_targets || (value && result.seen[i].missing != 0);
  }
  return facts;
}

// x and y of a group.
struct Group {
  std::string path;
  const TableDescription* x = nullptr;
  const TableDescription* y = nullptr;
  bool weights = false;
};

std::vector<Group> groups_of(const std::vector<TableDescription>& tables) {
  std::vector<Group> groups;
  for (const TableDescription& table : tables) {
    const std::size_t slash = table.path.rfind('/');
    const std::string path = table.path.substr(0, slash);
    const std::string name = table.path.substr(slash + 1);
    auto found = std::ranges::find(groups, path, &Group::path);
    if (found == groups.end()) found = groups.insert(groups.end(), {.path = path});
    if (name == "x") found->x = &table;
    if (name == "y") found->y = &table;
    if (name == "w") found->weights = true;
  }
  std::erase_if(groups, [](const Group& group) {
    return group.x == nullptr || group.y == nullptr || group.x->info.shape.empty();
  });
  return groups;
}

DataFacts facts_of_hdf5(const DataPlace& place) {
  const std::vector<TableDescription> tables = describe_data(place.file);
  const std::vector<Group> groups = groups_of(tables);
  const auto find = [&](const std::string& path) { return std::ranges::find(groups, path, &Group::path); };
  auto train = place.group.empty() ? find("/train") : find(place.group);
  if (train == groups.end() && place.group.empty() && !groups.empty()) train = groups.begin();
  if (train == groups.end()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: no group {}holds x and y, one row a sample; data/README.md tells how data is to lie, "
                            "and how other data sets are named in a run file",
                            place.file, place.group.empty() ? "" : place.group + " "));
  }
  const auto named = [&](const Group& group) { return place.file + (group.path.empty() ? "" : ":" + group.path); };
  DataFacts facts{.train = named(*train)};
  const auto test = find("/test");
  if (test != groups.end() && test != train) facts.test = named(*test);
  facts.samples = train->x->info.shape.front();
  facts.inputs = 1;
  for (std::size_t i = 1; i < train->x->info.shape.size(); ++i) facts.inputs *= train->x->info.shape[i];
  facts.pixels = train->x->info.type == ElementType::u8;
  const TableDescription& y = *train->y;
  facts.targets = y.info.shape.size() > 1 ? y.info.shape[1] : 1;
  facts.target_names = y.names;
  facts.missing_targets = facts.targets > 1 && y.all.not_finite != 0;
  facts.weights = train->weights;
  // Many different labels beside few samples are numbers.
  const bool few = y.labels.size() >= 2 && y.labels.size() <= std::max<std::size_t>(facts.samples / 5, 2);
  if (!y.labels.empty() && (!y.classes.empty() || few)) {
    facts.class_samples = y.labels;
    facts.classes = y.classes;
    facts.class_samples.resize(std::max(y.labels.size(), y.classes.size()));
  }
  return facts;
}

bool is_hdf5_place(const DataPlace& place) {
  if (!place.group.empty()) return true;
  const std::string end = std::filesystem::path(place.file).extension().string();
  return end == ".h5" || end == ".hdf5" || end == ".nc";
}

int run_new(const CommandInput& input) {
  note_stop_signals();
  if (input.arguments.size() != 1) {
    throw Error(ErrorKind::usage, "new: one data file is needed; see lockstep new --help");
  }
  const DataPlace place = find_place(input.arguments.front());
  if (!place.found) throw Error(ErrorKind::data, place.file + ": no such file");
  const std::string of_data = std::filesystem::path(place.file).stem().string();
  const std::string output =
      input.options.count("output") != 0 ? input.options["output"].as<std::string>() : of_data + ".toml";
  const std::filesystem::path path(output);
  const std::string stem = path.stem().string();  // the run is called so, and what is imported
  if (std::filesystem::exists(output) && input.options.count("overwrite") == 0) {
    throw Error(ErrorKind::usage, output + " is there already; --overwrite replaces it, --output names another");
  }
  const std::vector<std::string> target = input.options.count("target") == 0
                                              ? std::vector<std::string>{}
                                              : input.options["target"].as<std::vector<std::string>>();
  DataFacts facts;
  std::optional<TableImport> table;
  if (is_hdf5_place(place)) {
    if (!target.empty()) throw Error(ErrorKind::usage, "--target: is for a table of text; HDF5 has its targets in y");
    facts = facts_of_hdf5(place);
  } else {
    table = look_at_table(place.file, (path.parent_path() / (stem + ".h5")).string(), target, TargetTask::automatic);
    facts = facts_of_table(*table);
  }
  facts.cores = usable_cores();
  const std::size_t ranks = std::clamp<std::size_t>(facts.cores, 1, starter_shards(facts));
  const std::string train = fmt::format("mpirun -n {} lockstep train {}", ranks, shell_word(output));
  facts.head = {fmt::format("Made by lockstep new of {}: a beginning, each choice with its reason.", place.file)};
  if (table) facts.head.push_back("  " + table->command);
  facts.head.push_back("  " + train);
  const std::string text = starter_run(stem.empty() ? "run" : stem, facts);
  (void)parse_run(text, output);  // what is written here is read there
  write_text_atomically(output, text);
  tell("{}: {} of {} numbers, {}\n", output, count_text(facts.samples, "training sample"), facts.inputs,
       facts.class_samples.empty() ? count_text(facts.targets, "target")
                                   : fmt::format("{} classes", facts.class_samples.size()));
  if (table) {
    for (std::size_t i = 0; i < table->result.dropped_for.size(); ++i) {
      const std::string& why = table->result.dropped_for[i];
      if (!why.empty()) tell("  column {} is left out: {}\n", table->result.recipe.columns[i].name, why);
    }
    if (target.empty()) tell("  the last column is taken as the target; --target names another\n");
    if (table->result.looks_like_classes) {
      tell("  all targets are whole numbers from 0 to 99, taken as values; for classes import with --task classes\n");
    }
  }
  tell("next:\n");
  if (table) tell("  {}\n", table->command);
  tell("  {}\n", train);
  return 0;
}

}  // namespace

Command new_command() {
  return {"new",
          "DATA.h5|TABLE.csv",
          "Looks at data and writes a commented run file for it.",
          "lockstep new cars.csv --target price",
          {{"output", OptionKind::text, "RUN.toml", "", "the run file (default: the data's name)"},
           {"overwrite", OptionKind::flag, "", "", "replaces a file that is there"},
           {"target", OptionKind::list, "COLUMNS", "", "of a table: what to predict (default: the last column)"}},
          run_new};
}

}  // namespace lockstep::cli
