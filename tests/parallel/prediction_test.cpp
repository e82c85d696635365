// Predictions by pieces over several ranks: all of them, in order, the same bits; and what fails in the middle.
#include "score/prediction.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "parallel/training.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPredicted = 2900;  // 11 blocks and a short one

// Samples in memory, with the label of nobody.
class MemoryReader final : public TableReader {
 public:
  MemoryReader() : table_(test::make_dataset(kPredicted).x) {
    header_ = {"made up: x", table_.type, kPredicted, table_.columns};
  }
  void read(Range rows, std::span<std::byte> out) override {
    std::ranges::copy(table_.bytes.subspan(rows.begin * header_.row_bytes(), out.size()), out.begin());
    for (std::size_t i = 0; i < out.size() / sizeof(float); ++i) {
      if (rows.begin * 6 + i < spoiled_) continue;
      std::memcpy(out.data() + i * sizeof(float), &kNan, sizeof(float));
    }
  }
  /// From this number on all are not finite.
  void spoil(std::size_t first) { spoiled_ = first; }

 private:
  static constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  Table table_;
  std::size_t spoiled_ = std::numeric_limits<std::size_t>::max();
};

// Keeps what it gets; or finds no room behind so many rows.
class MemoryFile final : public PredictionFile {
 public:
  explicit MemoryFile(std::size_t room = kPredicted) : room_(room) {}
  void encode(const Predictions& predictions, std::vector<std::byte>& bytes) const override {
    const auto more = std::as_bytes(std::span(predictions.probabilities));
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  void open(std::function<void()> /*alive*/) override { opened = true; }
  void add(Range rows, std::span<const std::byte> part) override {
    EXPECT_EQ(rows.begin, end);
    EXPECT_EQ(part.size(), rows.size() * 3 * sizeof(float));
    if (rows.end > room_) throw Error(ErrorKind::io, "no room");
    end = rows.end;
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  void commit() override { committed = true; }

  std::vector<std::byte> bytes;
  std::size_t end = 0;
  bool opened = false;
  bool committed = false;

 private:
  std::size_t room_;
};

class PredictionTest : public testing::Test {
 protected:
  void predict(const Communicator& comm, MemoryReader& x, MemoryFile& file, std::size_t piece_bytes) {
    predict_to_file(comm, {engine_->model(), engine_->loss(), engine_->weights()}, x, {}, file,
                    {.piece_bytes = piece_bytes, .done = [&](std::size_t rows) { last_ = rows; }});
  }
  Communicator world{MPI_COMM_WORLD};
  Communicator self{MPI_COMM_SELF};
  std::size_t last_ = 0;

 private:
  std::unique_ptr<Engine> engine_ = test::make_engine(world, test::make_run(4, "tree"));
};

TEST_F(PredictionTest, AllRowsComeInOrderWithTheSameBits) {
  MemoryReader x;
  MemoryFile alone;
  predict(self, x, alone, std::size_t{1} << 24U);
  EXPECT_TRUE(alone.committed);
  for (const std::size_t piece_bytes : {std::size_t{1}, std::size_t{40000}, std::size_t{1} << 24U}) {
    MemoryFile together;
    predict(world, x, together, piece_bytes);
    EXPECT_EQ(together.opened, world.is_root());
    EXPECT_EQ(together.committed, world.is_root());
    if (!world.is_root()) continue;
    EXPECT_EQ(last_, kPredicted);
    EXPECT_EQ(together.bytes, alone.bytes) << piece_bytes;
  }
}

TEST_F(PredictionTest, TheFirstBadRowEndsItOnAllRanks) {
  MemoryReader x;
  x.spoil(6 * 2000 + 3);
  MemoryFile file;
  expect_error(ErrorKind::data, {"made up: x: row 2000, column 3 is nan"}, [&] { predict(world, x, file, 1); });
  EXPECT_FALSE(file.committed);
}

TEST_F(PredictionTest, AFullDiskEndsItOnAllRanks) {
  MemoryReader x;
  for (const std::size_t room : {std::size_t{0}, std::size_t{1300}, kPredicted - 1}) {
    MemoryFile file(room);
    expect_error(ErrorKind::io, {"no room"}, [&] { predict(world, x, file, 1); });
    EXPECT_FALSE(file.committed);
  }
}

}  // namespace
}  // namespace lockstep
