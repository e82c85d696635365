// Feeds changed run files, checkpoints and tables to the code that reads them. An input is accepted, or refused by
// an Error of kind config, data, usage or io; another exception, a crash, a hang or a hunger for memory is a failure.
//
//   fuzz [--count N] [--seed S] [--kind run|checkpoint|content|idx|npy|csv|recipe|table] [--case N]
//
// Case N of a kind and a seed is the same input on every machine with the same libraries; --case runs it alone. The
// cases run in children, a batch each, so that one that crashes is told and the rest go on.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <optional>
#include <sstream>
#include <typeinfo>

#include "faults/fuzz_kinds.hpp"
#include "lockstep/error.hpp"
#include "support/temporary_folder.hpp"

#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;
extern "C" const char* __asan_default_options() {  // NOLINT(*-identifier-naming): the sanitizer's name
  return "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1024";
}
#else
constexpr bool kSanitized = false;
#endif

namespace lockstep::fuzz {
namespace {

constexpr std::uint64_t kBatch = 250;         // cases a child
constexpr std::uint64_t kMemory = 1U << 30U;  // bytes that an input may take
constexpr unsigned kSeconds = kSanitized ? 30 : 5;

struct Settings {
  std::uint64_t seed = 1;
  std::optional<std::uint64_t> count;
  std::optional<std::string> kind;
  std::optional<std::uint64_t> number;  // of the one case to run
};

/// How a child is getting on; it lies in memory shared with the parent, which reads it when the child has ended.
struct Progress {
  std::atomic<std::uint64_t> current = 0;
  std::atomic<std::uint64_t> accepted = 0;
  std::atomic<std::uint64_t> refused = 0;
  std::atomic<std::uint64_t> failures = 0;
};

class SharedProgress {
 public:
  SharedProgress()
      : memory_(mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    new (memory_) Progress;
  }
  SharedProgress(const SharedProgress&) = delete;
  SharedProgress& operator=(const SharedProgress&) = delete;
  ~SharedProgress() { munmap(memory_, sizeof(Progress)); }
  Progress* operator->() const noexcept { return static_cast<Progress*>(memory_); }

