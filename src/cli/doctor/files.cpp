// lockstep doctor: the run's data and its output folder, as every host sees them.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "cli/doctor/doctor.hpp"
#include "core/hash.hpp"
#include "data/file_list.hpp"
#include "data/open_dataset.hpp"
#include "data/sample_weights.hpp"
#include "feed/windowed_data.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSampleRows = 4096;
constexpr std::size_t kSampleBytes = std::size_t{16} << 20U;
constexpr std::size_t kPlaces = 8;                     // of a file that are read
constexpr double kWait = 10;                           // [s] for a file that another host has written
constexpr auto kLook = std::chrono::milliseconds(20);  // between two looks

// `rows` rows of a table: from kPlaces places spread over it, or its first ones where it is read from its begin.
Table sample_table(TableReader& reader, std::size_t rows, Pulse& pulse) {
  const TableHeader& header = reader.header();
  std::vector<std::byte> bytes(rows * header.row_bytes());
  const std::size_t places = reader.seekable() ? std::min(kPlaces, rows) : 1;
  for (std::size_t place = 0; place < places; ++place) {
    const Range out = part_of(rows, place, places);
    const std::size_t begin =
        part_of(header.rows - rows, place, std::max<std::size_t>(places - 1, 1)).begin + out.begin;
    reader.read({begin, begin + out.size()},
                std::span(bytes).subspan(out.begin * header.row_bytes(), out.size() * header.row_bytes()));
    pulse.beat();
  }
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  const Table table{header.type, rows, header.columns, *owner, owner};
  check_finite(table, header.name, {0, rows}, 0, header.may_miss);
  return table;
}

DataSample sample_source(const std::string& what, const DataSource& named, const DataSource& source,
                         const DataConfig& config, Pulse& pulse) {
  OpenDataset opened = open_dataset(source, {});
  cut_windows_of_files(opened, config);
  const TableHeader& x = opened.x->header();
  const TableHeader& y = opened.y->header();
  const std::size_t fit = kSampleBytes / std::max<std::size_t>(x.row_bytes() + y.row_bytes(), 1);
  const std::size_t rows = std::min({x.rows, kSampleRows, std::max<std::size_t>(fit, 1)});
  DataSample sample{.what = what, .source = source_text(named), .samples = x.rows, .rows = {}};
  sample.rows.source = opened.source;
  sample.rows.class_names = opened.class_names;
  sample.rows.x = sample_table(*opened.x, rows, pulse);
  sample.rows.y = sample_table(*opened.y, rows, pulse);
  if (opened.y->header().may_miss) {
    std::vector<std::int64_t> missing(y.columns, 0);
    count_missing(sample.rows.y, {0, rows}, missing);
    set_missing(sample.rows, std::move(missing));
  }
  // Not the fingerprint of a checkpoint, which is over all rows.
  Hash hash;
  for (const Table* table : {&sample.rows.x, &sample.rows.y}) {
    hash.integer(static_cast<std::uint64_t>(table->type));
    hash.integer(x.rows);
    hash.integer(table->columns);
    hash.bytes(table->bytes);
  }
  sample.rows.fingerprint = hash.hex();
  return sample;
}

// What each rank has to complain of, as one text a host; those of all hosts, where they are the same.
void tell_by_host(const Communicator& comm, const Job& job, const std::string& own, Findings& findings) {
  const std::vector<std::string> texts = comm.gather_texts(own);
  const bool all_alike = std::ranges::all_of(texts, [&](const std::string& text) { return text == texts.front(); });
  std::set<std::pair<std::string, std::string>> told;
  for (std::size_t rank = 0; rank < texts.size(); ++rank) {
    const std::string& host = job.hosts[job.host_of[rank]].name;
    if (texts[rank].empty() || !told.insert({host, texts[rank]}).second) continue;
    if (all_alike) {
      findings.problems.push_back(texts[rank]);
      return;
    }
    findings.problems.push_back(fmt::format("{}: {}", job.rank_name(rank), texts[rank]));
  }
}

}  // namespace

