// FAVOR+, the core of Performer: softmax attention estimated with m random features, or attention by a generalised kernel, of linear
// cost. Choromanski et al. 2020, arXiv:2009.14794, as in performer-pytorch. Between heads: takes q, k: N x h x L x d and v.
//   softmax  phi(x) = m^-1/2 (exp(u - |x'|^2 / 2 - max) + eps), u = x' W^T, x' = x d^-1/4
//   other    phi(x) = f(x' W^T) + eps for a pointwise f, such as relu
//   none     phi(q) = softmax over d, phi(k) = softmax over L (exp when causal), without projection
// W (m x d) is made of orthogonal blocks and lies in a buffer; it is drawn anew only in training and only when asked for.
// Buffer projection_matrix; with redraw_interval also calls_since_last_redraw.
// Tap "received": N x h x 1 x S, what each key received on average over the queries.
#pragma once

#include "modules/attention/self/linear_product.hpp"
#include "modules/nn/block.hpp"

namespace fovea {

class Favor final : public Block {
 public:
  struct Options {
    std::int64_t features = 0;  // m; 0: floor(d ln d)
    std::string kernel = "softmax";
    double eps = -1;                           // below 0: 1e-4 for softmax, 1e-3 for the others
    bool causal = false, fixed_norms = false;  // rows of W of length sqrt(d) instead of those of Gaussian rows
    int redraw_interval = 0;                   // training steps between two draws; 0: never
    static Options from(Args& args);
  };
  Favor(const Scope& scope, std::int64_t d, const Options& options);

  // mask: N x S, true where a key may be attended; undefined: everywhere.
  Var operator()(const Var& q, const Var& k, const Var& v, const Var& mask) const;

 protected:
  Vars forward(const Vars& in) const override;

 private:
  Var features(const Var& x, bool query) const;
  void maybe_redraw() const;

  Options options_;
  Var projection_, calls_;
};

// m x d: blocks of d orthogonal rows, the last one cut; row lengths those of Gaussian rows, or sqrt(d).
Init orthogonal_features(bool fixed_norms);

}  // namespace fovea
