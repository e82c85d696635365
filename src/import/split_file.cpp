#include "import/split_file.hpp"

#include <nlohmann/json.hpp>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::vector<std::size_t> with_rows(std::size_t rows, const std::vector<std::size_t>& shape) {
  std::vector<std::size_t> whole{rows};
  whole.insert(whole.end(), shape.begin(), shape.end());
  return whole;
}

h5::Layout plan(const std::string& path, const RowFormat& format, std::size_t train, std::size_t test) {
  std::vector<h5::PlannedTable> tables;
  const auto group = [&](const std::string& name, std::size_t rows) {
    tables.push_back({"/" + name + "/x", format.x_type, with_rows(rows, format.x_shape)});
    tables.push_back({"/" + name + "/y", format.y_type, with_rows(rows, format.y_shape)});
    if (format.weights) tables.push_back({"/" + name + "/w", ElementType::f32, {rows}});
  };
  group("train", train);
  if (test != 0) group("test", test);
  std::vector<h5::PlannedAttribute> texts;
  const auto list = [&](const char* name, const std::vector<std::string>& names) {
    if (!names.empty()) texts.push_back({name, nlohmann::json(names).dump()});
  };
  list("classes", format.classes);
  list("features", format.features);
  list("targets", format.targets);
  list("categorical", format.categorical);
  if (!format.recipe.empty()) texts.push_back({"recipe", format.recipe});
  return h5::plan_file(path, tables, texts);
}

}  // namespace

SplitFile::SplitFile(const std::string& path, const RowFormat& format, std::size_t train, std::size_t test)
    : path_(path),
      layout_(plan(path, format, train, test)),
      file_(path),
      row_bytes_{format.x_bytes(), format.y_bytes(), format.w_bytes()} {
  std::size_t planned = 0;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const std::size_t bytes = (i < kTables ? train : test) * row_bytes_[i % kTables];
    if (bytes == 0) continue;  // no such table
    streams_[i].offset = layout_.offsets[planned++];
    streams_[i].end = streams_[i].offset + bytes;
  }
}

void SplitFile::flush(Stream& stream) {
  if (stream.waiting.size() > stream.end - stream.offset) {
    throw Error(ErrorKind::internal, path_ + ": more rows came than were counted");
  }
  file_.write(stream.offset, stream.waiting);
  stream.offset += stream.waiting.size();
  stream.waiting.clear();
}

void SplitFile::commit() {
  for (Stream& stream : streams_) {
    if (stream.end == 0) continue;
    flush(stream);
    if (stream.offset != stream.end) throw Error(ErrorKind::internal, path_ + ": fewer rows came than were counted");
  }
  for (const h5::Layout::Piece& piece : layout_.rest) file_.write(piece.offset, piece.bytes);
  file_.commit();
}

}  // namespace lockstep
