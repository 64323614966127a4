// Attention between two sequences: every block through the op harness; masks against what they hide being absent; REINFORCE
// against the expectation over all places; decoders.
#include <cmath>

#include "modules/nn/hard_attention.hpp"
#include "modules/nn/soft_attention.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_block.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

namespace {

Tensor booleans(const V& values, const Shape& shape) { return Tensor::from(values, shape).to(DType::boolean); }

struct F64 {
  Precision precision{DType::f64};
};

MadeBlock made(const std::string& name, std::int64_t channels, const Options& options = {}) {
  MadeBlock m = make_block(name, channels, options);
  randomise(*m.store);
  return m;
}

V run(const MadeBlock& m, const Vars& in) { return (*m.block)(in).front().value().values(); }

void close(const V& a, const V& b, double tolerance = 1e-11) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) <= tolerance);
}

Tensor first(const Tensor& x, std::int64_t count) { return x.slice(1, 0, count).clone(); }

}  // namespace

TEST_CASE("vector attention: the family through the harness, with and without masks") {
  const Tensor vector = random_tensor({2, 3}, 1), matrix = random_tensor({2, 5, 4}, 2), same = random_tensor({2, 5, 3}, 3);
  const Tensor keep = booleans({1, 0, 1, 1, 0, 1, 1, 1, 0, 0}, {2, 5});
  const Options wide{{"matrix_channels", "4"}};
  check_block("additive_attention", 3, {vector, matrix}, wide);
  check_block("additive_attention", 3, {vector, matrix, keep}, wide);
  check_block("bilinear_attention", 3, {vector, matrix, keep}, {{"matrix_channels", "4"}, {"activation", "tanh"}});
  check_block("combination_attention", 3, {vector, same, keep}, {{"combination", "x,y,x*y,x+y,x-y"}, {"activation", "tanh"}});
  check_block("combination_attention", 3, {vector, random_tensor({2, 5, 3}, 3, 3, 0.3)}, {{"combination", "x/y"}});
  check_block("cosine_attention", 1, {vector, same, keep});
  check_block("dot_attention", 1, {vector, same});
  for (const char* name : {"additive_attention", "bilinear_attention", "combination_attention"})
    check_block(name, 3, {vector, same}, {{"normalize", "false"}});
}

TEST_CASE("vector attention: what is masked might as well be absent; nothing kept is nothing") {
  const F64 f64;
  for (const char* name :
       {"additive_attention", "bilinear_attention", "combination_attention", "cosine_attention", "dot_attention"}) {
    INFO(name);
    const MadeBlock m = made(name, 3);
    const Tensor u = random_tensor({1, 3}, 1), x = random_tensor({1, 4, 3}, 2);
    V w = run(m, {u, x, booleans({1, 1, 0, 0}, {1, 4})});
    CHECK((w[2] == 0 && w[3] == 0));
    close({w[0], w[1]}, run(m, {u, first(x, 2)}), 1e-10);  // the masked form divides by a sum + 1e-13
    close(run(m, {u, x, booleans({0, 0, 0, 0}, {1, 4})}), V(4, 0.0));
    CHECK(tap_of(*m.block, {u, x}, "net.attention").shape() == Shape{1, 1, 1, 4});
    CHECK(fails_with([&] { run(m, {u, x, booleans({1, 1, 1}, {1, 3})}); }, "expected a mask 1x4, got 1x3"));
  }
  CHECK(fails_with([] { make_block("combination_attention", 3, {{"combination", "x,z"}}); }, "expected pieces x, y, x*y"));
  CHECK(fails_with(
      [] {
        make_block("combination_attention", 3, {{"combination", "x*y"}, {"matrix_channels", "4"}});
      },
      "expected equal widths"));
}

