#include "import/csv_reader.hpp"

#include <csv.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "import/csv_file.hpp"
#include "import/plain_row.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kHanded = std::size_t{1} << 18U;     // bytes handed to libcsv at once
constexpr std::size_t kMostField = std::size_t{1} << 20U;  // bytes

constexpr const char* kStrayQuote =
    "a quote in the middle of a field; a field with quotes in it begins and ends with one, and has its own doubled: "
    "\"5\"\" pipe\"";

// What an unclosed quote would otherwise gather: the rest of the file.
void* limited_realloc(void* memory, std::size_t size) {
  return size > kMostField ? nullptr : std::realloc(memory, size);
}

/// libcsv's parser with the callbacks of this file, and what they gather.
class Parser {
 public:
  Parser(char delimiter, unsigned char options) {
    csv_init(&parser_, static_cast<unsigned char>(CSV_STRICT | CSV_STRICT_FINI | options));
    csv_set_delim(&parser_, static_cast<unsigned char>(delimiter));
    csv_set_realloc_func(&parser_, limited_realloc);
    csv_set_blk_size(&parser_, std::size_t{1} << 12U);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() { csv_free(&parser_); }

  /// False when libcsv refuses; error() says why. `used` is how many bytes it took.
  template <class Receiver>
  [[nodiscard]] bool parse(std::string_view bytes, Receiver& to, std::size_t& used) {
    used = csv_parse(&parser_, bytes.data(), bytes.size(), on_field<Receiver>, on_row<Receiver>, &to);
    return used == bytes.size();
  }
  template <class Receiver>
  [[nodiscard]] bool finish(Receiver& to) {
    return csv_fini(&parser_, on_field<Receiver>, on_row<Receiver>, &to) == 0;
  }
  [[nodiscard]] bool field_too_large() { return csv_error(&parser_) == CSV_ENOMEM; }
  /// Behind a line feed: whether it is part of a quoted field.
  [[nodiscard]] bool within_quotes() const noexcept { return parser_.quoted != 0; }

 private:
  template <class Receiver>
  static void on_field(void* text, std::size_t size, void* to) {
    static_cast<Receiver*>(to)->field({static_cast<const char*>(text), size});
  }
  template <class Receiver>
  static void on_row(int terminator, void* to) {
    static_cast<Receiver*>(to)->end_of_row(terminator);
  }
  csv_parser parser_{};
};

std::string_view without_mark(std::string_view first) {
  return first.starts_with("\xEF\xBB\xBF") ? first.substr(3) : first;
}

/// Hands the fields on and counts; keeps what was thrown, for it must not pass through C.
struct Forwarding {
  CsvRows& rows;
  std::size_t row = 0;  ///< rows that have ended
  std::exception_ptr thrown = {};

  template <class Action>
  void guarded(Action&& action) noexcept {
    if (thrown) return;
    try {
      action();
    } catch (...) {
      thrown = std::current_exception();
    }
  }
  void field(std::string_view text) noexcept {
    guarded([&] { rows.field(text); });
  }
  void end_of_row(int /*terminator*/) noexcept {
    guarded([&] {
      rows.end_of_row();
      ++row;
    });
  }
};

/// Whole lines without quotes, which are most, split without libcsv: that looks at each byte on its own, this is three
/// times as fast. What it makes of a line is what libcsv would.
class PlainLines {
 public:
  explicit PlainLines(char delimiter) : delimiter_(delimiter) {}

  /// Hands the fields of the lines at the front of `bytes` on, until one is not plain or not whole; returns the bytes
  /// of those lines. `row` counts the rows.
  [[nodiscard]] std::size_t split(std::string_view bytes, CsvRows& rows, std::size_t& row) const {
    const bool quotes = bytes.find('"') != std::string_view::npos;
    const bool returns = bytes.find('\r') != std::string_view::npos;
    std::size_t done = 0;
    while (true) {
      const std::size_t end = bytes.find('\n', done);
      if (end == std::string_view::npos) return done;
      std::string_view line = bytes.substr(done, end - done);
      if (quotes && line.find('"') != std::string_view::npos) return done;
      if (returns && line.ends_with('\r')) line.remove_suffix(1);
      if (returns && line.find('\r') != std::string_view::npos) return done;
      done = end + 1;
      if (split_line(line, rows)) ++row;
    }
  }

