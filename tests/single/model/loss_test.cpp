// Losses: gradients of every loss by central differences, numbers of PyTorch, and extremes.
#include "model/loss.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "lockstep/error.hpp"
#include "model/class_weights.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

// Answers of both kinds; a loss takes its own.
struct Answers {
  std::vector<std::int32_t> labels;
  std::vector<float> values;

  // Of as many outputs.
  [[nodiscard]] Targets for_loss(const Loss& loss, std::size_t outputs) const {
    if (loss.targets() == TargetKind::labels) return {labels, {}};
    return {{}, std::span(values).first(std::min(values.size(), outputs / loss.outputs_per_target()))};
  }
};

// Of nets of up to six outputs, the losses that take so many.
std::vector<Component> all_cases(std::size_t width = 3) {
  std::vector<Component> cases;
  std::vector<double> weights{0.5, 1.5, 0.25, 1, 2, 0.75};
  weights.resize(width);
  for (const std::string_view name : loss_names()) cases.push_back({std::string(name), {}});
  cases.push_back({"huber", {{"delta", 0.4}}});
  cases.push_back({"softmax_cross_entropy", {{"label_smoothing", 0.2}}});
  cases.push_back({"softmax_cross_entropy", {{"class_weights", weights}}});
  cases.push_back({"softmax_cross_entropy", {{"class_weights", weights}, {"label_smoothing", 0.2}}});
  cases.push_back({"binary_cross_entropy", {{"pos_weight", 1.5}}});
  cases.push_back({"binary_cross_entropy", {{"pos_weight", weights}}});
  cases.push_back({"gaussian_nll", {{"full", true}}});
  cases.push_back({"quantile", {{"quantiles", std::vector<double>{0.3}}}});
  cases.push_back({"poisson_nll", {{"full", true}}});
  cases.push_back({"binary_focal", {{"gamma", 0.5}, {"alpha", -1}}});
  cases.push_back({"hinge", {{"margin", 0.5}}});
  cases.push_back({"softmax_focal", {{"gamma", 0.5}, {"class_weights", weights}}});
  cases.push_back({"multi_margin", {{"p", 2}, {"class_weights", weights}}});
  std::erase_if(cases, [&](const Component& config) { return width % make_loss(config)->outputs_per_target() != 0; });
  return cases;
}

struct Result {
  double sum = 0;
  std::vector<float> slope;
};

Result evaluate(const Component& config, std::size_t width, const std::vector<float>& outputs, const Answers& answers) {
  const auto loss = make_loss(config);
  Result result;
  result.slope.resize(outputs.size());
  result.sum = loss->evaluate(width, outputs, answers.for_loss(*loss, outputs.size()), result.slope);
  return result;
}

TEST(Losses, GradientsMatchCentralDifferences) {
  constexpr std::size_t width = 6;
  constexpr float epsilon = 1e-2F;
  std::vector<float> outputs(6 * width);
  Answers answers{{0, 1, 2, 3, 5, 2}, std::vector<float>(6 * width)};
  fill_uniform({5, RandomPurpose::bench, 0}, -2.0F, 2.0F, outputs);
  fill_uniform({5, RandomPurpose::bench, 1}, 0.0F, 1.0F, answers.values);
  for (const Component& config : all_cases(width)) {
    SCOPED_TRACE(config.type);
    const auto loss = make_loss(config);
    const auto [here, slope] = evaluate(config, width, outputs, answers);
    const bool has_kinks = config.type == "mae" || config.type == "huber" || config.type == "quantile" ||
                           config.type == "hinge" || config.type == "multi_margin";
    std::vector<float> unused(outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      auto moved = outputs;
      moved[i] = outputs[i] + epsilon;
      const double high = moved[i];
      const double above = loss->evaluate(width, moved, answers.for_loss(*loss, moved.size()), unused);
      moved[i] = outputs[i] - epsilon;
      const double below = loss->evaluate(width, moved, answers.for_loss(*loss, moved.size()), unused);
      const double right = (above - here) / (high - double{outputs[i]});
      const double left = (here - below) / (double{outputs[i]} - double{moved[i]});
      // The sums are doubles, but softmax's exponentials are floats: 1e-7 / (2 epsilon) = 5e-6; third derivatives below
      // 10 add epsilon^2/6 of them. At a kink the slope is between those of its sides.
      if (has_kinks && std::abs(right - left) > 0.02) {
        EXPECT_GT(slope[i], std::min(left, right) - 1e-4) << i;
        EXPECT_LT(slope[i], std::max(left, right) + 1e-4) << i;
      } else {
        EXPECT_NEAR(slope[i], (above - below) / (high - double{moved[i]}), 2e-4) << i;
      }
    }
  }
}