TEST_CASE("soft_attention and its decoder through the harness") {
  const Options o{{"decoder_dim", "3"}, {"attention_dim", "5"}};
  check_block("soft_attention", 4, {random_tensor({2, 6, 4}, 1), random_tensor({2, 3}, 2)}, o, {}, {"net.full_att.bias"});
  check_block("soft_attention", 4, {random_tensor({2, 3, 4}, 1), random_tensor({2, 3}, 2), booleans({1, 0, 1, 1, 1, 0}, {2, 3})},
              {{"decoder_dim", "3"}, {"attention_dim", "5"}, {"act", "tanh"}}, {}, {"net.full_att.bias"});
  const Tensor words = Tensor::from(std::vector<std::int64_t>{0, 3, 2, 1, 4, 4}, {2, 3});
  check_block("soft_attention_decoder", 4, {random_tensor({2, 5, 4}, 1), words, booleans({1, 1, 1, 1, 1, 0}, {2, 3})},
              {{"decoder_dim", "3"}, {"attention_dim", "5"}, {"embed_dim", "2"}, {"vocab_size", "5"}}, {},
              {"net.attention.full_att.bias"}, {.batch_mixing = true});
  const Var alphas(Tensor::from(V{1, 0, 0.5, 0.5}, {1, 2, 2}));
  CHECK(doubly_stochastic(alphas).value().item() == Approx(0.25));
  CHECK(doubly_stochastic(alphas, Stochastic::sum).value().item() == Approx(0.5));
}

TEST_CASE("soft_attention_decoder: steps that are not decoded are 0 and change nothing else") {
  const F64 f64;
  const MadeBlock m =
      made("soft_attention_decoder", 4, {{"decoder_dim", "3"}, {"attention_dim", "5"}, {"embed_dim", "2"}, {"vocab_size", "5"}});
  const Tensor features = random_tensor({1, 2, 3, 4}, 1), words = Tensor::from(std::vector<std::int64_t>{0, 3, 2}, {1, 3});
  const Vars masked = (*m.block)(Vars{features, words, booleans({1, 1, 0}, {1, 3})}),
             fewer = (*m.block)(Vars{features, first(words, 2)});
  close(first(masked[0].value(), 2).values(), fewer[0].value().values());
  close(masked[0].value().slice(1, 2, 3).values(), V(5, 0.0));
  close(masked[2].value().values(), fewer[2].value().values());
  CHECK(tap_of(*m.block, {features, words}, "net.attention").shape() == Shape{1, 1, 3, 6});
}

// E[R(s)] over all places, written out: its gradient is what REINFORCE's is on average over the draws.
TEST_CASE("hard attention: REINFORCE's gradient, averaged over all draws, is that of the expectation") {
  const F64 f64;
  const std::int64_t n = 2, places = 4, width = 3;
  const Tensor features = random_tensor({n, places, width}, 1), logits = random_tensor({n, places}, 2),
               taste = random_tensor({1, width}, 3);
  const double entropy = 0.3;
  // The reward of a context is a function of it that is not linear.
  const auto reward = [&](const Var& context) { return sum(context * context * Var(taste), {1}, false); };

  Var f(features, true), l(logits, true);
  const Var log_alpha = log_softmax(l, 1), alpha = softmax(l, 1);
  const Var rewards = sum(f * f * Var(taste.reshape({1, 1, width})), {2}, false);
  const Var expected = sum(alpha * rewards, {1}, false) + scale(sum(alpha * log_alpha, {1}, false), -entropy);
  scale(mean(expected, {0}, false), -1).backward();
  const V want_f = f.grad().values(), want_l = l.grad().values();

  // Every pair of places of the two samples, weighed by how likely it is; the baseline is held, which is what makes it harmless.
  const V weights = softmax(Var(logits), 1).value().values();
  V got_f(want_f.size()), got_l(want_l.size());
  for (std::size_t a = 0; a < 4; ++a)
    for (std::size_t b = 0; b < 4; ++b) {
      const auto middle = [&](std::size_t row, std::size_t place) {
        double u = weights[row * 4 + place] / 2;
        for (std::size_t i = 0; i < place; ++i) u += weights[row * 4 + i];
        return u;
      };
      Var g(features, true), k(logits, true);
      const HardAttended drawn = hard_attention(g, k, Var(Tensor::from(V{middle(0, a), middle(1, b)}, {n})));
      CHECK(drawn.sampled.chosen.value().values()[a] == 1);
      CHECK(drawn.sampled.chosen.value().values()[4 + b] == 1);
      Reinforce reinforce({.rate = 1, .entropy = entropy});
      reinforce.set_baseline(0.7);
      reinforce.loss(reward(drawn.sampled.context), drawn.sampled.log_chosen, drawn.entropy).backward();
      const double p = weights[a] * weights[4 + b];
      const V df = g.grad().values(), dl = k.grad().values();
      for (std::size_t i = 0; i < df.size(); ++i) got_f[i] += p * df[i];
      for (std::size_t i = 0; i < dl.size(); ++i) got_l[i] += p * dl[i];
    }
  close(got_f, want_f);
  close(got_l, want_l);
}

