// What a process computes, hashed and compared.
#include "compute/probe.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep {
namespace {

// An object whose products differ from those of another in the last bits, as those of another library would.
class Rounded final : public Compute {
 public:
  [[nodiscard]] std::string_view backend() const noexcept override { return "rounded"; }
  [[nodiscard]] std::int64_t threads() const noexcept override { return 1; }
  void prepare() const override {}
  [[nodiscard]] std::string kernel() const override { return "none"; }
  [[nodiscard]] std::string version() const override { return "none"; }
  void gemm(const GemmShape& shape, Transpose trans_a, std::span<const float> a, Transpose trans_b,
            std::span<const float> b, float beta, std::span<float> c) const override {
    compute_->gemm(shape, trans_a, a, trans_b, b, beta, c);
    if (trans_a == Transpose::yes && shape.m > 1000) c.back() *= 1.0000002F;
  }

 private:
  std::shared_ptr<const Compute> compute_ = make_compute();
};

TEST(Probe, IsTheSameAgainAndNamesAllKernels) {
  const auto compute = make_compute();
  const Probe probe = probe_kernels(*compute);
  std::vector<std::string> names;
  for (const auto& [name, hash] : probe) {
    names.push_back(name);
    EXPECT_EQ(hash.size(), 16U);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"exp", "forward", "gelu", "gelu_slope", "input_gradient", "libm",
                                             "sigmoid", "tanh", "weight_gradient"}));
  EXPECT_EQ(probe_kernels(*compute), probe);
  EXPECT_EQ(parse_probe(probe_text(probe)), probe);
}

TEST(Probe, SeesOneBitOfOneProduct) {
  EXPECT_EQ(unlike_kernels(probe_kernels(*make_compute()), probe_kernels(Rounded())),
            std::vector<std::string>{"weight_gradient"});
}

TEST(UnlikeKernels, AreThoseThatBothKnow) {
  EXPECT_EQ(unlike_kernels({{"a", "1"}, {"b", "2"}, {"c", "3"}}, {{"b", "9"}, {"c", "3"}, {"d", "4"}}),
            std::vector<std::string>{"b"});
}

TEST(UnlikeRanks, AreNamedWithHostsKernelsAndWhatThereIsToDo) {
  const Probe old{{"exp", "1"}, {"forward", "2"}};
  const Probe wide{{"exp", "1"}, {"forward", "3"}};
  const std::vector<ProbedRank> alike{{"a", "Haswell kernels", old}, {"b", "Zen kernels", old}};
  EXPECT_EQ(unlike_ranks(alike), "");
  EXPECT_EQ(unlike_ranks({}), "");
  std::vector<ProbedRank> ranks{{"a", "Haswell kernels", old}, {"a", "Haswell kernels", old}};
  for (int i = 0; i < 5; ++i) ranks.push_back({"b", "SkylakeX kernels", wide});
  const std::string text = unlike_ranks(ranks);
  for (const char* part : {"Haswell kernels; SkylakeX kernels", "rank 2 on b, rank 3 on b, rank 4 on b and 2 more",
                           "than rank 0 on a", "(forward)", "OPENBLAS_CORETYPE"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << ": " << text;
  }
}

}  // namespace
}  // namespace lockstep
