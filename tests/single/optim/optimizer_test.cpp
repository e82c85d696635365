// Every optimizer: first steps worked out by hand, and what all of them promise.
#include "optim/optimizer.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// An optimizer with the weights and slots it works on.
struct Bench {
  Bench(std::unique_ptr<Optimizer> made, std::vector<float> start) : optimizer(std::move(made)), weights(start) {
    for (std::size_t s = 0; s < optimizer->slots().size(); ++s) {
      slots.emplace_back(start.size(), optimizer->slot_start(s));
    }
  }

  void update(const UpdateStep& step, const std::vector<float>& gradient, bool decay = true) {
    update_range(step, gradient, decay, 0, weights.size());
  }

  void update_range(const UpdateStep& step, std::span<const float> gradient, bool decay, std::size_t begin,
                    std::size_t size) {
    std::vector<std::span<float>> views;
    for (auto& slot : slots) views.push_back(std::span(slot).subspan(begin, size));
    optimizer->update(step, decay, std::span(weights).subspan(begin, size), gradient.subspan(begin, size), views);
  }

  std::unique_ptr<Optimizer> optimizer;
  std::vector<float> weights;
  std::vector<std::vector<float>> slots;
};

// Norms as the engine takes them, of one parameter that is all there is.
UpdateStep with_norms(Bench& bench, UpdateStep step, const std::vector<float>& gradient) {
  std::vector<std::span<float>> slots(bench.slots.begin(), bench.slots.end());
  const SquareSums squares =
      bench.optimizer->measure(step, true, bench.weights, std::span<const float>(gradient), slots);
  step.weight_norm = std::sqrt(squares.weights);
  step.direction_norm = std::sqrt(squares.direction);
  return step;
}

// A few float operations on values near 1, each rounded to 6e-8.
constexpr float kRounding = 1e-6F;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Sgd, StepsAgainstTheMeanGradient) {
  Bench bench(make_optimizer("sgd", {}), {1.0F, -2.0F});
  bench.update({.lr = 0.5, .step = 1, .divisor = 4}, {8.0F, -4.0F});
  EXPECT_EQ(bench.weights, (std::vector{0.0F, -1.5F}));
  EXPECT_TRUE(bench.slots.empty());
}

TEST(Sgd, ScalesTheMeanGradientByClip) {
  Bench bench(make_optimizer("sgd", {}), {1.0F});
  bench.update({.lr = 1, .step = 1, .divisor = 2, .clip = 0.25F}, {8.0F});
  EXPECT_EQ(bench.weights[0], 0.0F);
}

TEST(Sgd, StartsTheBufferWithTheWholeGradientAndDampensLater) {
  Bench bench(make_optimizer("sgd", {{"momentum", 0.5}, {"dampening", 0.75}}), {0.0F});
  bench.slots[0][0] = 100.0F;  // the first step does not look at it
  bench.update({.lr = 1, .step = 1}, {4.0F});
  EXPECT_EQ(bench.slots[0][0], 4.0F);
  EXPECT_EQ(bench.weights[0], -4.0F);
  bench.update({.lr = 1, .step = 2}, {8.0F});
  EXPECT_EQ(bench.slots[0][0], 4.0F);  // 0.5 * 4 + 0.25 * 8
  EXPECT_EQ(bench.weights[0], -8.0F);
}

TEST(Sgd, NesterovLooksAhead) {
  Bench bench(make_optimizer("sgd", {{"momentum", 0.5}, {"nesterov", true}}), {0.0F});
  bench.update({.lr = 1, .step = 1}, {4.0F});
  EXPECT_EQ(bench.weights[0], -6.0F);  // 4 + 0.5 * 4
  bench.update({.lr = 1, .step = 2}, {4.0F});
  EXPECT_EQ(bench.weights[0], -13.0F);  // buffer 6; 4 + 0.5 * 6
}

