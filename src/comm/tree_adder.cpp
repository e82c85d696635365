#include "comm/tree_adder.hpp"

namespace lockstep {

PairSum TreeAdder::add_up(const TreeProgram& program, std::size_t size, Part part, bool right_is_near) {
  std::size_t height = 0;
  const std::span<const std::size_t> steps = program.steps();
  for (const std::size_t step : steps.first(steps.size() - 1)) {
    if (step != TreeProgram::kAdd) {
      stack_[height++] = part(step);
      continue;
    }
    --height;
    const std::span<float> sum = scratch_.view().subspan((height - 1) * kBlockElements, size);
    add(stack_[height - 1], stack_[height], sum);
    stack_[height - 1] = sum;
  }
  if (steps.back() != TreeProgram::kAdd) return part(steps.back());
  return {stack_[right_is_near ? 1 : 0], stack_[right_is_near ? 0 : 1]};
}

}  // namespace lockstep