std::vector<DataSample> sample_data(const Communicator& comm, const Job& job, RunConfig& run,
                                    const std::function<void(RunConfig&)>& resolve, Findings& findings) {
  const auto rank = static_cast<std::size_t>(comm.rank());
  const bool leads = job.leader(job.here) == rank;
  const std::size_t before = findings.problems.size();
  std::string failure;
  const DataConfig named = run.data;
  try {
    if (run.data.train.empty()) throw Error(ErrorKind::config, "data.train: a run needs training data");
    resolve(run);
  } catch (const Error& error) {
    failure = error.what();
  }
  tell_by_host(comm, job, failure, findings);
  if (findings.problems.size() > before) return {};

  std::vector<DataSample> samples;
  for (const bool trains : {true, false}) {
    const std::string what = trains ? "data.train" : "data.test";
    const DataSource& source = trains ? run.data.train : run.data.test;
    if (source.empty()) continue;
    DataSample sample;
    double seconds = 0;
    for (const bool leaders_turn : {true, false}) {
      if (leads == leaders_turn) {
        comm.pulse().enter(Phase::reading);
        const auto start = std::chrono::steady_clock::now();
        try {
          sample = sample_source(what, trains ? named.train : named.test, source, run.data, comm.pulse());
        } catch (const Error& error) {
          failure = fmt::format("{}: {}", what, error.what());
        }
        seconds = seconds_since(start);
      }
      wait_quietly(comm);
    }
    tell_by_host(comm, job, failure, findings);
    failure.clear();
    const std::vector<double> times = gather_numbers(comm, seconds);
    const std::vector<std::string> prints = comm.gather_texts(sample.rows.fingerprint);
    for (std::size_t other = 1; other < prints.size(); ++other) {
      if (prints[other] == prints.front() || prints[other].empty() || prints.front().empty()) continue;
      findings.problems.push_back(
          fmt::format("{}: {} has read other samples from {} than rank 0 on {}; all hosts need "
                      "the same files",
                      what, job.rank_name(other), source.x, job.hosts[job.host_of[0]].name));
      break;
    }
    for (std::size_t host = 0; host < job.hosts.size(); ++host) sample.seconds.push_back(times[job.leader(host)]);
    samples.push_back(std::move(sample));
  }
  return findings.problems.size() > before ? std::vector<DataSample>{} : samples;
}

OutputCheck check_output(const Communicator& comm, const Job& job, const std::string& folder, Findings& findings) {
  OutputCheck check{.folder = folder};
  std::string failure;
  std::string text;  // what the file holds
  fs::path made;     // the first folder on the way that was not there
  if (comm.is_root()) {
    text = fmt::format("{} {}", getpid(), std::chrono::system_clock::now().time_since_epoch().count());
    const auto start = std::chrono::steady_clock::now();
    try {
      for (fs::path at = fs::absolute(folder).lexically_normal(); !fs::exists(at); at = at.parent_path()) made = at;
      fs::create_directories(folder);
      const std::array<std::span<const std::byte>, 1> parts{std::as_bytes(std::span(text))};
      write_file_atomically(fs::path(folder) / fmt::format(".doctor-{}", getpid()), parts);
    } catch (const fs::filesystem_error& error) {
      failure = error.code().message();
    } catch (const Error& error) {
      failure = error.what();
    }
    if (!failure.empty()) {
      failure = fmt::format("the output folder {} cannot be written: {}; --output names another", folder, failure);
    }
    check.write_seconds = seconds_since(start);
    struct statvfs system {};
    if (statvfs(folder.c_str(), &system) == 0) {
      check.free_bytes = static_cast<double>(system.f_bavail) * static_cast<double>(system.f_frsize);
    }
  }
  text = comm.broadcast_text(text);
  failure = comm.broadcast_text(failure);
  const fs::path file = fs::path(folder) / fmt::format(".doctor-{}", text.substr(0, text.find(' ')));
  std::string own;
  const auto start = std::chrono::steady_clock::now();
  if (failure.empty()) {
    const auto sees = [&] {
      std::string found;
      std::ifstream stream(file);
      return std::getline(stream, found) && found == text;
    };
    bool seen = sees();
    while (!seen && seconds_since(start) < kWait) {  // network file systems lag
      std::this_thread::sleep_for(kLook);
      comm.pulse().beat();
      seen = sees();
    }
    if (!seen) {
      own = fmt::format(
          "a file that rank 0 on {} wrote to the output folder {} is not seen within {:.0f} s: all hosts "
          "need one shared folder under the same path",
          job.hosts[job.host_of[0]].name, folder, kWait);
    }
  }
  check.seen_seconds = comm.max(seconds_since(start));
  const std::size_t before = findings.problems.size();
  if (failure.empty()) {
    tell_by_host(comm, job, own, findings);
  } else {
    findings.problems.push_back(failure);
  }
  check.good = findings.problems.size() == before;
  if (comm.is_root()) {  // all have looked
    std::error_code ignored;
    fs::remove(file, ignored);
    // The folders that were not there before, unless somebody has put something into them.
    for (fs::path at = fs::absolute(folder).lexically_normal(); !made.empty(); at = at.parent_path()) {
      if (!at.filename().empty()) fs::remove(at, ignored);
      if (at == made) break;
    }
  }
  return check;
}

}  // namespace lockstep::cli
