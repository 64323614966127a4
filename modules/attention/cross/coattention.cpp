// Dynamic coattention, Xiong et al. 2016, arXiv:1611.01604: Q' = tanh(W Q + b), affinities L = Q' D^T of every question row with
// every document row; C^Q = A^Q D, C^D = A^D [Q'; C^Q]; result [C^D; D], or what a bidirectional LSTM makes of it.
// axes: the paper can be read in two ways. prose: A^Q is a distribution over the document for each question row, A^D one over the
// question for each document row. code: the other axes, as public ports have it (atulkum's, h3lio5's).
// Inputs: Q N x n x D, D N x m x D, which include their sentinel rows unless `sentinel` adds them (its parameter: sentinel, D).
// Parameters q_proj: weight, bias; fusion_bilstm.fusion_bilstm: those of an LSTM with suffixes _l0 and _l0_reverse, whose forget
// gates start open.
// Taps "question_attention": A^Q, N x 1 x n x m; "document_attention": A^D, N x 1 x m x n.
#include <optional>

#include "modules/nn/layers.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/recurrent.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

struct Options {
  bool prose, document_first, fusion, sentinel;
  double dropout;
};

class Coattention final : public Block {
 public:
  Coattention(const Scope& s, std::int64_t width, const Options& o)
      : Block(s), o_(o), q_proj_(s / "q_proj", {.in = width, .out = width}), dropout_(o.dropout) {
    if (o.sentinel) sentinel_ = s.param("sentinel", {width}, init::uniform(0, 1));
    if (o.fusion)
      fusion_.emplace(remembering(s / "fusion_bilstm" / "fusion_bilstm", width, {"_l0", "_l0_reverse"}),
                      RecurrentOptions{.in = 3 * width, .hidden = width, .bidirectional = true});
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2, "expected a question and a document, got ", in.size(), " values");
    for (const Var& v : in)
      check(v.shape().rank() == 3 && v.dim(0) == in[0].dim(0) && v.dim(2) == in[0].dim(2),
            "expected tokens N x L x D with N = ", in[0].dim(0), " and D = ", in[0].dim(2), ", got ", v.shape());
    const Var q = tanh(q_proj_(with_sentinel(in[0]))), d = with_sentinel(in[1]);
    const Var affinity = matmul(q, permute(d, {0, 2, 1}));
    const Var a_q = seen("question_attention", softmax(affinity, o_.prose ? 2 : 1));
    const Var a_d = seen("document_attention", permute(softmax(affinity, o_.prose ? 1 : 2), {0, 2, 1}));
    const Var c_d = matmul(a_d, concat({q, matmul(a_q, d)}, 2));
    const Var y = concat(o_.document_first ? Vars{d, c_d} : Vars{c_d, d}, 2);
    return {fusion_ ? fused(y) : y};
  }

 private:
  Var with_sentinel(const Var& x) const {
    if (!o_.sentinel) return x;
    return concat({x, expand(reshape(sentinel_, {1, 1, x.dim(2)}), {x.dim(0), 1, x.dim(2)})}, 1);
  }
  Var seen(const char* name, const Var& w) const {
    return reshape(tap(name, reshape(w, {w.dim(0), 1, w.dim(1), w.dim(2)})), w.shape());
  }
  // The sentinel's row is no word.
  Var fused(const Var& y) const {
    check(y.dim(1) > 1, "expected a document of at least one row beside its sentinel, got ", y.dim(1));
    return dropout_((*fusion_)(slice(dropout_(y), 1, 0, y.dim(1) - 1)).output);
  }

  Options o_;
  Linear q_proj_;
  Dropout dropout_;
  Var sentinel_;
  std::optional<Lstm> fusion_;
};

}  // namespace

FOVEA_SEQUENCES(coattention, "a question and a document look at each other at once", "Xiong et al. 2016, arXiv:1611.01604") {
  Options o;
  const std::string axes =
      args.get("axes", "prose", "what the weights are distributions over: prose, or code as public ports have it");
  const std::string order = args.get("order", "context_first", "of the result: context_first [C^D; D], document_first [D; C^D]");
  check(axes == "prose" || axes == "code", "coattention: expected axes prose or code, got '", axes, "'");
  check(order == "context_first" || order == "document_first",
        "coattention: expected order context_first or document_first, got '", order, "'");
  o.prose = axes == "prose", o.document_first = order == "document_first";
  o.fusion = args.get("fusion", false, "a bidirectional LSTM over the result, without the sentinel's row: N x (m - 1) x 2D");
  o.sentinel = args.get("sentinel", false, "adds a trained row to question and document");
  o.dropout = args.get("dropout", 0.0, "around the LSTM, in training");
  check(o.dropout >= 0 && o.dropout < 1, "coattention: expected a dropout in [0, 1), got ", o.dropout);
  return std::make_unique<Coattention>(scope, channels, o);
}

}  // namespace fovea
