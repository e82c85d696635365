// Data read by all ranks of a host together against one rank that reads alone: the same bytes, numbers and errors.
#include "feed/load_dataset.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "feed/run_data.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kRows = 2600;  // three blocks of the normalisation, and several of the fingerprint
constexpr std::size_t kColumns = 150;

class LoadDataset : public testing::Test {
 protected:
  // `make` fills the folder of rank 0, which all ranks then read.
  void with_files(const std::function<void()>& make) {
    path_ = world.broadcast_text(folder_.path().string());
    if (world.is_root()) make();
    world.barrier();
  }
  void TearDown() override { world.barrier(); }  // nobody reads any more when the folder goes

  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] bool last() const { return world.rank() == world.size() - 1; }

  void expect_same(const DataSource& source) const {
    const Dataset alone = read_dataset(source, {});
    const Dataset together = load_dataset(world, source, {});
    EXPECT_EQ(together.source, alone.source);
    EXPECT_EQ(together.class_names, alone.class_names);
    EXPECT_EQ(together.fingerprint, alone.fingerprint);
    for (const auto& [found, expected] : {std::pair(&together.x, &alone.x), std::pair(&together.y, &alone.y)}) {
      EXPECT_EQ(found->type, expected->type);
      EXPECT_EQ(found->rows, expected->rows);
      EXPECT_EQ(found->columns, expected->columns);
      EXPECT_TRUE(std::ranges::equal(found->bytes, expected->bytes)) << source.x;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(found->bytes.data()) % 64, 0U);
    }
  }

  // The message of one rank that reads alone, on all ranks.
  void expect_same_error(const DataSource& source) const {
    std::string alone = "no error";
    try {
      (void)read_dataset(source, {});
    } catch (const Error& error) {
      alone = error.what();
    }
    try {
      (void)load_dataset(world, source, {});
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_TRUE(error.agreed());
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_EQ(error.what(), alone);
    }
  }

  Communicator world{MPI_COMM_WORLD};
  TemporaryFolder folder_;
  std::string path_;
};

std::vector<float> numbers(std::size_t count) {
  std::mt19937 random(3);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random() % 10007) / 100.0F;
  return values;
}

TEST_F(LoadDataset, OfHdf5IsWhatOneRankReads) {
  with_files([&] {
    SampleFile(path("a.h5"))
        .add<float>("/plain/x", {kRows, kColumns}, numbers(kRows * kColumns))
        .add<std::int64_t>("/plain/y", {kRows}, std::vector<std::int64_t>(kRows, 2))
        .add<float>("/packed/x", {kRows, 10, 15}, numbers(kRows * kColumns), 0, {37, 10, 7})
        .add<double>("/packed/y", {kRows, 2}, std::vector<double>(2 * kRows, 0.5), 0, {1000, 2})
        .add<std::uint8_t>("/one/x", {1, 3}, {1, 2, 3})  // fewer rows than ranks
        .add<std::int64_t>("/one/y", {1}, {0})
        .text_attribute("/", "classes", R"(["a", "b", "c"])");
  });
  for (const char* group : {":/plain", ":/packed", ":/one"}) expect_same({path("a.h5") + group});
}

TEST_F(LoadDataset, OfIdxIsWhatOneRankReads) {
  with_files([&] {
    Bytes pixels(200 * 12);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<unsigned char>(i * 7);
    const Bytes x = idx_bytes(0x0B, {200, 2, 3}, pixels);  // 16 bits
    const Bytes y = idx_bytes(0x08, {200}, Bytes(200, 1));
    write_plain(path("x"), x);
    write_gzip(path("x.gz"), x);
    write_plain(path("y"), y);
    write_gzip(path("y.gz"), y);
  });
  for (const char* x : {"x", "x.gz"}) {
    for (const char* y : {"y", "y.gz"}) expect_same({path(x), path(y)});
  }
}