TEST(Losses, AreSumsOverRows) {
  constexpr std::size_t width = 3;
  const std::vector<float> outputs{0.5F, -1.5F, 2.0F, 3.0F, 0.25F, -0.75F};
  const Answers answers{{2, 1}, {0.0F, 1.0F, 0.5F, 0.875F, 0.25F, 0.75F}};
  const std::vector<float> first(outputs.begin(), outputs.begin() + 3);
  const std::vector<float> second(outputs.begin() + 3, outputs.end());
  const Answers first_answers{{2}, {0.0F, 1.0F, 0.5F}};
  const Answers second_answers{{1}, {0.875F, 0.25F, 0.75F}};
  for (const Component& config : all_cases()) {
    if (make_loss(config)->outputs_per_target() > 1) continue;  // their targets lie otherwise
    SCOPED_TRACE(config.type);
    EXPECT_EQ(evaluate(config, width, outputs, answers).sum,
              evaluate(config, width, first, first_answers).sum + evaluate(config, width, second, second_answers).sum);
  }
}

TEST(Losses, OfNoRowsAreZero) {
  for (const Component& config : all_cases()) EXPECT_EQ(evaluate(config, 3, {}, {}).sum, 0.0);
}

TEST(Losses, OfNanAreNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Component& config : all_cases()) {
    for (const std::vector<float>& outputs :
         {std::vector<float>{nan, 1.0F, 2.0F}, std::vector<float>{1.0F, 2.0F, nan}}) {
      SCOPED_TRACE(config.type);
      EXPECT_TRUE(std::isnan(evaluate(config, 3, outputs, {{1}, {0.0F, 1.0F, 0.5F}}).sum));
    }
  }
}

// Twice PyTorch 1.13's value (its mean over two rows) and its gradient times two, both in float32: hence 1e-6.
void expect_pytorch(const Component& config, const Answers& answers, double sum, const std::vector<float>& slope) {
  SCOPED_TRACE(config.type);
  const auto result = evaluate(config, 3, {0.5F, -1.5F, 2.0F, 3.0F, 0.25F, -0.75F}, answers);
  EXPECT_NEAR(result.sum, sum, 1e-6 * sum);
  for (std::size_t i = 0; i < slope.size(); ++i) EXPECT_NEAR(result.slope[i], slope[i], 1e-6) << i;
}