TEST(Sgd, RefusesNesterovWithoutMomentumOrWithDampening) {
  EXPECT_TRUE(contains(message_of([] { (void)make_optimizer("sgd", {{"nesterov", true}}); }), "nesterov"));
  EXPECT_TRUE(contains(message_of([] {
                         (void)make_optimizer("sgd", {{"nesterov", true}, {"momentum", 0.9}, {"dampening", 0.1}});
                       }),
                       "nesterov"));
}

TEST(Adam, FirstStepIsTheLearningRateAgainstTheSign) {
  // m / (1 - beta1) = g and sqrt(v / (1 - beta2)) = |g| at the first step.
  Bench bench(make_optimizer("adam", {}), {1.0F, 1.0F, 1.0F});
  bench.update({.lr = 0.125, .step = 1}, {3.0F, -0.01F, 0.0F});
  EXPECT_NEAR(bench.weights[0], 0.875F, kRounding);
  EXPECT_NEAR(bench.weights[1], 1.125F, kRounding);
  EXPECT_EQ(bench.weights[2], 1.0F);
}

TEST(Adam, SecondStepByHand) {
  Bench bench(make_optimizer("adam", {{"betas", std::vector{0.5, 0.75}}, {"eps", 0.5}}), {0.0F});
  bench.update({.lr = 1, .step = 1}, {2.0F});  // m 1, v 1; 1 / 0.5 / (sqrt(1 / 0.25) + 0.5)
  EXPECT_NEAR(bench.weights[0], -0.8F, kRounding);
  bench.update({.lr = 1, .step = 2}, {-2.0F});
  EXPECT_EQ(bench.slots[0][0], -0.5F);  // 0.5 * 1 - 0.5 * 2
  EXPECT_EQ(bench.slots[1][0], 1.75F);  // 0.75 * 1 + 0.25 * 4
  const double expected = -0.8 + (0.5 / 0.75) / (std::sqrt(1.75 / 0.4375) + 0.5);
  EXPECT_NEAR(bench.weights[0], expected, kRounding);
}

TEST(Adam, AddsDecayToTheGradientWhereAdamwShrinksTheWeights) {
  Bench adam(make_optimizer("adam", {{"weight_decay", 0.5}}), {4.0F});
  Bench adamw(make_optimizer("adamw", {{"weight_decay", 0.5}}), {4.0F});
  adam.update({.lr = 0.25, .step = 1}, {0.0F});
  adamw.update({.lr = 0.25, .step = 1}, {0.0F});
  EXPECT_NEAR(adam.weights[0], 3.75F, kRounding);  // the gradient 0.5 * 4 gives a step of lr
  EXPECT_EQ(adamw.weights[0], 3.5F);               // 4 * (1 - 0.25 * 0.5)
}

TEST(Adamw, DecaysByAHundredthUnlessToldOtherwise) {
  Bench bench(make_optimizer("adamw", {}), {1.0F});
  bench.update({.lr = 0.5, .step = 1}, {0.0F});
  EXPECT_NEAR(bench.weights[0], 0.995F, kRounding);
}

TEST(RmsProp, FirstStepByHand) {
  Bench bench(make_optimizer("rmsprop", {{"alpha", 0.75}, {"eps", 1.0}}), {0.0F});
  bench.update({.lr = 1, .step = 1}, {4.0F});
  EXPECT_EQ(bench.slots[0][0], 4.0F);                      // 0.25 * 16
  EXPECT_NEAR(bench.weights[0], -4.0F / 3.0F, kRounding);  // 4 / (2 + 1)
}

