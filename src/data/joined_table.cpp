#include "data/joined_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "core/hash.hpp"
#include "data/file_list.hpp"
#include "data/readers.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostOpen = 64;                          // files of a data set
constexpr std::size_t kMostOfChunks = std::size_t{64} << 20U;  // bytes of chunks that they keep
constexpr std::size_t kMostOfChunk = std::size_t{32} << 20U;   // of one data set, see io/hdf5_rows.cpp
constexpr std::size_t kLeastOfChunk = std::size_t{1} << 20U;
constexpr std::size_t kMostTold = 5;

using Member = std::unique_ptr<TableReader> OpenDataset::*;

struct NamedTable {
  const char* name;
  Member table;
};
constexpr std::array<NamedTable, 3> kTables = {
    {{"x", &OpenDataset::x}, {"y", &OpenDataset::y}, {"w", &OpenDataset::w}}};

std::string names_text(const std::vector<std::string>& names) {
  if (names.empty()) return "none";
  const std::size_t shown = std::min(names.size(), kMostTold);
  return fmt::format("{}{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                     names.size() > shown ? ", ..." : "");
}

// What has to be the same in all files.
struct Face {
  std::string source;
  std::vector<std::pair<std::string, std::string>> traits = {};  // what, in words; and its value
  std::vector<std::pair<const char*, std::vector<std::string>>> names = {};
};

Face face_of(const OpenDataset& opened) {
  Face face{opened.source};
  for (const auto& [name, table] : kTables) {
    const TableReader* reader = (opened.*table).get();
    face.traits.emplace_back(fmt::format("data set {}", name), reader == nullptr ? "none" : "one");
    if (reader == nullptr) continue;
    const TableHeader& header = reader->header();
    face.traits.emplace_back(fmt::format("type of {}", name), type_name(header.type));
    face.traits.emplace_back(fmt::format("shape of a row of {}", name), shape_text(std::span(header.shape).subspan(1)));
    face.traits.emplace_back(fmt::format("units of {}", name), header.units.empty() ? "none" : header.units);
  }
  Hash recipe;
  recipe.text(opened.columns.recipe);
  face.traits.emplace_back("the recipe that lockstep import has left",
                           opened.columns.recipe.empty() ? "none" : "one with hash " + recipe.hex());
  face.names = {{"names of the features", opened.columns.features},
                {"names of the targets", opened.columns.targets},
                {"names of the categorical columns", opened.columns.categorical},
                {"names of the classes", opened.class_names}};
  return face;
}

void expect_alike(const Face& first, const Face& other, const std::string& source) {
  const auto fail = [&](const std::string& what, const std::string& expected, const std::string& found) {
    throw Error(ErrorKind::data, fmt::format("{}: {} is unlike the first file, {}: {}: expected {}, found {}", source,
                                             other.source, first.source, what, expected, found));
  };
  const auto [wanted, found] = std::ranges::mismatch(first.traits, other.traits);
  if (wanted != first.traits.end() && found != other.traits.end()) fail(wanted->first, wanted->second, found->second);
  for (std::size_t i = 0; i < first.names.size(); ++i) {
    const auto& [what, expected] = first.names[i];
    const std::vector<std::string>& names = other.names[i].second;
    if (expected == names) continue;
    if (expected.size() != names.size() || names.size() <= kMostTold) {
      fail(what, names_text(expected), names_text(names));
    }
    const auto differs = std::ranges::mismatch(expected, names);
    fail(fmt::format("{}, the one at place {} (counted from 0)", what, differs.in1 - expected.begin()), *differs.in1,
         *differs.in2);
  }
}

/// The files, a few of them open. Shared by the tables over them, and used by one thread at a time.
class FilePool {
 public:
  FilePool(std::vector<DataSource> files, std::function<OpenDataset(const DataSource&)> open)
      : files_(std::move(files)), open_(std::move(open)) {}

  /// Looks at all files, in order.
  void look(const std::function<void(const OpenDataset&)>& visit) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      OpenDataset opened = open_(files_[i]);
      visit(opened);
      Known& known = known_.emplace_back(Known{opened.identity});
      bool plain = true;
      for (std::size_t table = 0; table < kTables.size(); ++table) {
        const TableReader* reader = (opened.*kTables[table].table).get();
        if (reader == nullptr) continue;
        if (const auto rows = reader->plain()) {
          known.plain[table].emplace(Plain{*rows, file_identity(rows->file)});
        } else {
          plain = false;
        }
      }
      if (!plain) keep(i, std::move(opened));
    }
  }

  /// Rows `rows` of a table of file `index`.
  void read(std::size_t index, std::size_t table, Range rows, std::span<std::byte> out) {
    if (rows.empty()) return;
    if (const std::optional<Plain>& plain = known_[index].plain[table]) {
      // Without HDF5, which may take a millisecond to open a file.
      read_unchanged(plain->rows.file, plain->identity, plain->rows.at + rows.begin * (out.size() / rows.size()), out);
    } else {
      (at(index).*kTables[table].table)->read(rows, out);
    }
  }

 private:
  struct Plain {
    TableReader::PlainRows rows;
    std::string identity;
  };
  struct Known {
    std::string identity;
    std::array<std::optional<Plain>, kTables.size()> plain = {};
  };
  struct Kept {
    std::size_t index;
    OpenDataset opened;
  };

  // What has been opened of file `index`; valid until the next call.
  OpenDataset& at(std::size_t index) {
    const auto found = std::ranges::find(kept_, index, &Kept::index);
    if (found != kept_.end()) {
      std::rotate(found, found + 1, kept_.end());  // the one that was used last stays longest
      return kept_.back().opened;
    }
    if (kept_.size() >= most_) kept_.erase(kept_.begin());       // before there is one more
    if (identity_of(files_[index]) != known_[index].identity) {  // before HDF5 sees what may be half of a file
      throw Error(ErrorKind::data,
                  fmt::format("{}: has changed while it was in use (it is another file, or has another size or time of "
                              "change); the files of a data set must stay as they are",
                              source_text(files_[index])));
    }
    return keep(index, open_(files_[index]));
  }

  OpenDataset& keep(std::size_t index, OpenDataset opened) {
    std::size_t chunks = 1;
    for (const auto& [name, table] : kTables) {
      const TableReader* reader = (opened.*table).get();
      if (reader == nullptr || reader->header().chunk_bytes == 0) continue;
      chunks += std::clamp(reader->header().chunk_bytes, kLeastOfChunk, kMostOfChunk);
    }
    most_ = std::min(most_, std::max<std::size_t>(kMostOfChunks / chunks, 1));
    while (kept_.size() >= most_) kept_.erase(kept_.begin());
    return kept_.emplace_back(Kept{index, std::move(opened)}).opened;
  }

  std::vector<DataSource> files_;
  std::function<OpenDataset(const DataSource&)> open_;
  std::vector<Known> known_;  // [files]
  std::vector<Kept> kept_;    // the one that was used last at the end
  std::size_t most_ = kMostOpen;
};

