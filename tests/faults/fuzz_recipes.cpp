// Tables that are read by a recipe: the recipe's text changed in any way, or the table so that what must become of it
// is known.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

#include "faults/fuzz_kinds.hpp"
#include "import/csv_samples.hpp"
#include "import/recipe.hpp"
#include "lockstep/error.hpp"

namespace lockstep::fuzz {
namespace {

struct Read {
  std::vector<std::string> features;
  std::vector<float> x = {};
  std::size_t rows = 0;
};

// All rows, found in `parts` parts of the file, and read in as many ranges.
Read read_table(const std::string& path, const std::string& recipe_text, std::size_t parts) {
  CsvSamples samples(path, recipe_of_json(recipe_text, "net.h5"), {});
  const std::size_t bytes = CsvFile(path).bytes();
  std::vector<RowPart> found;
  std::uint64_t quotes = 0;
  for (std::size_t part = 0; part < parts; ++part) {
    const Range mine = part_of(bytes, part, parts);
    found.push_back(scan_rows(path, samples.delimiter(), mine, quotes % 2 != 0));
    quotes += count_quotes(path, mine);
  }
  if (std::ranges::any_of(found, &RowPart::stray)) {
    found = {scan_rows(path, samples.delimiter(), {0, bytes}, false)};
  }
  samples.take(RowIndex(found));
  const OpenDataset data = samples.open();
  Read read{.features = data.columns.features, .rows = data.x->header().rows};
  const std::size_t width = data.x->header().columns;
  if (width != read.features.size()) throw WrongResult("not a feature for each column");
  read.x.resize(read.rows * width);
  for (std::size_t part = parts; part-- > 0;) {
    const Range rows = part_of(read.rows, part, parts);
    if (rows.empty()) continue;
    data.x->read(rows, std::as_writable_bytes(std::span(read.x))
                           .subspan(rows.begin * width * sizeof(float), rows.size() * width * sizeof(float)));
  }
  for (const float value : read.x) {
    if (!std::isfinite(value)) throw WrongResult("a number that is not finite");
  }
  return read;
}

const Recipe& recipe() {
  static const Recipe known = [] {
    Recipe made;
    made.columns = {
        {.name = "id", .use = ColumnUse::dropped},
        {.name = "age", .use = ColumnUse::number, .missing = MissingRule::median, .indicator = true, .fill = 7.5},
        {.name = "color",
         .use = ColumnUse::category,
         .missing = MissingRule::zero,
         .texts = {"blue", "dark, \"red\"", "green"}},
        {.name = "size", .use = ColumnUse::number},
        {.name = "when", .use = ColumnUse::date, .missing = MissingRule::mean, .fill = 100.25},
        {.name = "price", .use = ColumnUse::value}};
    return made;
  }();
  return known;
}

constexpr const char* kTable =
    "id,age,color,size,when\n1,2,blue,3,1970-01-05\n2,,\"dark, \"\"red\"\"\",-1.5,\n3,NA,teal,1e3,1971/02/03\n";

class Recipes final : public Kind {
 public:
  [[nodiscard]] std::string_view name() const override { return "recipe"; }
  [[nodiscard]] std::vector<Input> seeds() const override { return {{{to_json(recipe()), kTable}}}; }
  [[nodiscard]] Input mutated(Random& random) const override {
    const std::vector<std::string> texts{to_json(recipe())};
    const std::vector<std::string> tables{kTable};
    Input input{{texts[0], kTable}};
    if (random.one_in(3)) {
      mutate_bytes(input.files[0], texts, random);
    } else {
      mutate_text(
          input.files[0],
          {"\"", "null", "-1", "1e300", "[", "]", "{", "}", "true", "\"category\"", "\"date\"", "\"mean\"", "\\u0000"},
          texts, random);
    }
    if (random.one_in(2)) mutate_text(input.files[1], {"\"", ",", "\n", "\r", "nan", "1e99", " "}, tables, random);
    return input;
  }
  void read(const Input& input, const std::filesystem::path& folder) const override {
    const std::string path = put(folder / "new.csv", input.files[1]);
    (void)read_table(path, input.files[0], 1);
  }
};

/// The second file is what must come out: a line of numbers a row; or, where it must be refused, what must be named.
class Tables final : public Kind {
 public:
  [[nodiscard]] std::string_view name() const override { return "table"; }

  [[nodiscard]] std::vector<Input> seeds() const override {
    Random random(1, 0, 0);
    return {made(random, Change::none), made(random, Change::order), made(random, Change::more)};
  }

  [[nodiscard]] Input mutated(Random& random) const override {
    return made(random, static_cast<Change>(random.below(static_cast<std::uint64_t>(Change::count))));
  }

  void read(const Input& input, const std::filesystem::path& folder) const override {
    const std::string path = put(folder / "new.csv", input.files[0]);
    const bool refused = input.must_be_refused;
    try {
      const Read found = read_table(path, to_json(recipe()), 1 + input.files[0].size() % 3);
      if (refused) return;  // the fuzzer says so
      std::string lines;
      for (std::size_t i = 0; i < found.x.size(); ++i) {
        lines += fmt::format("{}{}", found.x[i], (i + 1) % found.features.size() == 0 ? "\n" : " ");
      }
      if (lines != input.files[1]) throw WrongResult(fmt::format("found\n{}expected\n{}", lines, input.files[1]));
    } catch (const Error& error) {
      if (!refused) throw WrongResult(fmt::format("a good table is refused: {}", error.what()));
      if (std::string(error.what()).find(input.files[1]) == std::string::npos) {
        throw WrongResult(fmt::format("refused without a word on {}: {}", input.files[1], error.what()));
      }
      throw;
    }
  }

