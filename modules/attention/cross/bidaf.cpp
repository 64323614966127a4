// Bi-directional attention flow, Seo et al. 2016, arXiv:1611.01603: S_ij = w . [c_i; q_j; c_i * q_j] + b; each word of the
// context c takes the mean of the question q by softmax over j of S; the question takes the mean of the context by softmax over i
// of max_j S, the same for every word.
// Result [c; c2q; c * c2q; c * q2c], N x L x 4D. Inputs: context N x L x D, question N x M x D, perhaps booleans N x L and N x M
// (true: a word).
// Parameters: form allennlp: _matrix_attention._weight_vector (3D), _bias (1); form linears (galsang): att_weight_c,
// att_weight_q, att_weight_cq: weight (1 x D), bias. Taps "attention": N x 1 x L x M; "question_attention": N x 1 x 1 x L.
#include <optional>

#include "modules/attention/cross/combination.hpp"
#include "modules/nn/masked_softmax.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {
namespace {

// Three layers to one score each.
class Linears {
 public:
  Linears(const Scope& s, std::int64_t width)
      : c_(s / "att_weight_c", {.in = width, .out = 1}),
        q_(s / "att_weight_q", {.in = width, .out = 1}),
        cq_(s / "att_weight_cq", {.in = width, .out = 1}) {}
  Var operator()(const Var& c, const Var& q) const {
    return c_(c) + permute(q_(q), {0, 2, 1}) + (matmul(c * cq_.weight, permute(q, {0, 2, 1})) + cq_.bias);
  }

 private:
  Linear c_, q_, cq_;
};

class Bidaf final : public Block {
 public:
  Bidaf(const Scope& s, std::int64_t width, bool linears, const std::string& combination) : Block(s) {
    if (linears) linears_.emplace(s, width);
    else combination_.emplace(s / "_matrix_attention", combination, width, width);
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 || in.size() == 4, "expected context, question and perhaps both masks, got ", in.size(), " values");
    const Var &c = in[0], &q = in[1];
    for (const Var* v : {&c, &q})
      check(v->shape().rank() == 3 && v->dim(0) == c.dim(0) && v->dim(2) == c.dim(2),
            "expected tokens N x L x D with N = ", c.dim(0), " and D = ", c.dim(2), ", got ", v->shape());
    const std::int64_t n = c.dim(0), l = c.dim(1), m = q.dim(1);
    const Var c_keep = in.size() == 4 ? mask(in[2], {n, l}) : Var(), q_keep = in.size() == 4 ? mask(in[3], {n, m}) : Var();
    Var s = linears_ ? (*linears_)(c, q) : (*combination_)(c, q);
    const Var words = q_keep.defined() ? reshape(q_keep, {n, 1, m}) : Var();
    const Var to_question = seen("attention", masked_softmax(s, words), {n, 1, l, m});
    if (words.defined()) s = where(words, s, scale(s, 0, std::numeric_limits<float>::lowest()));
    const Var to_context = seen("question_attention", masked_softmax(max(s, {2}, false), c_keep), {n, 1, 1, l});
    const Var c2q = matmul(to_question, q), q2c = matmul(reshape(to_context, {n, 1, l}), c);
    return {concat({c, c2q, c * c2q, c * q2c}, 2)};
  }

 private:
  static const Var& mask(const Var& keep, const Shape& shape) {
    check(keep.shape() == shape, "expected a mask ", shape, ", got ", keep.shape());
    return keep;
  }
  Var seen(const char* name, const Var& weights, const Shape& shape) const {
    return reshape(tap(name, reshape(weights, shape)), weights.shape());
  }

  std::optional<Linears> linears_;
  std::optional<Combination> combination_;
};

}  // namespace

FOVEA_SEQUENCES(bidaf, "a text and a question look at each other", "Seo et al. 2016, arXiv:1611.01603") {
  const std::string form =
      args.get("form", "allennlp", "of the scores: allennlp (one vector of weights), linears (three layers)");
  check(form == "allennlp" || form == "linears", "bidaf: expected form allennlp or linears, got '", form, "'");
  const std::string combination = args.get("combination", "x,y,x*y", "what the vector weighs; x: context, y: question");
  return std::make_unique<Bidaf>(scope, channels, form == "linears", combination);
}

}  // namespace fovea