TEST(Losses, MatchPyTorch) {
  const Answers values{{}, {0.0F, 1.0F, 1.5F, -2.0F, 0.25F, 0.75F}};
  const Answers shares{{}, {0.0F, 1.0F, 1.0F, 1.0F, 0.0F, 0.25F}};
  const Answers labels{{2, 1}, {}};
  expect_pytorch({"mse"}, values, 34.0 / 3, {0.333333343F, -1.666666746F, 0.333333343F, 3.333333492F, 0.0F, -1.0F});
  expect_pytorch({"mae"}, values, 10.0 / 3,
                 {0.333333343F, -0.333333343F, 0.333333343F, 0.333333343F, 0.0F, -0.333333343F});
  expect_pytorch({"huber"}, values, 2.583333333,
                 {0.166666672F, -0.333333343F, 0.166666672F, 0.333333343F, 0.0F, -0.333333343F});
  expect_pytorch({"huber", {{"delta", 0.6}}}, values, 1.703333333,
                 {0.166666672F, -0.2F, 0.166666672F, 0.2F, 0.0F, -0.2F});
  expect_pytorch({"binary_cross_entropy"}, shares, 1.417105317,
                 {0.207486451F, -0.272524834F, -0.039734323F, -0.015808621F, 0.187392175F, 0.023607096F});
  expect_pytorch({"softmax_cross_entropy"}, labels, 3.059633732,
                 {0.178030193F, 0.024093766F, -0.202124F, 0.919586241F, -0.941212833F, 0.021626594F});
  expect_pytorch({"softmax_cross_entropy", {{"label_smoothing", 0.1}}}, labels, 3.167966843,
                 {0.144696862F, -0.009239569F, -0.135457337F, 0.88625288F, -0.87454617F, -0.011706742F});
}

TEST(Losses, WeighTheirRows) {
  const std::vector<std::int32_t> labels{2, 0, 2, 1};
  const auto weighted = make_loss({"softmax_cross_entropy", {{"class_weights", std::vector<double>{0.5, 0, 3}}}});
  EXPECT_EQ(weighted->weight(4, {labels, {}}), 6.5);
  EXPECT_EQ(weighted->weight(0, {}), 0.0);
  EXPECT_EQ(make_loss({"softmax_cross_entropy"})->weight(4, {labels, {}}), 4.0);
  EXPECT_EQ(make_loss({"binary_cross_entropy", {{"pos_weight", 9}}})->weight(4, {}), 4.0);  // as PyTorch's
}

TEST(Losses, OneForEveryWeightIsNoWeight) {
  const std::vector<float> outputs{0.5F, -1.5F, 2.0F, 3.0F, 0.25F, -0.75F};
  const Answers answers{{2, 1}, {0.0F, 1.0F, 0.25F, 1.0F, 0.0F, 0.75F}};
  for (const auto& [type, key] :
       {std::pair{"softmax_cross_entropy", "class_weights"}, {"binary_cross_entropy", "pos_weight"}}) {
    const auto plain = evaluate({type}, 3, outputs, answers);
    const auto weighted = evaluate({type, {{key, std::vector<double>{1, 1, 1}}}}, 3, outputs, answers);
    EXPECT_NEAR(weighted.sum, plain.sum, 1e-12 * plain.sum);
    for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_NEAR(weighted.slope[i], plain.slope[i], 1e-7) << i;
  }
}

// n / (classes * count), as scikit-learn's "balanced".
TEST(ClassWeights, BalanceIsByTheCountsOfLabels) {
  Component loss{"softmax_cross_entropy", {{"class_weights", "balanced"}, {"label_smoothing", 0.1}}};
  EXPECT_TRUE(wants_balance(loss));
  EXPECT_TRUE(make_loss(loss)->class_weights().empty());
  balance(loss, std::vector<double>{6, 1, 2}, "train.h5");
  EXPECT_FALSE(wants_balance(loss));
  EXPECT_EQ(loss.options.numbers("class_weights"), (std::vector<double>{9.0 / (3 * 6), 9.0 / 3, 9.0 / (3 * 2)}));
  EXPECT_EQ(loss.options.number("label_smoothing"), 0.1);
  EXPECT_EQ(make_loss(loss)->class_weights().size(), 3U);
  EXPECT_EQ(without_class_weights(loss), (Component{"softmax_cross_entropy", {{"label_smoothing", 0.1}}}));
  EXPECT_FALSE(wants_balance({"softmax_cross_entropy"}));
  Component kept = loss;
  loss.options.set("class_weights", "balanced");
  take_class_weights(loss, kept);
  EXPECT_EQ(loss, kept);
}