TEST_CASE("hard attention: the running mean, the draws, and what is used outside training") {
  Reinforce reinforce({.decay = 0.5});
  const auto step = [&](double r) {
    reinforce.loss(Var(Tensor::full({2}, r)), Var(Tensor::zeros({2})), Var(Tensor::zeros({2})));
  };
  step(4);
  CHECK(reinforce.baseline() == 4);
  step(2);
  CHECK(reinforce.baseline() == 3);

  const MadeBlock likeliest = make_block("hard_attention", 1), sampling = make_block("hard_attention", 1, {{"test", "sample"}});
  const Var features(random_tensor({1, 3, 2}, 1).to(DType::f32)), logits(Tensor::from(std::vector<float>{0, 2, 1}, {1, 3}));
  CHECK((*likeliest.block)(Vars{features, logits})[3].value().item() == 1);
  CHECK((*sampling.block)(Vars{features, logits, Var(Tensor::from(std::vector<float>{0.999f}, {1}))})[3].value().item() == 2);
  CHECK(fails_with([&] { (*sampling.block)(Vars{features, logits}); }, "as the third input"));
  Random random(3);
  const Training training(random);
  V counts(3);
  for (int i = 0; i < 2000; ++i)
    counts[static_cast<std::size_t>((*likeliest.block)(Vars{features, logits})[3].value().item())] += 1.0 / 2000;
  const V alpha = softmax(logits, 1).value().values();
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(counts[i] == Approx(alpha[i]).margin(0.045));  // four standard deviations of a mean of 2000
}

TEST_CASE("bidaf, coattention and tri_attention through the harness") {
  const Tensor c = random_tensor({2, 5, 4}, 1), q = random_tensor({2, 3, 4}, 2);
  check_block("bidaf", 4, {c, q}, {}, {}, {"net._matrix_attention._bias"});
  check_block("bidaf", 4, {c, q, booleans({1, 1, 1, 0, 0, 1, 1, 1, 1, 1}, {2, 5}), booleans({1, 1, 0, 1, 1, 1}, {2, 3})}, {}, {},
              {"net._matrix_attention._bias"});
  check_block("bidaf", 4, {c, q}, {{"form", "linears"}}, {},
              {"net.att_weight_c.bias", "net.att_weight_q.bias", "net.att_weight_cq.bias"});
  for (const char* axes : {"prose", "code"}) {
    check_block("coattention", 4, {q, c}, {{"axes", axes}});
    check_block("coattention", 4, {q, c},
                {{"axes", axes}, {"fusion", "true"}, {"sentinel", "true"}, {"order", "document_first"}});
  }
  const Tensor k = random_tensor({2, 3, 4}, 3), context = random_tensor({2, 2, 4}, 4);
  for (const char* form : {"dot", "scaled", "trilinear", "additive"}) {
    check_block("tri_attention", 4, {random_tensor({2, 5, 4}, 5), k, context},
                {{"form", form}, {"heads", "2"}, {"key_len", "3"}, {"context_len", "2"}});
  }
}

TEST_CASE("bidaf: masked words might as well be absent") {
  const F64 f64;
  for (const char* form : {"allennlp", "linears"}) {
    const MadeBlock m = made("bidaf", 4, {{"form", form}});
    const Tensor c = random_tensor({1, 5, 4}, 1), q = random_tensor({1, 4, 4}, 2);
    const Tensor y = (*m.block)(Vars{c, q, booleans({1, 1, 1, 0, 0}, {1, 5}), booleans({1, 1, 0, 0}, {1, 4})}).front().value();
    close(first(y, 3).values(), run(m, {first(c, 3), first(q, 2)}), 1e-10);
  }
}

