#include "import/csv_rows.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;      // bytes that are read at once
constexpr std::size_t kMarkBytes = std::size_t{1} << 16U;  // between marks, at least
constexpr std::size_t kMostMarks = std::size_t{1} << 16U;  // of a file, about
constexpr std::size_t kAliveRows = std::size_t{1} << 16U;

}  // namespace

RowCutter::RowCutter(const std::string& path, char delimiter)
    : path_(path),
      delimiter_(delimiter),
      file_(path),
      buffer_(std::clamp(file_.bytes() + 1, std::size_t{4096}, kPiece)) {
  seek(0);
}

void RowCutter::seek(std::size_t offset) {
  base_ = offset;
  begin_ = end_ = 0;
  ended_ = has_quotes_ = has_returns_ = false;
  if (offset != 0) return;
  while (end_ < kMark.size() && fill()) continue;
  has_mark_ = std::string_view(buffer_.data(), end_).starts_with(kMark);
  if (has_mark_) begin_ = kMark.size();
}

void RowCutter::seek_into(std::size_t offset, bool in_quotes) {
  if (offset == 0) return seek(0);
  seek(offset - 1);
  while (end_ < 2 && fill()) continue;
  begin_ = std::min<std::size_t>(1, end_);
  const bool behind_line =
      end_ > 0 && (buffer_[0] == '\n' || (buffer_[0] == '\r' && !(end_ > 1 && buffer_[1] == '\n')));
  if (behind_line && !in_quotes) return;
  begin_ = find_rest_end(in_quotes);
}

// More of the file behind what there is; false at its end.
bool RowCutter::fill() {
  if (ended_) return false;
  if (begin_ != 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    base_ += begin_;
    end_ -= begin_;
    begin_ = 0;
    const std::string_view left(buffer_.data(), end_);
    has_quotes_ = left.find('"') != std::string_view::npos;
    has_returns_ = left.find('\r') != std::string_view::npos;
  }
  if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  const std::string_view more = file_.read(base_ + end_, std::span(buffer_).subspan(end_));
  if (more.empty()) {
    ended_ = true;
    return false;
  }
  has_quotes_ = has_quotes_ || more.find('"') != std::string_view::npos;
  has_returns_ = has_returns_ || more.find('\r') != std::string_view::npos;
  end_ += more.size();
  return true;
}

// The place in the buffer behind the line end of the row at begin_, all of which it reads. `look(bytes)` is given what
// comes before each line end, piece by piece, and tells whether it is between quotes; then this end and it are passed
// by. kTooLong: there are more than kMostRow bytes of it.
template <class Look>
std::size_t RowCutter::find_end(Look&& look) {
  std::size_t at = begin_;
  while (true) {
    const std::string_view bytes(buffer_.data(), end_);
    const std::size_t stop = has_returns_ ? bytes.find_first_of("\r\n", at) : bytes.find('\n', at);
    const bool cut_off = stop != std::string_view::npos && bytes[stop] == '\r' && stop + 1 == end_;  // of a CRLF?
    if (stop != std::string_view::npos && !cut_off) {
      const std::size_t behind = stop + (bytes[stop] == '\r' && bytes[stop + 1] == '\n' ? 2 : 1);
      if (!look(bytes.substr(at, stop - at))) return behind;
      at = behind;
      continue;
    }
    if (end_ - begin_ > kMostRow) return kTooLong;
    at -= begin_;
    const bool more = fill();  // moves what is there to the front
    at += begin_;
    if (!more) return end_;
  }
}

RowCutter::State RowCutter::look(State state, std::string_view bytes) noexcept {
  for (const char c : bytes) {
    const bool space = (c == ' ' || c == '\t') && c != delimiter_;
    switch (state) {
      case State::start:
        if (c == '"') {
          state = State::quoted;
        } else if (c != delimiter_ && !space) {
          state = State::plain;
        }
        break;
      case State::plain:
        stray_ = stray_ || c == '"';
        if (c == delimiter_) state = State::start;
        break;
      case State::quoted:
        if (c == '"') state = State::closing;
        break;
      case State::closing:
      case State::closed:
        if (c == delimiter_) {
          state = State::start;
        } else if (c == '"' && state == State::closing) {
          state = State::quoted;  // it was doubled
        } else if (space) {
          state = State::closed;
        } else {
          stray_ = true;
          state = State::plain;
        }
        break;
    }
  }
  return state;
}

