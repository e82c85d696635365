// The thread that reads windows ahead: the rows of the plan, from any batch on, and its errors.
#include "data/window_reader.hpp"

#include <cmath>
#include <filesystem>
#include <functional>
#include <map>

#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kStreamed = 1003;
constexpr std::size_t kStreamedColumns = 3;
constexpr std::uint64_t kEpochs = 3;

class WindowReaderTest : public testing::Test {
 protected:
  // x holds the sample's number in each column, y its remainder by 7.
  void write(const std::vector<hsize_t>& chunk = {}) const {
    std::vector<float> x;
    std::vector<std::uint8_t> y;
    for (std::size_t i = 0; i < kStreamed; ++i) {
      for (std::size_t c = 0; c < kStreamedColumns; ++c) x.push_back(static_cast<float>(i));
      y.push_back(static_cast<std::uint8_t>(i % 7));
    }
    SampleFile(path())
        .add<float>("/x", {kStreamed, kStreamedColumns}, x, 0, chunk)
        .add<std::uint8_t>("/y", {kStreamed}, y);
  }
  [[nodiscard]] std::string path() const { return (folder_.path() / "a.h5").string(); }
  [[nodiscard]] StreamPlan plan() const { return StreamPlan({kStreamed, 50, 4, 10, 60}); }
  [[nodiscard]] WindowReader open(Range shards, std::uint64_t limit = 7) const {
    return {open_dataset({path()}, {}),
            StreamSettings{plan(), shards, 5, kEpochs, {TargetRule::Kind::labels, limit, "so"}}};
  }

  // Samples of the batches from a batch on to the end of the last epoch, by shard; checks the rows.
  [[nodiscard]] std::map<std::size_t, std::vector<std::uint32_t>> read_from(Range shards, std::uint64_t epoch,
                                                                            std::size_t batch) const {
    WindowReader reader = open(shards);
    const EpochPlan epochs{kStreamed, 50};
    std::map<std::size_t, std::vector<std::uint32_t>> samples;
    reader.start(epoch, batch);
    for (; epoch < kEpochs; ++epoch, batch = 0) {
      for (; batch < epochs.batches(); ++batch) {
        reader.move_to(epoch, batch);
        reader.await([] {});
        for (std::size_t shard = shards.begin; shard < shards.end; ++shard) take(reader, shard, samples[shard]);
      }
    }
    return samples;
  }

  static void take(const WindowReader& reader, std::size_t shard, std::vector<std::uint32_t>& samples) {
    for (const WindowReader::Part& part : reader.parts_of(shard)) {
      for (std::size_t i = 0; i < part.rows.size(); ++i) {
        const auto sample = static_cast<double>(part.samples[i]);
        EXPECT_EQ(row_of(part.x, part.rows[i]), std::vector<double>(kStreamedColumns, sample));
        EXPECT_EQ(row_of(part.y, part.rows[i]), std::vector<double>{std::fmod(sample, 7)});
      }
      samples.insert(samples.end(), part.samples.begin(), part.samples.end());
    }
  }

  TemporaryFolder folder_;
};

TEST_F(WindowReaderTest, ReadsEverySampleOnceAnEpochAlsoWhatIsPacked) {
  for (const std::vector<hsize_t>& chunk : {std::vector<hsize_t>{}, {64, 2}}) {
    write(chunk);
    std::vector<int> visits(kStreamed, 0);
    for (const auto& [shard, samples] : read_from({0, 4}, 0, 0)) {
      EXPECT_EQ(samples.size(), kEpochs * plan().part(shard).size());
      for (const std::uint32_t sample : samples) ++visits[sample];
    }
    EXPECT_EQ(visits, std::vector<int>(kStreamed, kEpochs));
  }
}

TEST_F(WindowReaderTest, FromABatchOnReadsWhatItWouldHaveRead) {
  write();
  const auto whole = read_from({0, 4}, 0, 0);
  const EpochPlan epochs{kStreamed, 50};
  for (const std::uint64_t epoch : {std::uint64_t{0}, kEpochs - 1}) {
    for (const std::size_t batch : {std::size_t{1}, std::size_t{7}, epochs.batches() - 1}) {
      const auto rest = read_from({1, 3}, epoch, batch);  // other shards on this rank
      for (const std::size_t shard : {1U, 2U}) {
        const std::vector<std::uint32_t>& all = whole.at(shard);
        const std::size_t from = epoch * plan().part(shard).size() + plan().rows(batch, shard).begin;
        EXPECT_EQ(rest.at(shard),
                  std::vector<std::uint32_t>(all.begin() + static_cast<std::ptrdiff_t>(from), all.end()));
      }
    }
  }
}

TEST_F(WindowReaderTest, TellsWhenEachWindowWasRead) {
  write();
  WindowReader reader = open({0, 4});
  std::vector<WindowReader::Read> reads;
  const EpochPlan epochs{kStreamed, 50};
  reader.start(0, 0);
  while (reads.empty()) reader.take_reads(reads);  // while the thread is at it
  std::size_t windows = reads.size();
  for (std::size_t batch = 0; batch < epochs.batches(); ++batch) {
    reader.move_to(0, batch);
    reader.await([] {});
    reader.take_reads(reads);
    windows += reads.size();
    for (const WindowReader::Read& read : reads) EXPECT_LE(read.begin, read.end);
  }
  std::size_t needed = 0;
  const StreamPlan stream = plan();
  const StreamOrder order(stream, 5, 0);
  for (std::size_t shard = 0; shard < 4; ++shard) needed += order.windows(shard);
  EXPECT_GE(windows, needed);  // those of the next epoch may be there as well
}

TEST_F(WindowReaderTest, TellsOfWhatHasChangedInTheFile) {
  write();
  WindowReader labels = open({0, 4}, 6);
  labels.start(0, 0);
  expect_error(ErrorKind::data, {"a.h5", "label 6", "expected 0 to 5, so"}, [&] { labels.await([] {}); });
  WindowReader cut = open({0, 4});
  std::filesystem::resize_file(path(), std::filesystem::file_size(path()) - 100);
  cut.start(0, 0);
  expect_error(ErrorKind::data, {"a.h5", "cut off while it was in use"}, [&] {
    cut.await([] {});
    for (std::size_t batch = 1; batch < 21; ++batch) {
      cut.move_to(0, batch);
      cut.await([] {});
    }
  });
}

}  // namespace
}  // namespace lockstep
