// Files that HDF5 reads and did not write.
#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <vector>

#include "io/hdf5.hpp"
#include "io/new_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep::h5 {
namespace {

Frame frame_of(std::size_t rows) {
  File file = File::create_frame("frame");
  file.set_attribute("/", "format", "a frame");
  file.reserve("/group/numbers", ElementType::f32, std::array{rows, std::size_t{3}});
  file.reserve("/labels", ElementType::i64, std::array{rows});
  file.set_attribute("/labels", "unit", std::int64_t{7});
  return std::move(file).take_frame();
}

TEST(Frame, BecomesAFileOnceItsNumbersAreWritten) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "frame.h5").string();
  const Frame frame = frame_of(5);
  std::vector<float> numbers(15);
  std::iota(numbers.begin(), numbers.end(), 0.5F);
  std::vector<std::int64_t> labels{1, 2, 3, 4, 1L << 40};
  {
    NewFile file(path);
    file.write(frame.arrays[1], std::as_bytes(std::span(labels)));
    for (const Frame::Part& part : frame.parts) file.write(part.offset, part.bytes);
    file.write(frame.arrays[0], std::as_bytes(std::span(numbers)));
    file.commit();
  }
  const File file = File::open(path);
  EXPECT_EQ(file.info("/group/numbers").shape, (std::vector<std::size_t>{5, 3}));
  std::vector<float> found(15);
  file.read("/group/numbers", std::span(found));
  EXPECT_EQ(found, numbers);
  std::vector<std::int64_t> found_labels(5);
  file.read("/labels", std::span(found_labels));
  EXPECT_EQ(found_labels, labels);
  EXPECT_EQ(file.text_attribute("/", "format"), "a frame");
  EXPECT_EQ(file.integer_attribute("/labels", "unit"), 7);
}

TEST(Frame, CostsNoMemoryForItsNumbers) {
  const Frame frame = frame_of(std::size_t{1} << 32U);  // 80 GiB
  EXPECT_GT(frame.bytes, std::size_t{80} << 30U);
  std::size_t kept = 0;
  for (const Frame::Part& part : frame.parts) kept += part.bytes.size();
  EXPECT_LT(kept, std::size_t{1} << 16U);
}

TEST(Frame, IsTheSameBytesEveryTime) {
  const Frame first = frame_of(9);
  const Frame second = frame_of(9);
  EXPECT_EQ(first.arrays, second.arrays);
  ASSERT_EQ(first.parts.size(), second.parts.size());
  for (std::size_t i = 0; i < first.parts.size(); ++i) EXPECT_EQ(first.parts[i].bytes, second.parts[i].bytes);
}

TEST(Frame, RefusesEmptyArraysAndOtherFiles) {
  File frame = File::create_frame("frame");
  expect_error(ErrorKind::usage, {"frame", "/x"},
               [&] { frame.reserve("/x", ElementType::f32, std::array{std::size_t{0}}); });
  File image = File::create_image("image");
  expect_error(ErrorKind::usage, {"image"}, [&] { image.reserve("/x", ElementType::f32, std::array{std::size_t{1}}); });
  expect_error(ErrorKind::usage, {"image"}, [&] { (void)std::move(image).take_frame(); });
}

}  // namespace
}  // namespace lockstep::h5
