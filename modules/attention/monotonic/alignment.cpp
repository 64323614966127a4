#include "modules/attention/monotonic/alignment.hpp"

#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/cumsum.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/linear_scan.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

// x with its entries moved one to the right; a 0 comes in.
Var delayed(const Var& x) {
  Shape before;
  for (int i = 0; i < x.shape().rank(); ++i) before.push_back(i + 1 == x.shape().rank());
  return slice(pad(x, before, Shape(before).with(x.shape().rank() - 1, 0)), -1, 0, x.dim(-1));
}

// The product of 1 - p before each entry.
Var left_over(const Var& p, const ClosedForm& form) {
  const Var stays = form.add ? scale(p, -1, 1 + form.clip) : clamp(scale(p, -1, 1), form.clip, 1);
  return exp(cumsum(log(stays), -1, {.exclusive = true}));
}

Var closed(const Var& p, const Var& left, const Var& previous, const ClosedForm& form) {
  const Var share = form.denominator ? previous / clamp(left, form.clip, 1) : previous;
  const Var alpha = p * left * cumsum(share, -1);
  return form.bounded ? clamp(alpha, 0, 1) : alpha;
}

void check_shapes(const Var& p, const Var& previous) {
  check(p.shape().rank() > 0 && p.dim(-1) > 0 && p.shape() == previous.shape(),
        "alignment: expected probabilities and a previous alignment of one shape, got ", p.shape(), " and ", previous.shape());
}

Var row_of(const Var& x, std::int64_t i) { return slice(x, -2, i, i + 1); }

// next(i, alpha of the output before) for every row of p.
template <class Next>
Var row_by_row(const Var& p, const Var& previous, const Next& next) {
  check(p.shape().rank() >= 2 && p.dim(-1) > 0 && p.dim(-2) > 0, "alignment: expected probabilities ... x L x S, got ",
        p.shape());
  Var alpha = previous.defined() ? previous : at_start(row_of(p, 0));
  Vars rows;
  for (std::int64_t i = 0; i < p.dim(-2); ++i) rows.push_back(alpha = next(i, alpha));
  return concat(rows, -2);
}

}  // namespace

Var at_start(const Var& x) {
  Shape before, after;
  for (int i = 0; i < x.shape().rank(); ++i) before.push_back(0), after.push_back(0);
  after[after.rank() - 1] = x.dim(-1) - 1;
  return pad(scale(slice(x, -1, 0, 1), 0, 1), before, after);
}

Var recursive_alignment(const Var& p, const Var& previous) {
  check_shapes(p, previous);
  return p * linear_scan(delayed(scale(p, -1, 1)), previous);
}

Var closed_alignment(const Var& p, const Var& previous, const ClosedForm& form) {
  check_shapes(p, previous);
  return closed(p, left_over(p, form), previous, form);
}

Var hard_alignment(const Var& p, const Var& previous) {
  check_shapes(p, previous);
  const Var reachable = p * cumsum(previous, -1);
  return reachable * linear_scan(delayed(scale(reachable, -1, 1)), at_start(reachable));
}

Var closed_alignments(const Var& p, const Var& previous, const ClosedForm& form) {
  const Var left = left_over(p, form);
  return row_by_row(p, previous,
                    [&](std::int64_t i, const Var& before) { return closed(row_of(p, i), row_of(left, i), before, form); });
}

Var hard_alignments(const Var& p, const Var& previous) {
  return row_by_row(p, previous, [&](std::int64_t i, const Var& before) { return hard_alignment(row_of(p, i), before); });
}

Var windowed_attention(const Var& alpha, const Var& e, std::int64_t w) {
  check(w != 0, "windowed_attention: expected a window of at least one entry, or one below 0 for all of them");
  if (w < 0) return e * cumsum(alpha / cumsum(e, -1), -1, {.reverse = true});
  return e * moving_sum(alpha / moving_sum(e, -1, w - 1, 0), -1, 0, w - 1);
}

Var window_mask(const Var& alpha, std::int64_t w) {
  return w < 0 ? cumsum(alpha, -1, {.reverse = true}) : moving_sum(alpha, -1, 0, w - 1);
}

}  // namespace fovea