 private:
  /// False for a blank line.
  bool split_line(std::string_view line, CsvRows& rows) const {
    if (trimmed_field(line, delimiter_).empty()) return false;
    split_row(line, rows);
    return true;
  }

 public:
  void split_row(std::string_view line, CsvRows& rows) const {
    const auto none = [](const char*, const char*) -> const char* { return nullptr; };
    split_plain_row(line, delimiter_, none, [&](std::string_view text) { rows.field(text); });
    rows.end_of_row();
  }

 private:
  char delimiter_;
};

/// Counts physical lines up to a field, or to where libcsv stops.
struct Counting {
  std::size_t wanted_row;
  std::size_t wanted_field;
  std::size_t line = 1;  ///< where the row under way begins
  std::size_t row = 0;
  std::size_t fields = 0;
  std::size_t within = 0;         ///< line ends in the fields of this row
  std::size_t within_before = 0;  ///< those before the wanted field
  int last = 0;                   ///< how the line before ended
  bool found = false;

  void field(std::string_view text) noexcept {
    last = 0;
    if (found) return;
    if (fields++ == wanted_field) within_before = within;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool pair = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
      within += (text[i] == '\n' || text[i] == '\r') && !pair ? 1U : 0U;
    }
  }
  void end_of_row(int terminator) noexcept {
    if (found) return;
    if (fields != 0 && row == wanted_row) {
      found = true;
      if (fields <= wanted_field) within_before = 0;
      return;
    }
    const bool pair = terminator == '\n' && last == '\r';
    line += within + (pair ? 0 : 1);
    row += fields != 0 ? 1 : 0;
    fields = within = within_before = 0;
    last = terminator;
  }
};

/// The physical line of a byte.
std::size_t line_at(const std::string& path, std::size_t offset) {
  CsvFile file(path);
  std::vector<char> memory(kHanded);
  std::size_t line = 1;
  char last = 0;
  for (std::string_view bytes = file.read_next(memory); !bytes.empty() && offset != 0; bytes = file.read_next(memory)) {
    bytes = bytes.substr(0, offset);
    offset -= bytes.size();
    for (const char c : bytes) {
      line += c == '\r' || (c == '\n' && last != '\r') ? 1U : 0U;
      last = c;
    }
  }
  return line;
}

}  // namespace

std::size_t csv_line(const std::string& path, char delimiter, std::size_t row, std::size_t field) {
  CsvFile file(path);
  Parser parser(delimiter, CSV_REPALL_NL);
  Counting counting{.wanted_row = row, .wanted_field = field};
  std::vector<char> memory(kHanded);
  bool first = true;
  for (std::string_view bytes = file.read_next(memory); !bytes.empty() && !counting.found;
       bytes = file.read_next(memory)) {
    if (std::exchange(first, false)) bytes = without_mark(bytes);
    std::size_t used = 0;
    if (!parser.parse(bytes, counting, used)) break;
  }
  return counting.line + (counting.found ? counting.within_before : 0);
}

void check_csv_beginning(const std::string& path, std::string_view first) {
  const auto refuse = [&](const std::string& what) { throw Error(ErrorKind::data, path + ": " + what); };
  if (first.starts_with("\x1F\x8B")) refuse("is packed with gzip; unpack it first: gunzip " + path);
  if (first.starts_with("\x89HDF\r\n")) refuse("is an HDF5 file already; expected a CSV table");
  if (first.starts_with("\xFF\xFE") || first.starts_with("\xFE\xFF")) {
    refuse("is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 " + path + " > NEW.csv");
  }
}

struct CsvRowSplitter::State {
  explicit State(char between) : plain(between), delimiter(between) {}
  PlainLines plain;
  char delimiter;
  std::optional<Parser> parser = {};  // of rows with quotes; anew behind one that it refuses
};

CsvRowSplitter::CsvRowSplitter(char delimiter) : state_(std::make_unique<State>(delimiter)) {}

CsvRowSplitter::~CsvRowSplitter() = default;