TEST(RmsProp, CenteredTakesTheMeanOffAndMomentumKeepsDirections) {
  Bench bench(make_optimizer("rmsprop", {{"alpha", 0.75}, {"eps", 1.0}, {"centered", true}, {"momentum", 0.5}}),
              {0.0F});
  ASSERT_EQ(bench.optimizer->slots().size(), 3U);
  EXPECT_EQ(bench.optimizer->slots()[1], "momentum_buffer");
  EXPECT_EQ(bench.optimizer->slots()[2], "grad_avg");
  bench.update({.lr = 1, .step = 1}, {4.0F});
  const double first = 4 / (std::sqrt(3.0) + 1);  // square 4, mean 1
  EXPECT_NEAR(bench.slots[1][0], first, kRounding);
  EXPECT_EQ(bench.slots[2][0], 1.0F);
  bench.update({.lr = 1, .step = 2}, {0.0F});
  EXPECT_NEAR(bench.weights[0], -first - first / 2, kRounding);
}

TEST(RmsProp, HasOneSlotWhenPlain) {
  ASSERT_EQ(make_optimizer("rmsprop", {})->slots().size(), 1U);
  EXPECT_EQ(make_optimizer("rmsprop", {})->slots()[0], "square_avg");
  EXPECT_EQ(make_optimizer("rmsprop", {{"centered", true}})->slots()[1], "grad_avg");
}

TEST(Adagrad, AddsSquaresToItsStartAndDecaysTheRate) {
  Bench bench(make_optimizer("adagrad", {{"initial_accumulator_value", 7.0}, {"lr_decay", 1.0}, {"eps", 0.0}}), {0.0F});
  EXPECT_EQ(bench.slots[0][0], 7.0F);
  bench.update({.lr = 1, .step = 1}, {3.0F});
  EXPECT_EQ(bench.slots[0][0], 16.0F);
  EXPECT_NEAR(bench.weights[0], -0.75F, kRounding);
  bench.update({.lr = 1, .step = 2}, {3.0F});  // rate 1 / (1 + 1)
  EXPECT_NEAR(bench.weights[0], -0.75F - 0.5F * 3.0F / 5.0F, kRounding);
}

TEST(Optimizers, GoDownAQuadratic) {
  for (const auto& type : optimizer_table()) {
    SCOPED_TRACE(type.info.name);
    Bench bench(make_optimizer(type.info.name, {}), {1.0F, -3.0F, 0.5F});
    const auto height = [&] {
      double sum = 0;
      for (const float w : bench.weights) sum += static_cast<double>(w) * w;
      return sum;
    };
    double before = height();
    for (std::uint64_t step = 1; step <= 20; ++step) {
      std::vector<float> gradient;
      for (const float w : bench.weights) gradient.push_back(2 * w);
      bench.update(with_norms(bench, {.lr = type.default_lr, .step = step}, gradient), gradient);
      EXPECT_LT(height(), before);
      before = height();
    }
  }
}

TEST(Optimizers, ListTheirKeysWhenOneIsUnknown) {
  for (const auto& type : optimizer_table()) {
    SCOPED_TRACE(type.info.name);
    const std::string message = message_of([&] { (void)make_optimizer(type.info.name, {{"amsgrad", true}}); });
    EXPECT_TRUE(contains(message, "amsgrad")) << message;
    EXPECT_TRUE(contains(message, "weight_decay")) << message;
  }
}

TEST(Lars, StepsByTheRatioOfNorms) {
  Bench bench(make_optimizer("lars", {{"trust_coefficient", 0.5}, {"eps", 0.0}}), {3.0F, 4.0F});
  const std::vector<float> gradient = {0.0F, 20.0F};  // divided by 2: norm 10; weights: norm 5; ratio 0.25
  bench.update(with_norms(bench, {.lr = 1, .step = 1, .divisor = 2}, gradient), gradient);
  EXPECT_EQ(bench.weights, (std::vector{3.0F, 1.5F}));
  EXPECT_EQ(bench.slots[0], (std::vector{0.0F, 2.5F}));
}

