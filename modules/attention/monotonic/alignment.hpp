// Monotonic alignments, Raffel et al. 2017, arXiv:1704.00784: reading on from where the last output stopped, each entry j is
// chosen with probability p_ij, so that alpha_ij = p_ij q_ij with q_ij = (1 - p_i,j-1) q_i,j-1 + alpha_i-1,j; before the first
// output all is at entry 0. Entries lie along the last axis.
#pragma once

#include <limits>

#include "modules/autograd/var.hpp"

namespace fovea {

// How the closed form alpha_i = p_i c_i cumsum(alpha_i-1 / c_i), c_i = the product of 1 - p before each entry, is kept from
// dividing by 0.
struct ClosedForm {
  double clip = 1e-10;      // 1 - p inside logarithms is at least this; divisors c too
  bool add = false;         // fairseq: clip is added to 1 - p instead
  bool denominator = true;  // false: c_i is not divided by
  bool bounded = false;     // alpha is clamped to [0, 1]
};
// Raffel's, neural_sp's with its eps, fairseq's with its eps.
inline ClosedForm raffel_form() { return {}; }
inline ClosedForm neural_sp_form(double eps, bool denominator) { return {.clip = eps, .denominator = denominator}; }
inline ClosedForm fairseq_form(double eps) { return {.clip = eps, .add = true, .bounded = true}; }

// One output from the alignment before it: p and previous of one shape.
Var recursive_alignment(const Var& p, const Var& previous);  // exact
Var closed_alignment(const Var& p, const Var& previous, const ClosedForm& form);
// For p of 0 and 1: the first entry with p = 1 at or behind the previous one, else none; for other p as Raffel's code computes
// it.
Var hard_alignment(const Var& p, const Var& previous);

// 1 at entry 0 of a value of x's shape.
Var at_start(const Var& x);

// All outputs, one after another: p ... x L x S; `previous` ... x 1 x S is where the first begins, undefined for entry 0.
Var closed_alignments(const Var& p, const Var& previous, const ClosedForm& form);
Var hard_alignments(const Var& p, const Var& previous);

// beta_ij = e_ij sum over k >= j of alpha_ik / (e_i,k-w+1 + ... + e_ik), the attention of MoChA (Chiu & Raffel 2017,
// arXiv:1712.05382) with windows of w entries, of MILk (Arivazhagan et al. 2019, arXiv:1906.05218) with all entries so far (w <
// 0). e: positive, alpha's shape or one that repeats to it.
Var windowed_attention(const Var& alpha, const Var& e, std::int64_t w);

// 1 for the entries in the window that ends where alpha is 1 (w < 0: from the first entry on), else 0; alpha: 0 and 1, at most
// one 1 a row.
Var window_mask(const Var& alpha, std::int64_t w);

}  // namespace fovea
