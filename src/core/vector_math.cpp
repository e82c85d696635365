// Compiled once a SIMD target: foreach_target.h includes this file again and again, each time for another
// HWY_NAMESPACE. The last elements of an array go through the same vector code, in a padded vector, so that they get
// the same bits.
#include "core/vector_math.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "lockstep/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/vector_math.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
// clang-format off
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Highway's Exp with what it leaves out: infinity above the range, and NaN.
template <class D, class V>
HWY_INLINE V full_exp(D d, V x) {
  const V largest = hn::Set(d, 88.7228317F);  // exp of the next float overflows
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const V inside = hn::Exp(d, hn::Min(x, largest));
  return hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenElse(hn::Gt(x, largest), infinity, inside));
}

struct ExpOp {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return full_exp(d, x);
  }
};

struct TanhOp {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Tanh(d, x);
  }
};

struct SigmoidOp {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    // With e = exp(-|x|) nothing overflows: 1/(1+e) for x >= 0, e/(1+e) below.
    const V one = hn::Set(d, 1.0F);
    const V e = full_exp(d, hn::Neg(hn::Abs(x)));
    return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
  }
};

// 1 + erf(z) where e = exp(-z^2).
template <class D, class V>
HWY_INLINE V one_plus_erf(D d, V z, V e) {
  const V one = hn::Set(d, 1.0F);
  const V t = hn::Div(one, hn::MulAdd(hn::Set(d, 0.3275911F), hn::Abs(z), one));
  V sum = hn::Set(d, 1.061405429F);
  sum = hn::MulAdd(sum, t, hn::Set(d, -1.453152027F));
  sum = hn::MulAdd(sum, t, hn::Set(d, 1.421413741F));
  sum = hn::MulAdd(sum, t, hn::Set(d, -0.284496736F));
  sum = hn::MulAdd(sum, t, hn::Set(d, 0.254829592F));
  return hn::Add(one, hn::CopySign(hn::Sub(one, hn::Mul(hn::Mul(sum, t), e)), z));
}

constexpr float kInverseSqrt2 = 0.707106781F;
constexpr float kInverseSqrt2Pi = 0.398942280F;

struct GeluOp {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V z = hn::Mul(x, hn::Set(d, kInverseSqrt2));
    const V e = full_exp(d, hn::Neg(hn::Mul(z, z)));
    return hn::Mul(hn::Mul(hn::Set(d, 0.5F), x), one_plus_erf(d, z, e));
  }
};

// Phi(x) + x phi(x); the exponential of erf is that of the density.
struct GeluSlopeOp {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V dy) const {
    const V z = hn::Mul(x, hn::Set(d, kInverseSqrt2));
    const V e = full_exp(d, hn::Neg(hn::Mul(z, z)));
    const V density = hn::Mul(hn::Set(d, kInverseSqrt2Pi), e);
    const V slope = hn::MulAdd(hn::Set(d, 0.5F), one_plus_erf(d, z, e), hn::Mul(x, density));
    return hn::Mul(dy, slope);
  }
};

template <class Op>
HWY_INLINE void map_lanes(const Op& op, std::span<const float> x, std::span<float> y) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= x.size(); i += lanes) hn::StoreU(op(d, hn::LoadU(d, x.data() + i)), d, y.data() + i);
  if (const std::size_t rest = x.size() - i; rest != 0) {
    HWY_ALIGN float padded[hn::MaxLanes(d)] = {};
    std::copy_n(x.data() + i, rest, padded);
    hn::Store(op(d, hn::Load(d, padded)), d, padded);
    std::copy_n(padded, rest, y.data() + i);
  }
}

void exp_kernel(std::span<const float> x, std::span<float> y) {
  map_lanes(ExpOp{}, x, y);
}
void tanh_kernel(std::span<const float> x, std::span<float> y) {
  map_lanes(TanhOp{}, x, y);
}
void sigmoid_kernel(std::span<const float> x, std::span<float> y) {
  map_lanes(SigmoidOp{}, x, y);
}
void gelu_kernel(std::span<const float> x, std::span<float> y) {
  map_lanes(GeluOp{}, x, y);
}
void gelu_slope_kernel(std::span<const float> x, std::span<const float> dy, std::span<float> dx) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const GeluSlopeOp op;
  std::size_t i = 0;
  for (; i + lanes <= x.size(); i += lanes) {
    hn::StoreU(op(d, hn::LoadU(d, x.data() + i), hn::LoadU(d, dy.data() + i)), d, dx.data() + i);
  }
  if (const std::size_t rest = x.size() - i; rest != 0) {
    HWY_ALIGN float padded_x[hn::MaxLanes(d)] = {};
    HWY_ALIGN float padded_dy[hn::MaxLanes(d)] = {};
    std::copy_n(x.data() + i, rest, padded_x);
    std::copy_n(dy.data() + i, rest, padded_dy);
    hn::Store(op(d, hn::Load(d, padded_x), hn::Load(d, padded_dy)), d, padded_x);
    std::copy_n(padded_x, rest, dx.data() + i);
  }
}
const char* target_name() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep {
namespace {

HWY_EXPORT(exp_kernel);
HWY_EXPORT(tanh_kernel);
HWY_EXPORT(sigmoid_kernel);
HWY_EXPORT(gelu_kernel);
HWY_EXPORT(gelu_slope_kernel);
HWY_EXPORT(target_name);

void check_sizes(std::span<const float> x, std::span<float> y, const char* function) {
  if (x.size() == y.size()) return;
  throw Error(ErrorKind::usage, std::string(function) + ": expected x and y of one size, found " +
                                    std::to_string(x.size()) + " and " + std::to_string(y.size()));
}

}  // namespace

void vector_exp(std::span<const float> x, std::span<float> y) {
  check_sizes(x, y, "vector_exp");
  HWY_DYNAMIC_DISPATCH(exp_kernel)(x, y);
}

void vector_tanh(std::span<const float> x, std::span<float> y) {
  check_sizes(x, y, "vector_tanh");
  HWY_DYNAMIC_DISPATCH(tanh_kernel)(x, y);
}

void vector_sigmoid(std::span<const float> x, std::span<float> y) {
  check_sizes(x, y, "vector_sigmoid");
  HWY_DYNAMIC_DISPATCH(sigmoid_kernel)(x, y);
}

void vector_gelu(std::span<const float> x, std::span<float> y) {
  check_sizes(x, y, "vector_gelu");
  HWY_DYNAMIC_DISPATCH(gelu_kernel)(x, y);
}

void vector_gelu_slope(std::span<const float> x, std::span<const float> dy, std::span<float> dx) {
  check_sizes(x, dx, "vector_gelu_slope");
  check_sizes(dy, dx, "vector_gelu_slope");
  HWY_DYNAMIC_DISPATCH(gelu_slope_kernel)(x, dy, dx);
}

std::string simd_target() {
  return HWY_DYNAMIC_DISPATCH(target_name)();
}

}  // namespace lockstep
#endif  // HWY_ONCE