TEST(Lars, WeightDecayCountsInTheRatioAndInTheStep) {
  Bench bench(make_optimizer("lars", {{"trust_coefficient", 1.0}, {"eps", 0.0}, {"weight_decay", 1.0}}), {3.0F, 4.0F});
  const std::vector<float> gradient = {3.0F, 4.0F};  // ratio 5 / (5 + 5)
  bench.update(with_norms(bench, {.lr = 0.5, .step = 1}, gradient), gradient);
  EXPECT_EQ(bench.weights, (std::vector{1.5F, 2.0F}));
}

TEST(Lamb, StepsByTheNormOfTheWeights) {
  Bench bench(make_optimizer("lamb", {{"eps", 0.0}, {"weight_decay", 0.0}}), {6.0F, 8.0F, 0.0F});
  const std::vector<float> gradient = {2.0F, -3.0F, 0.5F};  // the first direction of Adam is the sign: norm sqrt(3)
  bench.update(with_norms(bench, {.lr = 0.5, .step = 1}, gradient), gradient);
  const double step = 0.5 * 10 / std::sqrt(3.0);
  EXPECT_NEAR(bench.weights[0], 6 - step, 1e-5);
  EXPECT_NEAR(bench.weights[1], 8 + step, 1e-5);
  EXPECT_NEAR(bench.weights[2], -step, 1e-5);
}

TEST(LarsAndLamb, TakeTheStepUnscaledFromZeroWeights) {
  Bench lars(make_optimizer("lars", {}), {0.0F});
  lars.update(with_norms(lars, {.lr = 0.5, .step = 1}, {4.0F}), {4.0F});
  EXPECT_EQ(lars.weights[0], -2.0F);
  Bench lamb(make_optimizer("lamb", {{"eps", 0.0}}), {0.0F});
  lamb.update(with_norms(lamb, {.lr = 0.5, .step = 1}, {4.0F}), {4.0F});
  EXPECT_NEAR(lamb.weights[0], -0.5F, 1e-6);
}

TEST(Optimizers, ListTheKnownTypesWhenOneIsUnknown) {
  const std::string message = message_of([] { (void)make_optimizer("adamax", {}); });
  for (const auto& type : optimizer_table()) EXPECT_TRUE(contains(message, type.info.name)) << message;
}

TEST(Optimizers, RefuseValuesOutOfRangeNamingTheKey) {
  const std::vector<std::pair<std::string_view, Options>> wrong = {
      {"sgd", {{"momentum", 1.0}}},
      {"sgd", {{"momentum", -0.1}}},
      {"sgd", {{"dampening", 1.5}}},
      {"sgd", {{"weight_decay", -1.0}}},
      {"adam", {{"betas", std::vector{0.9, 1.0}}}},
      {"adam", {{"betas", std::vector{0.9}}}},
      {"adam", {{"betas", 0.9}}},
      {"adamw", {{"eps", -1e-8}}},
      {"adamw", {{"weight_decay", std::nan("")}}},
      {"rmsprop", {{"alpha", 1.0}}},
      {"rmsprop", {{"momentum", 1.0}}},
      {"rmsprop", {{"eps", HUGE_VAL}}},
      {"adagrad", {{"lr_decay", -1.0}}},
      {"lars", {{"momentum", 1.0}}},
      {"lars", {{"trust_coefficient", -1.0}}},
      {"lars", {{"nesterov", true}, {"momentum", 0.0}}},
      {"lamb", {{"betas", std::vector{0.9, 1.0}}}},
      {"lamb", {{"eps", -1.0}}},
      {"adagrad", {{"initial_accumulator_value", -1.0}}},
  };
  for (const auto& [type, options] : wrong) {
    const std::string& key = options.values().begin()->first;
    const std::string message =
        message_of([&, &kind = type, &values = options] { (void)make_optimizer(kind, values); });
    EXPECT_TRUE(contains(message, key)) << type << ": " << message;
  }
}