class JoinedTable final : public TableReader {
 public:
  JoinedTable(std::shared_ptr<FilePool> pool, std::size_t table, TableHeader header, std::vector<std::string> notices,
              bool seekable)
      : pool_(std::move(pool)), table_(table), seekable_(seekable) {
    header_ = std::move(header);
    notices_ = std::move(notices);
  }

  [[nodiscard]] bool seekable() const noexcept override { return seekable_; }

  void read(Range rows, std::span<std::byte> out) override {
    if (rows.begin > rows.end || rows.end > header_.rows || out.size() != rows.size() * header_.row_bytes()) {
      throw Error(ErrorKind::usage, header_.name + ": no such rows, or memory of another size");
    }
    const std::vector<JoinedFile>& files = *header_.files;
    auto file = std::ranges::upper_bound(files, rows.begin, {}, [](const JoinedFile& f) { return f.rows.end; });
    for (std::size_t begin = rows.begin; begin < rows.end; ++file) {
      const std::size_t end = std::min(rows.end, file->rows.end);
      pool_->read(static_cast<std::size_t>(file - files.begin()), table_,
                  {begin - file->rows.begin, end - file->rows.begin},
                  out.subspan((begin - rows.begin) * header_.row_bytes(), (end - begin) * header_.row_bytes()));
      begin = end;
    }
  }

 private:
  std::shared_ptr<FilePool> pool_;  // shared by the tables of a data set
  std::size_t table_;               // of kTables
  bool seekable_;
};

// What the files' readers have to tell, which may be the same of thousands of them.
std::vector<std::string> some_of(const std::vector<std::string>& notices) {
  if (notices.size() <= kMostTold) return notices;
  std::vector<std::string> some(notices.begin(), notices.begin() + kMostTold);
  some.push_back(fmt::format("and {} more notices like these, of other files", notices.size() - kMostTold));
  return some;
}

}  // namespace

OpenDataset join_files(const std::string& source, std::vector<DataSource> files,
                       std::function<OpenDataset(const DataSource&)> open) {
  struct Found {
    TableHeader header;
    std::vector<std::string> notices;
    bool seekable = true;
  };
  std::array<Found, kTables.size()> tables;
  std::optional<Face> first;
  OpenDataset all;
  auto list = std::make_shared<std::vector<JoinedFile>>();
  std::size_t rows = 0;
  std::vector<std::string> empty;
  Hash identity;
  const auto pool = std::make_shared<FilePool>(std::move(files), std::move(open));
  pool->look([&](const OpenDataset& opened) {
    const Face face = face_of(opened);
    if (!first) {
      first = face;
      all.class_names = opened.class_names;
      all.columns = opened.columns;
    }
    expect_alike(*first, face, source);
    identity.text(opened.identity);
    const std::size_t here = opened.x->header().rows;
    if (here == 0) empty.push_back(opened.source);
    list->push_back({opened.source, {rows, rows + here}});
    rows += here;
    for (std::size_t i = 0; i < kTables.size(); ++i) {
      const TableReader* reader = (opened.*kTables[i].table).get();
      if (reader == nullptr) continue;
      Found& found = tables[i];
      const TableHeader& header = reader->header();
      const std::size_t chunk_rows = std::max(found.header.chunk_rows, header.chunk_rows);
      const std::size_t chunk_bytes = std::max(found.header.chunk_bytes, header.chunk_bytes);
      found.header = header;
      found.header.chunk_rows = chunk_rows;
      found.header.chunk_bytes = chunk_bytes;
      found.seekable = found.seekable && reader->seekable();
      found.notices.insert(found.notices.end(), reader->notices().begin(), reader->notices().end());
    }
  });
  if (!empty.empty()) {
    tables[0].notices.insert(tables[0].notices.begin(), fmt::format("{}: {} of {} files hold no samples: {}", source,
                                                                    empty.size(), list->size(), names_text(empty)));
  }
  for (std::size_t i = 0; i < kTables.size(); ++i) {
    TableHeader& header = tables[i].header;
    if (header.shape.empty()) continue;
    header.name = fmt::format("{}: {}", source, kTables[i].name);
    header.rows = rows;
    header.shape.front() = rows;
    header.files = list;
    all.*kTables[i].table =
        std::make_unique<JoinedTable>(pool, i, std::move(header), some_of(tables[i].notices), tables[i].seekable);
  }
  all.source = source;
  all.identity = identity.hex();
  return all;
}

}  // namespace lockstep