std::string CsvRowSplitter::split(std::string_view row, CsvRows& rows) {
  if (row.find('"') == std::string_view::npos && row.find('\r') == std::string_view::npos) {
    state_->plain.split_row(row, rows);
    return {};
  }
  if (!state_->parser) state_->parser.emplace(state_->delimiter, static_cast<unsigned char>(0));
  Forwarding forwarding{rows};
  std::size_t used = 0;
  const bool parsed = state_->parser->parse(row, forwarding, used);
  const bool whole = parsed && state_->parser->finish(forwarding);
  const bool too_large = state_->parser->field_too_large();
  if (!whole) state_->parser.reset();
  if (forwarding.thrown) std::rethrow_exception(forwarding.thrown);
  if (whole) return {};
  if (too_large) return "this row has a field of more than 1 MiB; is a quote not closed?";
  return parsed ? "the file ends within a quoted field of this row" : kStrayQuote;
}

void read_csv(const std::string& path, char delimiter, CsvRows& rows, const std::function<void(std::size_t)>& alive) {
  CsvFile file(path);
  Parser parser(delimiter, 0);
  Forwarding forwarding{rows};
  std::vector<char> memory(kHanded);
  // With the faults that came before.
  const auto fail_with = [&](std::vector<std::string> told, bool whole) {
    const std::vector<RowFault> faults = rows.faults(whole);
    for (std::size_t i = 0; i < faults.size(); ++i) {
      const std::size_t line = csv_line(path, delimiter, faults[i].row, faults[i].field);
      told.insert(told.begin() + static_cast<std::ptrdiff_t>(i),
                  "line " + std::to_string(line) + ": " + faults[i].what);
    }
    if (told.empty()) return;
    std::string message = path + ": ";
    if (told.size() > 1) message += std::to_string(told.size()) + " faults, of each column the first: ";
    for (std::size_t i = 0; i < told.size(); ++i) message += (i == 0 ? "" : "; ") + told[i];
    throw Error(ErrorKind::data, message);
  };
  const auto fail = [&](std::size_t line, const std::string& what) {
    fail_with({"line " + std::to_string(line) + ": " + what}, false);
  };
  const auto check_thrown = [&] {
    if (!forwarding.thrown) return;
    try {
      std::rethrow_exception(forwarding.thrown);
    } catch (const BadRow& bad) {
      fail(csv_line(path, delimiter, forwarding.row, bad.field), bad.what());
    }
  };
  const PlainLines plain(delimiter);
  bool between_rows = true;
  std::size_t done = 0;  // bytes
  for (std::string_view bytes = file.read_next(memory); !bytes.empty(); bytes = file.read_next(memory)) {
    if (done == 0) {
      check_csv_beginning(path, bytes);
      const std::size_t size = bytes.size();
      bytes = without_mark(bytes);
      done = size - bytes.size();
    }
    while (!bytes.empty()) {
      std::size_t used = 0;
      if (between_rows) {
        forwarding.guarded([&] { used = plain.split(bytes, rows, forwarding.row); });
        check_thrown();
        done += used;
        bytes.remove_prefix(used);
        if (bytes.empty()) break;
      }
      const std::string_view line = bytes.substr(0, bytes.find('\n') + 1);  // all of it where there is no line feed
      const std::string_view part = line.empty() ? bytes : line;
      const bool whole = parser.parse(part, forwarding, used);
      check_thrown();
      done += used;
      if (!whole && parser.field_too_large()) {
        fail(csv_line(path, delimiter, forwarding.row, SIZE_MAX),
             "this row has a field of more than 1 MiB; is a quote not closed?");
      }
      if (!whole) {
        fail(line_at(path, done), kStrayQuote);
      }
      bytes.remove_prefix(part.size());
      between_rows = !line.empty() && !parser.within_quotes();
    }
    if (alive) alive(done);
  }
  const bool closed = parser.finish(forwarding);
  check_thrown();
  if (!closed) {
    fail(csv_line(path, delimiter, forwarding.row, SIZE_MAX), "the file ends within a quoted field of this row");
  }
  fail_with({}, true);
}

}  // namespace lockstep