TEST(ClassWeights, WhatIsNoneIsRefused) {
  const auto refused = [](const char* type, const char* key, const OptionValue& value,
                          std::initializer_list<const char*> says) {
    expect_error(ErrorKind::config, says, [&] { make_loss({type, {{key, value}}})->check_outputs(3); });
  };
  const char* const softmax = "softmax_cross_entropy";
  const char* const binary = "binary_cross_entropy";
  refused(softmax, "class_weights", "balance",
          {"model.loss.class_weights", "\"balanced\" or a list of numbers", "found \"balance\""});
  refused(softmax, "class_weights", 2, {"model.loss.class_weights: expected a list of numbers, found 2"});
  refused(softmax, "class_weights", std::vector<double>{1, 2}, {"expected 3 weights, one an output", "found 2"});
  refused(softmax, "class_weights", std::vector<double>{1, -2, 1}, {"model.loss.class_weights", "found -2"});
  refused(softmax, "class_weights", std::vector<double>{1, std::nan(""), 1}, {"found nan"});
  refused(softmax, "class_weights", std::vector<double>{0, 0, 0}, {"at least one weight above 0"});
  refused(softmax, "class_weights", std::vector<double>{}, {"at least one weight above 0"});
  refused(binary, "pos_weight", std::vector<double>{1, 2}, {"model.loss.pos_weight", "expected 3 weights", "found 2"});
  refused(binary, "pos_weight", std::vector<double>{}, {"model.loss.pos_weight", "found none"});
  refused(binary, "pos_weight", -1.0, {"model.loss.pos_weight", "found -1"});
  refused(binary, "pos_weight", "balanced", {"model.loss.pos_weight: expected a number, found \"balanced\""});
  Component loss{softmax, {{"class_weights", "balanced"}}};
  expect_error(ErrorKind::config, {"train.h5 has none of class 1", "give a list"}, [&] {
    balance(loss, std::vector<double>{6, 0, 2}, "train.h5");
  });
}

TEST(SoftmaxCrossEntropy, TakesLogitsOfAnySize) {
  const auto right = evaluate({"softmax_cross_entropy"}, 3, {1e4F, -1e4F, 0.0F}, {{0}, {}});
  EXPECT_EQ(right.sum, 0.0);
  EXPECT_EQ(right.slope, (std::vector<float>{0, 0, 0}));
  const auto wrong = evaluate({"softmax_cross_entropy"}, 3, {1e4F, -1e4F, 0.0F}, {{1}, {}});
  EXPECT_EQ(wrong.sum, 2e4);
  EXPECT_EQ(wrong.slope, (std::vector<float>{1, -1, 0}));
}

TEST(BinaryCrossEntropy, TakesLogitsOfAnySize) {
  const auto result = evaluate({"binary_cross_entropy"}, 2, {1e4F, -1e4F, 1e4F, -1e4F}, {{}, {1, 0, 0, 1}});
  EXPECT_EQ(result.sum, 1e4);
  EXPECT_EQ(result.slope, (std::vector<float>{0, 0, 0.5F, -0.5F}));
}

TEST(BinaryCrossEntropy, KeepsSmallLosses) {
  // log(1 + exp(-30)) is lost in a float sum 1 + exp(-30).
  EXPECT_NEAR(evaluate({"binary_cross_entropy"}, 1, {30.0F}, {{}, {1.0F}}).sum, std::exp(-30.0), 1e-25);
}

TEST(Losses, SayWhichScoresMeanSomething) {
  EXPECT_EQ(make_loss({"mse"})->task(), Task::regression);
  EXPECT_EQ(make_loss({"mae"})->task(), Task::regression);
  EXPECT_EQ(make_loss({"huber"})->task(), Task::regression);
  EXPECT_EQ(make_loss({"binary_cross_entropy"})->task(), Task::binary);
  EXPECT_EQ(make_loss({"softmax_cross_entropy"})->task(), Task::classification);
}