std::size_t RowCutter::find_row_end() {
  State state = State::start;
  const std::size_t end = find_end([&](std::string_view bytes) {
    if (!has_quotes_ || (state != State::quoted && bytes.find('"') == std::string_view::npos)) return false;
    state = look(state, bytes);
    return state == State::quoted;
  });
  if (end != kTooLong) return end;
  throw Error(ErrorKind::data, path_ + ": the row at byte " + std::to_string(base_ + begin_) +
                                   " has more than 32 MiB; is a quote not closed?");
}

// From within a row, whose quotes are taken to be good. Where that makes it too long, a stray one was counted before,
// maybe: then the row ends anywhere, for whoever meets a stray quote has the file looked at from its beginning.
std::size_t RowCutter::find_rest_end(bool in_quotes) {
  const std::size_t end = find_end([&](std::string_view bytes) {
    const auto count = std::count(bytes.begin(), bytes.end(), '"');
    in_quotes = in_quotes != ((count & 1) != 0);
    return in_quotes;
  });
  if (end != kTooLong) return end;
  stray_ = true;
  return end_;
}

bool RowCutter::is_blank(std::string_view line) const noexcept {
  return std::ranges::all_of(line, [&](char c) { return (c == ' ' || c == '\t') && c != delimiter_; });
}

bool RowCutter::next() {
  while (begin_ != end_ || fill()) {
    const std::size_t behind = find_row_end();
    std::string_view row(buffer_.data() + begin_, behind - begin_);
    row_offset_ = base_ + begin_;
    begin_ = behind;
    if (row.ends_with('\n')) row.remove_suffix(1);
    if (row.ends_with('\r')) row.remove_suffix(1);
    if (is_blank(row)) continue;
    row_ = row;
    return true;
  }
  return false;
}

std::uint64_t count_quotes(const std::string& path, Range bytes, const std::function<void()>& alive) {
  const CsvFile file(path);
  std::vector<char> memory(std::min(kPiece, bytes.size()));
  std::uint64_t quotes = 0;
  for (std::size_t at = bytes.begin; at < bytes.end;) {
    const std::string_view part = file.read(at, std::span(memory).first(std::min(memory.size(), bytes.end - at)));
    if (part.empty()) break;  // it has become shorter, which those who read its rows will meet
    for (std::size_t quote = part.find('"'); quote != std::string_view::npos; quote = part.find('"', quote + 1))
      ++quotes;
    at += part.size();
    if (alive) alive();
  }
  return quotes;
}

RowPart scan_rows(const std::string& path, char delimiter, Range bytes, bool in_quotes,
                  const std::function<void()>& alive) {
  const std::size_t between = std::max(kMarkBytes, bytes.size() / kMostMarks);
  RowPart found;
  RowCutter cutter(path, delimiter);
  cutter.seek_into(bytes.begin, in_quotes);
  while (cutter.next() && (cutter.offset() < bytes.end || (bytes.begin == 0 && cutter.behind_mark()))) {
    if (found.marks.empty() || cutter.offset() >= found.marks.back().offset + between) {
      found.marks.push_back({found.rows, cutter.offset()});
    }
    if (++found.rows % kAliveRows == 0 && alive) alive();
  }
  found.stray = cutter.stray();
  return found;
}

RowIndex::RowIndex(const std::vector<RowPart>& parts) {
  for (const RowPart& part : parts) {
    for (const RowMark& mark : part.marks) marks_.push_back({rows_ + mark.row, mark.offset});
    rows_ += part.rows;
  }
}

RowMark RowIndex::before(std::size_t row) const {
  const auto behind = std::ranges::upper_bound(marks_, row, {}, &RowMark::row);
  if (behind == marks_.begin()) throw Error(ErrorKind::usage, "row index: there is no such row");
  return *std::prev(behind);
}

std::string encode(const RowPart& part) {
  const std::uint64_t head[] = {part.stray ? 1U : 0U, part.rows};
  std::string bytes(sizeof head + part.marks.size() * sizeof(RowMark), '\0');
  std::memcpy(bytes.data(), head, sizeof head);
  if (!part.marks.empty()) {
    std::memcpy(bytes.data() + sizeof head, part.marks.data(), part.marks.size() * sizeof(RowMark));
  }
  return bytes;
}

RowPart decode_part(std::string_view bytes) {
  std::uint64_t head[2];
  std::memcpy(head, bytes.data(), sizeof head);
  bytes.remove_prefix(sizeof head);
  RowPart part{.stray = head[0] != 0, .rows = head[1]};
  part.marks.resize(bytes.size() / sizeof(RowMark));
  if (!part.marks.empty()) std::memcpy(part.marks.data(), bytes.data(), bytes.size());
  return part;
}

}  // namespace lockstep
