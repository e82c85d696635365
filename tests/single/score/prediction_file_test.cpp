// Files of predictions: what stands in them, and what is left when there is no room.
#include "score/prediction_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "io/hdf5.hpp"
#include "support/expect_error.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class PredictionFiles : public testing::Test {
 protected:
  [[nodiscard]] std::string place(const std::string& name) const { return (folder_.path() / name).string(); }
  [[nodiscard]] std::string text(const std::string& name) const {
    std::ifstream file(place(name));
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }
  void write(const std::string& name, const PredictionPlan& plan, const Predictions& predictions) const {
    const auto file = make_prediction_file(place(name), plan);
    std::vector<std::byte> bytes;
    file->encode(predictions, bytes);
    file->open({});
    file->add({0, predictions.rows}, bytes);
    file->commit();
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(PredictionFiles, CsvOfClassesNamesThemInQuotesWhereItHasTo) {
  PredictionPlan plan{Task::classification, 2, 3};
  plan.class_names = {"cat", "dog, small", "a \"b\""};
  write("out.csv", plan, {2, {0.25F, 0.1F, 1e-9F, 0, 1, 1.0F / 3}, {2, 1}, {}});
  EXPECT_EQ(text("out.csv"),
            "label,class,probability_cat,\"probability_dog, small\",\"probability_a \"\"b\"\"\"\n"
            "2,\"a \"\"b\"\"\",0.25,0.1,1e-09\n"
            "1,\"dog, small\",0,1,0.33333334\n");
}

TEST_F(PredictionFiles, CsvWithoutNamesNumbersThem) {
  write("out.csv", {Task::classification, 1, 2}, {1, {0.75F, 0.25F}, {0}, {}});
  EXPECT_EQ(text("out.csv"), "label,probability_0,probability_1\n0,0.75,0.25\n");
  write("binary.csv", {Task::binary, 1, 1}, {1, {0.75F}, {1}, {}});
  EXPECT_EQ(text("binary.csv"), "label,probability\n1,0.75\n");
}

TEST_F(PredictionFiles, CsvOfValuesIsAsPreciseAsTheyAre) {
  const double tenth = 0.1F;
  write("float.csv", {Task::regression, 1, 2}, {1, {}, {}, {tenth, -3}});
  EXPECT_EQ(text("float.csv"), "y_0,y_1\n0.1,-3\n");
  write("double.csv", {Task::regression, 1, 1, true}, {1, {}, {}, {tenth}});
  EXPECT_EQ(text("double.csv"), "y\n0.10000000149011612\n");
}

TEST_F(PredictionFiles, TargetsAndTheNamesOfZeroAndOneNameColumns) {
  PredictionPlan plan{Task::regression, 1, 2};
  plan.target_names = {"price, net", "mass"};
  write("values.csv", plan, {1, {}, {}, {1, 2}});
  EXPECT_EQ(text("values.csv"), "\"price, net\",mass\n1,2\n");
  write("values.h5", plan, {1, {}, {}, {1, 2}});
  EXPECT_EQ(h5::File::open(place("values.h5")).text_attribute("/", "targets"), R"(["price, net","mass"])");
  plan.task = Task::binary;
  write("several.csv", plan, {1, {0.5F, 0.75F}, {0, 1}, {}});
  EXPECT_EQ(text("several.csv"),
            "\"label_price, net\",label_mass,\"probability_price, net\",probability_mass\n0,1,0.5,0.75\n");
  plan = {Task::binary, 2, 1};
  plan.class_names = {"no", "yes"};
  write("one.csv", plan, {2, {0.25F, 0.75F}, {0, 1}, {}});
  EXPECT_EQ(text("one.csv"), "label,class,probability_yes\n0,no,0.25\n1,yes,0.75\n");
}

TEST_F(PredictionFiles, Hdf5OfSeveralBinaryOutputsHasARowOfThemEach) {
  PredictionPlan plan{Task::binary, 2, 2};
  plan.notes = {{"digest", "abc"}};
  plan.step = 7;
  write("out.h5", plan, {2, {0.1F, 0.9F, 0.8F, 0.2F}, {0, 1, 1, 0}, {}});
  const h5::File file = h5::File::open(place("out.h5"));
  EXPECT_EQ(file.info("/probability").shape, (std::vector<std::size_t>{2, 2}));
  std::vector<std::int64_t> labels(4);
  file.read("/label", std::span(labels));
  EXPECT_EQ(labels, (std::vector<std::int64_t>{0, 1, 1, 0}));
  EXPECT_EQ(file.text_attribute("/", "digest"), "abc");
  EXPECT_EQ(file.integer_attribute("/", "step"), 7);
}

TEST_F(PredictionFiles, AFullDiskLeavesTheOldFileAndNothingBesideIt) {
  Predictions predictions{5000, {}, {}, std::vector<double>(5000, 0.123456789)};
  for (const char* name : {"out.csv", "out.h5"}) {
    std::ofstream(place(name)) << "old";
    const FileSizeLimit limit(30000);
    expect_error(ErrorKind::io, {name}, [&] { write(name, {Task::regression, 5000, 1, true}, predictions); });
    EXPECT_EQ(text(name), "old");
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(place("")), {}), 2);
}

TEST_F(PredictionFiles, RefusesAnEndThatItDoesNotKnow) {
  expect_error(ErrorKind::usage, {"out.txt", ".h5", ".csv"}, [] { (void)make_prediction_file("out.txt", {}); });
}

}  // namespace
}  // namespace lockstep