 private:
  enum class Change { none, order, more, renamed, missing, doubled, unknown, bad_number, bad_date, short_row, count };

  // Fields with what they become.
  struct Field {
    std::string text;
    std::vector<float> numbers;
  };

  static std::string quoted(const std::string& text, Random& random) {
    if (text.find_first_of(",\"\n") == std::string::npos && !random.one_in(5)) return text;
    std::string all = "\"";
    for (const char c : text) all += c == '"' ? std::string("\"\"") : std::string(1, c);
    return all + '"';
  }

  static Field field(std::size_t column, bool unknown, Random& random) {
    switch (column) {
      case 1: {
        if (random.one_in(4)) return {random.one_in(2) ? "" : "NA", {7.5F, 1}};
        const auto value = static_cast<float>(random.below(1000)) / 8;
        return {fmt::format("{}", value), {value, 0}};
      }
      case 2: {
        if (unknown) return {"teal", {0, 0, 0}};
        const std::size_t place = random.below(4);
        if (place == 3) return {"", {0, 0, 0}};
        std::vector<float> numbers(3);
        numbers[place] = 1;
        return {recipe().columns[2].texts[place], numbers};
      }
      case 3: {
        const float value = -static_cast<float>(random.below(100'000)) / 16;
        return {fmt::format("{}", value), {value}};
      }
      case 4:
        // 1970-01-05 is a Monday, day 4 of 365.
        return {"1970-01-05",
                {4, static_cast<float>(std::sin(2 * M_PI * 4 / 365)), static_cast<float>(std::cos(2 * M_PI * 4 / 365)),
                 0, 1}};
      default:
        return {fmt::format("note {}, \"{}\"\nand more", column, random.below(100)), {}};
    }
  }

  static Input made(Random& random, Change change) {
    std::vector<std::size_t> columns{0, 1, 2, 3, 4};  // of the recipe; more are others
    if (change == Change::more || random.one_in(3)) columns.push_back(7);
    if (change != Change::none) {
      for (std::size_t i = columns.size(); i > 1; --i) std::swap(columns[i - 1], columns[random.below(i)]);
    }
    const std::size_t wanted = 1 + random.below(4);  // one that the net needs
    const std::string& name = recipe().columns[wanted].name;
    std::map<std::size_t, std::string> names{{7, "more"}};
    for (std::size_t i = 0; i < 5; ++i) names[i] = recipe().columns[i].name;
    Input input{{"", ""}};
    const auto refuse = [&](std::string word) {
      input.must_be_refused = true;
      input.files[1] = std::move(word);
    };
    if (change == Change::renamed) {
      names[wanted] = name + "s";
      refuse("'" + name + "'");
    } else if (change == Change::missing) {
      std::erase(columns, wanted);
      refuse("'" + name + "'");
    } else if (change == Change::doubled) {
      columns.push_back(wanted);
      refuse("'" + name + "'");
    }
    const char* const end = random.one_in(3) ? "\r\n" : "\n";
    std::string& text = input.files[0];
    for (std::size_t i = 0; i < columns.size(); ++i) text += (i == 0 ? "" : ",") + quoted(names[columns[i]], random);
    text += end;
    const std::size_t rows = 1 + random.below(6);
    const std::size_t bad = random.below(rows);
    std::string expected;
    for (std::size_t row = 0; row < rows; ++row) {
      std::map<std::size_t, std::vector<float>> numbers;
      std::string line;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        Field one = field(columns[i], change == Change::unknown && row == bad, random);
        if (row == bad && change == Change::bad_number && columns[i] == 3) {
          one.text = random.one_in(2) ? "abc" : "";
          refuse(fmt::format("column {} ('size')", i + 1));
        }
        if (row == bad && change == Change::bad_date && columns[i] == 4) {
          one.text = "1970-02-30";
          refuse(fmt::format("column {} ('when')", i + 1));
        }
        numbers[columns[i]] = one.numbers;
        line += (i == 0 ? "" : ",") + quoted(one.text, random);
      }
      if (row == bad && change == Change::short_row) {
        line += ",1";
        refuse(fmt::format("expected {} fields", columns.size()));
      }
      text += line + end + (random.one_in(6) ? std::string(end) : "");
      std::string all;
      for (const auto& [column, values] : numbers) {
        for (const float value : values) all += fmt::format("{}{}", all.empty() ? "" : " ", value);
      }
      expected += all + "\n";
    }
    if (!input.must_be_refused) input.files[1] = expected;
    return input;
  }
};

}  // namespace

std::unique_ptr<Kind> make_recipes() {
  return std::make_unique<Recipes>();
}
std::unique_ptr<Kind> make_recipe_tables() {
  return std::make_unique<Tables>();
}

}  // namespace lockstep::fuzz