TEST_CASE("coattention: the axes, written out") {
  const F64 f64;
  const Tensor q = random_tensor({1, 3, 4}, 1), d = random_tensor({1, 5, 4}, 2);
  for (const bool prose : {true, false}) {
    const MadeBlock m = made("coattention", 4, {{"axes", prose ? "prose" : "code"}});
    const V a_q = tap_of(*m.block, {q, d}, "net.question_attention").values(),
            a_d = tap_of(*m.block, {q, d}, "net.document_attention").values();
    REQUIRE(a_q.size() == 15);
    double row = 0, column = 0, other_row = 0, other_column = 0;
    for (std::size_t i = 0; i < 5; ++i) row += a_q[i], other_column += a_d[3 * i];
    for (std::size_t i = 0; i < 3; ++i) column += a_q[5 * i], other_row += a_d[i];
    CHECK((prose ? row : column) == Approx(1));
    CHECK((prose ? other_row : other_column) == Approx(1));
  }
}

TEST_CASE("dynamic_decoder: gradients, masks and its loss") {
  const Tensor u = random_tensor({2, 5, 4}, 1);
  const Tensor spans = Tensor::from(std::vector<std::int64_t>{1, 3, 0, 2}, {2, 2});
  const Options o{{"maxout_pool_size", "3"}, {"max_dec_steps", "3"}};
  check_block("dynamic_decoder", 2, {u, booleans(V(10, 1.0), {2, 5}), spans}, o, {},
              {"net.maxout_start.m_t_12_mxp.bias", "net.maxout_end.m_t_12_mxp.bias"}, {.batch_mixing = true});
  const F64 f64;
  for (const char* sees : {"new", "old"}) {
    const MadeBlock m = made("dynamic_decoder", 2, {{"maxout_pool_size", "3"}, {"max_dec_steps", "3"}, {"end_sees", sees}});
    const Vars whole = (*m.block)(Vars{first(u, 3)}),
               masked = (*m.block)(Vars{u, booleans({1, 1, 1, 0, 0, 1, 1, 1, 0, 0}, {2, 5})});
    for (std::size_t i = 0; i < 2; ++i) close(masked[i].value().values(), whole[i].value().values());
    CHECK(fails_with(
        [&] {
          (*m.block)(Vars{u, {}, Tensor::from(std::vector<std::int64_t>{1, 5, 0, 2}, {2, 2})});
        },
        "expected indices from 0 to 4, got 5"));
  }
}

TEST_CASE("stacked attention and scores through the harness, for every norm and way to gather") {
  const Tensor words = random_tensor({2, 3, 4}, 1), regions = random_tensor({2, 5, 4}, 2);
  const Tensor there = booleans({1, 1, 0, 1, 1, 1}, {2, 3});
  for (const char* norm : {"softmax", "l2norm", "clipped_l2norm", "l1norm", "clipped_l1norm", "clipped", "none"})
    check_block("stacked_attention", 1, {words, regions}, {{"norm", norm}, {"lambda_softmax", "4"}});
  check_block("stacked_attention", 1, {words, regions, there, booleans({1, 0, 1, 1, 1, 1, 1, 1, 0, 0}, {2, 5})},
              {{"lambda_softmax", "4"}});
  for (const char* direction : {"t2i", "i2t"})
    for (const char* gathers : {"logsumexp", "max", "sum", "mean"})
      check_block("stacked_scores", 1, {random_tensor({3, 5, 4}, 2), words, there},
                  {{"direction", direction}, {"gathers", gathers}, {"lambda_softmax", "4"}}, {}, {}, {.batch_mixing = true});
}

TEST_CASE("stacked_scores: shorter texts are as if they were alone; padding of zeros spoils no gradient") {
  const F64 f64;
  const Tensor pictures = random_tensor({2, 5, 4}, 1);
  Tensor words = random_tensor({1, 4, 4}, 2);
  words.slice(1, 2, 4).fill(0);
  for (const char* direction : {"t2i", "i2t"})
    for (const char* norm : {"softmax", "clipped_l2norm", "clipped_l1norm"})
      for (const char* gathers : {"logsumexp", "max", "sum", "mean"}) {
        INFO(direction << " " << norm << " " << gathers);
        const MadeBlock m = made("stacked_scores", 1, {{"direction", direction}, {"norm", norm}, {"gathers", gathers}});
        Var padded(words.clone(), true);
        const Var y = (*m.block)(Vars{pictures, padded, booleans({1, 1, 0, 0}, {1, 4})}).front();
        close(y.value().values(), run(m, {pictures, first(words, 2)}));
        y.backward(random_tensor({2, 1}, 3));
        for (const double g : padded.grad().values()) CHECK(std::isfinite(g));
      }
}