 private:
  void* memory_;
};

std::string text_in(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

struct Outcome {
  enum class Verdict { accepted, refused, failure } verdict;
  std::string said;
};

Outcome read(const Kind& kind, const Input& input, const std::filesystem::path& folder) {
  using Verdict = Outcome::Verdict;
  try {
    kind.read(input, folder);
  } catch (const Error& error) {
    const std::string said = error.what();
    const bool right = error.kind() == ErrorKind::config || error.kind() == ErrorKind::data ||
                       error.kind() == ErrorKind::usage || error.kind() == ErrorKind::io;
    if (right && !said.empty()) return {Verdict::refused, said};
    return {Verdict::failure, fmt::format("an Error of kind {}: {}", static_cast<int>(error.kind()), said)};
  } catch (const WrongResult& wrong) {
    return {Verdict::failure, wrong.what()};
  } catch (const std::exception& error) {
    return {Verdict::failure, fmt::format("an exception of type {}: {}", typeid(error).name(), error.what())};
  }
  if (input.must_be_refused) return {Verdict::failure, "accepted, though its bytes have changed"};
  return {Verdict::accepted, "accepted"};
}

std::uint64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

/// One kind of input: its cases, their children and their count.
class Fuzzer {
 public:
  Fuzzer(const Kind& kind, std::size_t index, const Settings& settings)
      : kind_(kind), index_(index), settings_(settings) {}

  /// Runs cases `first` to `end` - 1 and prints what fails.
  void run(std::uint64_t first, std::uint64_t end) {
    const auto start = std::chrono::steady_clock::now();
    inputs_ = end - first;
    while (first < end) first = run_child(first, std::min(end, first + kBatch));
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void print_row() const {
    fmt::print("{:<12}{:>8}{:>10}{:>9}{:>10}", kind_.name(), inputs_, progress_->accepted, progress_->refused,
               progress_->failures);
    fmt::print("{:>9.1f}\n", seconds_);
  }
  [[nodiscard]] bool failed() const { return progress_->failures != 0; }

 private:
  /// Returns the case to go on with: `end`, or the one behind a case that ended the child.
  std::uint64_t run_child(std::uint64_t first, std::uint64_t end) {
    progress_->current = first;
    std::fflush(stdout);
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("fork fails");
    if (child == 0) run_batch(first, end);
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
      if (errno != EINTR) throw std::runtime_error("waitpid fails");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return end;
    tell_death(status);
    return progress_->current + 1;
  }

  [[noreturn]] void run_batch(std::uint64_t first, std::uint64_t end) noexcept {
    // What ends this process says so on stderr, and tell_death reads it.
    const int errors = open(errors_file().c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(errors, STDERR_FILENO);
    limit_memory();
    for (std::uint64_t number = first; number < end; ++number) {
      progress_->current = number;
      alarm(kSeconds);
      run_case(number);
      std::fflush(stdout);
    }
    _exit(0);
  }

  // On top of what the process has, the libraries' memory included. AddressSanitizer's shadow rules that out; there the
  // peak of the memory in use is looked at.
  static void limit_memory() {
    if (kSanitized) return;
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t bytes = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + kMemory;
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(1);
  }

  void run_case(std::uint64_t number) {
    Random random(settings_.seed, index_, number);
    const Input input = kind_.mutated(random);
    const std::uint64_t before = peak_bytes();
    Outcome outcome = read(kind_, input, folder_.path());
    if (kSanitized && peak_bytes() - before > kMemory) {
      outcome = {Outcome::Verdict::failure, "took more than 1 GiB of memory"};
    }
    if (settings_.number) fmt::print("{} {}: {}\n", kind_.name(), number, outcome.said);
    switch (outcome.verdict) {
      case Outcome::Verdict::accepted:
        ++progress_->accepted;
        break;
      case Outcome::Verdict::refused:
        ++progress_->refused;
        break;
      case Outcome::Verdict::failure:
        tell_failure(number, outcome.said);
        break;
    }
  }

  void tell_death(int status) {
    const std::string errors = text_in(errors_file());
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    std::string how = fmt::format("ends the process with exit code {}", WEXITSTATUS(status));
    if (signal != 0) how = fmt::format("ends the process by signal {} ({})", signal, strsignal(signal));
    if (signal == SIGALRM) how = fmt::format("takes more than {} seconds", kSeconds);
    tell_failure(progress_->current, how + "\n" + errors);
  }

  // Leaves the input where the fuzzer was started.
  void tell_failure(std::uint64_t number, const std::string& what) {
    ++progress_->failures;
    Random random(settings_.seed, index_, number);
    const Input input = kind_.mutated(random);
    std::string kept;
    for (std::size_t i = 0; i < input.files.size(); ++i) {
      const std::string name = fmt::format("fuzz-{}-{}-{}.bin", kind_.name(), number, i);
      std::ofstream(name, std::ios::binary) << input.files[i];
      kept += (i == 0 ? "" : ", ") + name;
    }
    fmt::print("FAILURE: {} {} (kept as {}): {}\n  again: fuzz --seed {} --kind {} --case {}\n", kind_.name(), number,
               kept, what, settings_.seed, kind_.name(), number);
  }

  [[nodiscard]] std::filesystem::path errors_file() const { return folder_.path() / "errors.txt"; }

  const Kind& kind_;
  std::size_t index_;
  const Settings& settings_;
  TemporaryFolder folder_;
  SharedProgress progress_;
  std::uint64_t inputs_ = 0;
  double seconds_ = 0;
};

struct Share {
  std::unique_ptr<Kind> kind;
  std::uint64_t tenths;  // of all inputs
};

// A fuzzer whose good inputs are refused tests nothing.
void check_seeds(const Kind& kind) {
  const TemporaryFolder folder;
  for (const Input& input : kind.seeds()) {
    const Outcome outcome = read(kind, input, folder.path());
    if (outcome.verdict != Outcome::Verdict::accepted) {
      throw std::runtime_error(fmt::format("a good {} is not accepted: {}", kind.name(), outcome.said));
    }
  }
}

int run(const Settings& settings) {
  std::array<Share, 8> shares = {{{make_run_files(), 4},
                                  {make_checkpoints(), 3},
                                  {make_idx_files(), 3},
                                  {make_npy_files(), 1},
                                  {make_csv_files(), 1},
                                  {make_contents(), 1},
                                  {make_recipes(), 2},
                                  {make_recipe_tables(), 3}}};
  const std::uint64_t count = settings.count.value_or(10'000);
  std::vector<std::unique_ptr<Fuzzer>> fuzzers;
  for (std::size_t index = 0; index < shares.size(); ++index) {
    const auto& [kind, tenths] = shares[index];
    if (settings.kind && *settings.kind != kind->name()) continue;
    check_seeds(*kind);
    fuzzers.push_back(std::make_unique<Fuzzer>(*kind, index, settings));
    const std::uint64_t first = settings.number.value_or(0);
    const std::uint64_t inputs = settings.kind ? count : count * tenths / 10;
    fuzzers.back()->run(first, settings.number ? first + 1 : inputs);
  }
  if (fuzzers.empty())
    throw std::runtime_error("--kind: expected run, checkpoint, content, idx, npy, csv, recipe or table");
  fmt::print("{:<12}{:>8}{:>10}{:>9}{:>10}{:>9}\n", "kind", "inputs", "accepted", "refused", "failures", "seconds");
  bool failed = false;
  for (const auto& fuzzer : fuzzers) {
    fuzzer->print_row();
    failed = failed || fuzzer->failed();
  }
  return failed ? 1 : 0;
}

std::uint64_t number_of(const std::string& option, const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    throw std::runtime_error(option + ": expected a number");
  return number;
}

Settings settings_of(const std::vector<std::string>& words) {
  Settings settings;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string& option = words[i];
    if (i + 1 == words.size()) throw std::runtime_error(option + ": a value is needed");
    const std::string& value = words[i + 1];
    if (option == "--kind") {
      settings.kind = value;
    } else if (option == "--count") {
      settings.count = number_of(option, value);
    } else if (option == "--seed") {
      settings.seed = number_of(option, value);
    } else if (option == "--case") {
      settings.number = number_of(option, value);
    } else {
      throw std::runtime_error(option + ": unknown; known: --count, --seed, --kind, --case");
    }
  }
  if (settings.number && !settings.kind) throw std::runtime_error("--case: needs --kind");
  return settings;
}

}  // namespace
}  // namespace lockstep::fuzz

int main(int argc, char** argv) {
  try {
    return lockstep::fuzz::run(lockstep::fuzz::settings_of({argv + 1, argv + argc}));
  } catch (const std::exception& error) {
    fmt::print(stderr, "fuzz: {}\n", error.what());
    return 1;
  }
}