TEST(Optimizers, LeaveDecayOutWhereItDoesNotApply) {
  for (const auto& type : optimizer_table()) {
    SCOPED_TRACE(type.info.name);
    Bench with(make_optimizer(type.info.name, {{"weight_decay", 0.5}}), {1.0F});
    Bench excluded(make_optimizer(type.info.name, {{"weight_decay", 0.5}}), {1.0F});
    Bench without(make_optimizer(type.info.name, {{"weight_decay", 0.0}}), {1.0F});
    with.update({.lr = 0.1, .step = 1}, {0.0F});
    excluded.update({.lr = 0.1, .step = 1}, {0.0F}, false);
    without.update({.lr = 0.1, .step = 1}, {0.0F});
    EXPECT_LT(with.weights[0], 1.0F);
    EXPECT_EQ(excluded.weights, without.weights);
  }
}

TEST(Optimizers, KeepPaddingZero) {
  for (const auto& type : optimizer_table()) {
    SCOPED_TRACE(type.info.name);
    Bench bench(make_optimizer(type.info.name, {}), std::vector(5, 0.0F));
    bench.update({.lr = 0.1, .step = 1, .divisor = 3}, std::vector(5, 0.0F));
    EXPECT_EQ(bench.weights, std::vector(5, 0.0F));
  }
}

TEST(Optimizers, GiveTheSameBitsHoweverTheRangeIsCut) {
  constexpr std::size_t n = 77;  // no multiple of any vector width
  std::vector<std::pair<std::string_view, Options>> all = {
      {"sgd", {{"momentum", 0.9}, {"nesterov", true}, {"weight_decay", 0.01}}},
      {"rmsprop", {{"momentum", 0.9}, {"centered", true}}},
      {"rmsprop", {{"momentum", 0.9}}},
      {"rmsprop", {{"centered", true}}}};
  for (const auto& type : optimizer_table()) all.push_back({type.info.name, {}});
  std::vector<float> start(n);
  std::vector<float> gradient(n);
  for (std::size_t i = 0; i < n; ++i) {
    start[i] = std::sin(static_cast<float>(i));
    gradient[i] = std::cos(3.7F * static_cast<float>(i));
  }
  for (const auto& [type, options] : all) {
    for (const std::size_t cut : {0U, 1U, 13U, 32U, 76U}) {
      SCOPED_TRACE(testing::Message() << type << " cut at " << cut);
      Bench whole(make_optimizer(type, options), start);
      Bench halves(make_optimizer(type, options), start);
      for (std::uint64_t step = 1; step <= 3; ++step) {
        const UpdateStep update = {.lr = 0.01, .step = step, .divisor = 7, .clip = 0.9F};
        whole.update(update, gradient);
        halves.update_range(update, gradient, true, cut, n - cut);
        halves.update_range(update, gradient, true, 0, cut);
      }
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(whole.weights[i]), std::bit_cast<std::uint32_t>(halves.weights[i])) << i;
      }
      EXPECT_EQ(whole.slots, halves.slots);
      EXPECT_NE(whole.weights, start);
    }
  }
}

TEST(Optimizers, RefuseSpansThatDoNotFitTogether) {
  for (const auto& type : optimizer_table()) {
    SCOPED_TRACE(type.info.name);
    const auto optimizer = make_optimizer(type.info.name, {});
    std::vector<float> two(2);
    std::vector<float> three(3);
    const std::vector<std::span<float>> slots(optimizer->slots().size(), two);
    const std::vector<std::span<float>> too_many(slots.size() + 1, two);
    EXPECT_THROW(optimizer->update({}, true, two, std::span<const float>(three), slots), Error);
    EXPECT_THROW(optimizer->update({}, true, two, std::span<const float>(two), too_many), Error);
    if (!slots.empty()) {
      const std::vector<std::span<float>> too_long(slots.size(), three);
      EXPECT_THROW(optimizer->update({}, true, two, std::span<const float>(two), too_long), Error);
    }
  }
}

}  // namespace
}  // namespace lockstep