TEST_F(LoadDataset, LivesAsLongAsItsTables) {
  with_files([&] {
    SampleFile(path("a.h5"))
        .add<std::int32_t>("/x", {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8})
        .add<std::int32_t>("/y", {4}, {0, 1, 2, 3});
  });
  Table x;
  {
    Dataset first = load_dataset(world, {path("a.h5")}, {});
    const Dataset second = load_dataset(world, {path("a.h5")}, {});
    x = first.x;
    first = second;
    EXPECT_EQ(row_of(first.y, 3), std::vector<double>{3});
  }
  EXPECT_EQ(row_of(x, 3), (std::vector<double>{7, 8}));
}

TEST_F(LoadDataset, NormalisesToTheSameBits) {
  with_files([&] {
    SampleFile(path("a.h5"))
        .add<float>("/x", {kRows, kColumns}, numbers(kRows * kColumns))
        .add<float>("/y", {kRows, 1}, numbers(kRows));  // fewer columns than ranks
  });
  const Dataset data = load_dataset(world, {path("a.h5")}, {});
  for (const NormalizeMethod method : {NormalizeMethod::none, NormalizeMethod::standard, NormalizeMethod::minmax}) {
    for (const Table* table : {&data.x, &data.y}) {
      const ColumnScaling alone = fit_scaling(method, *table);
      const ColumnScaling together = fit_scaling(world, method, *table);
      EXPECT_EQ(together.shift, alone.shift);
      EXPECT_EQ(together.scale, alone.scale);
    }
  }
}

TEST_F(LoadDataset, TellsOfANumberThatIsNotFiniteAsOneRankDoes) {
  const auto with_nan = [](std::size_t columns, std::vector<std::size_t> rows) {
    std::vector<float> values = numbers(50 * columns);
    for (const std::size_t row : rows) values[row * columns + columns - 1] = NAN;
    return values;
  };
  with_files([&] {
    SampleFile(path("a.h5"))
        .add<float>("/last/x", {50, 4}, with_nan(4, {49}))
        .add<float>("/last/y", {50}, with_nan(1, {}))
        .add<float>("/both/x", {50, 4}, with_nan(4, {20, 40}))
        .add<float>("/both/y", {50}, with_nan(1, {0}))  // x comes first
        .add<float>("/y/x", {50, 4}, with_nan(4, {}))
        .add<float>("/y/y", {50}, with_nan(1, {30}));
  });
  for (const char* group : {":/last", ":/both", ":/y"}) expect_same_error({path("a.h5") + group});
}