TEST(Losses, RefuseAnUnknownNameListingTheKnownOnes) {
  try {
    (void)make_loss({"msee"});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    const std::string message = error.what();
    EXPECT_NE(message.find("msee"), std::string::npos);
    for (const std::string_view name : loss_names()) EXPECT_NE(message.find(name), std::string::npos) << name;
  }
}

TEST(Losses, TakeSeveralOutputsATarget) {
  const auto gaussian = make_loss({"gaussian_nll"});
  EXPECT_EQ(gaussian->num_targets(6), 3U);
  std::vector<double> answers(2);
  gaussian->answer(std::vector<float>{1.5F, 0.0F}, answers);
  EXPECT_DOUBLE_EQ(answers[0], 1.5);
  EXPECT_DOUBLE_EQ(answers[1], std::sqrt(std::log(2.0)));
  expect_error(ErrorKind::config, {"5 outputs", "2 for each target"}, [&] { gaussian->check_outputs(5); });
  const auto quantile = make_loss({"quantile", {{"quantiles", std::vector<double>{0.05, 0.4, 0.75}}}});
  EXPECT_EQ(quantile->num_targets(6), 2U);
  EXPECT_EQ(quantile->point(), 1U);
  EXPECT_EQ(quantile->answers()[2].suffix, "_q0.75");
  EXPECT_FALSE(make_loss({"poisson_nll"})->normalizes_targets());
  EXPECT_FALSE(make_loss({"hinge"})->gives_probabilities());
  for (const std::vector<double>& bad : {std::vector<double>{}, {0.0}, {0.5, 0.5}, {0.9, 0.1}, {1.0}}) {
    expect_error(ErrorKind::config, {"model.loss.quantiles", "each larger"}, [&] {
      (void)make_loss({"quantile", {{"quantiles", bad}}});
    });
  }
}

TEST(GaussianNll, SurvivesOutputsOfAnySize) {
  const auto far = evaluate({"gaussian_nll"}, 2, {3.0F, -200.0F, 3.0F, 200.0F}, {{}, {1.0F, 1.0F}});
  EXPECT_NEAR(far.sum, 0.5 * (std::log(1e-6) + 4 / 1e-6) + 0.5 * (std::log(200.0) + 4 / 200.0), 1e-6 * far.sum);
  for (const float slope : far.slope) EXPECT_TRUE(std::isfinite(slope));
}

TEST(BinaryFocal, OfAllRightAndAllWrongAnswersIsFinite) {
  for (const double gamma : {0.0, 0.5, 2.0}) {
    const auto result =
        evaluate({"binary_focal", {{"gamma", gamma}, {"alpha", -1}}}, 1, {200.0F, 200.0F}, {{}, {1, 0}});
    EXPECT_NEAR(result.sum, 200, 1e-9);
    EXPECT_NEAR(result.slope[0], 0, 1e-12);
    EXPECT_NEAR(result.slope[1], 1, 1e-6);
  }
}

TEST(Losses, RefuseBadOptions) {
  for (const Component& config : all_cases()) EXPECT_THROW((void)make_loss({config.type, {{"colour", 1}}}), Error);
  EXPECT_THROW((void)make_loss({"huber", {{"delta", 0}}}), Error);
  EXPECT_THROW((void)make_loss({"softmax_cross_entropy", {{"label_smoothing", 1.5}}}), Error);
}

TEST(Losses, RefuseSizesThatDoNotMatch) {
  const std::vector<float> outputs(6);
  const std::vector<float> values(4);
  const std::vector<std::int32_t> labels(3);
  EXPECT_THROW((void)make_loss({"mse"})->evaluate(3, outputs, {{}, values}, {}), Error);
  EXPECT_THROW((void)make_loss({"softmax_cross_entropy"})->evaluate(3, outputs, {labels, {}}, {}), Error);
}

}  // namespace
}  // namespace lockstep