TEST_F(LoadDataset, TellsOfDamageAsOneRankDoes) {
  with_files([&] {
    const Bytes x = idx_bytes(0x08, {100, 2}, Bytes(200, 1));
    write_plain(path("y"), idx_bytes(0x08, {100}, Bytes(100, 1)));
    write_plain(path("short"), std::span(x).first(x.size() - 9));
    write_gzip(path("short.gz"), std::span(x).first(x.size() - 9));
    // A chunk in the middle that cannot be unpacked.
    SampleFile(path("a.h5"))
        .add<float>("/x", {400, 20}, numbers(8000), 0, {20, 20})
        .add<std::int32_t>("/y", {400}, std::vector<std::int32_t>(400));
    const std::uintmax_t bytes = std::filesystem::file_size(path("a.h5"));
    std::fstream file(path("a.h5"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(bytes / 2));
    file.write(std::string(200, 'x').data(), 200);
  });
  expect_same_error({path("short"), path("y")});
  expect_same_error({path("short.gz"), path("y")});
  expect_same_error({path("missing.h5")});
  expect_same_error({path("a.h5")});
}

TEST_F(LoadDataset, NamesTheRankThatAloneCannotOpenIt) {
  with_files([&] { SampleFile(path("a.h5")).add<float>("/x", {2}, {1, 2}).add<float>("/y", {2}, {0, 1}); });
  const std::string rank = world.size() == 1 ? "" : "rank " + std::to_string(world.size() - 1) + ": ";
  expect_error(ErrorKind::data, {(rank + path("missing.h5") + ": no such file").c_str()},
               [&] { (void)load_dataset(world, {path(last() ? "missing.h5" : "a.h5")}, {}); });
}

TEST_F(LoadDataset, RefusesUnlikeFiles) {
  with_files([&] {
    SampleFile(path("a.h5")).add<float>("/x", {2}, {1, 2}).add<float>("/y", {2}, {0, 1});
    SampleFile(path("b.h5")).add<float>("/x", {2}, {1, 3}).add<float>("/y", {2}, {0, 1});
  });
  const auto load = [&] { (void)load_dataset(world, {path(last() ? "b.h5" : "a.h5")}, {}); };
  if (world.size() == 1) {
    EXPECT_NO_THROW(load());
    return;
  }
  const std::string rank = "rank " + std::to_string(world.size() - 1);
  const bool alone = world.sum(std::int64_t{last() ? world.node_size() : 0}) == 1;  // on its host
  const char* const reason = alone ? "other samples" : "b.h5: not the file that another rank of this host has opened";
  expect_error(ErrorKind::data, {rank.c_str(), reason}, load);
}

TEST_F(LoadDataset, ComparesTheHostsByTheirFingerprints) {
  Dataset data;
  data.source = "a.h5";
  data.fingerprint = last() ? "bb" : "aa";
  if (world.size() == 1) {
    EXPECT_NO_THROW(check_same_data(world, data));
    return;
  }
  const std::string rank = "rank " + std::to_string(world.size() - 1);
  expect_error(ErrorKind::data, {"a.h5", rank.c_str(), "other samples", "bb", "aa"},
               [&] { check_same_data(world, data); });
}

class ReadRunData : public LoadDataset {
 protected:
  // A file with train (3 samples) and test (2) of 2 columns, and wide of 3.
  void SetUp() override {
    with_files([&] {
      SampleFile(path("a.h5"))
          .add<float>("/train/x", {3, 2}, {0, 10, 2, 10, 4, 10})
          .add<float>("/train/y", {3, 1}, {1, 2, 3})
          .add<float>("/test/x", {2, 2}, {9, 9, 9, 9})
          .add<float>("/test/y", {2, 1}, {7, 7})
          .add<float>("/wide/x", {1, 3}, {1, 2, 3})
          .add<float>("/wide/y", {1, 1}, {1})
          .add<std::int64_t>("/labels/x", {2, 2}, {1, 2, 3, 4})
          .add<std::int64_t>("/labels/y", {2}, {0, 1});
    });
  }
  [[nodiscard]] RunData read(const std::string& train, const std::string& test, const std::string& method,
                             const std::string& loss) const {
    RunConfig run;
    if (!train.empty()) run.data.train.x = path("a.h5:/") + train;
    if (!test.empty()) run.data.test.x = path("a.h5:/") + test;
    run.data.normalize = method;
    run.data.load = "memory";
    return read_run_data(world, run, *make_loss({loss, {}}));
  }
};

TEST_F(ReadRunData, NormalisesByTheTrainingDataAlone) {
  const RunData data = read("train", "test", "standard", "mse");
  EXPECT_EQ(data.train.samples(), 3U);
  ASSERT_TRUE(data.test.has_value());
  EXPECT_EQ(data.test->samples(), 2U);
  EXPECT_EQ(data.normalization.x.shift, (std::vector<double>{2, 10}));
  EXPECT_EQ(data.normalization.y.shift, std::vector<double>{2});  // targets of a regression too
}

TEST_F(ReadRunData, LeavesLabelsAsTheyAre) {
  const RunData data = read("labels", "", "standard", "softmax_cross_entropy");
  EXPECT_FALSE(data.test.has_value());
  EXPECT_FALSE(data.normalization.x.empty());
  EXPECT_TRUE(data.normalization.y.empty());
  EXPECT_TRUE(read("train", "", "none", "mse").normalization.x.empty());
}

TEST_F(ReadRunData, RefusesARunWithoutDataAndSplitsOfUnlikeWidth) {
  expect_error(ErrorKind::config, {"data.train"}, [&] { (void)read("", "test", "none", "mse"); });
  expect_error(ErrorKind::data, {"/wide has 3 columns", "/train has 2"},
               [&] { (void)read("train", "wide", "none", "mse"); });
}

}  // namespace
}  // namespace lockstep
