// Attention of linear cost: each block against its definition with all pairs written out, in double; its cost; its options.
#include "modules/attention/self/favor.hpp"
#include "modules/nn/training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_block.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;
using Rows = std::vector<V>;

namespace {

// Sample n of tokens N x L x C (or map N x C x H x W) as rows of positions.
Rows rows_of(const Tensor& x, std::int64_t n = 0) {
  const Tensor t = x.rank() == 4 ? x.permute({0, 2, 3, 1}).reshape({x.dim(0), -1, x.dim(1)}) : x;
  Rows rows;
  for (std::int64_t i = 0; i < t.dim(1); ++i) rows.push_back(t.slice(0, n, n + 1).slice(1, i, i + 1).values());
  return rows;
}

double dot(const V& a, const V& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

V part(const V& row, std::size_t head, std::size_t heads) {
  const std::size_t d = row.size() / heads;
  return {row.begin() + static_cast<std::ptrdiff_t>(head * d), row.begin() + static_cast<std::ptrdiff_t>((head + 1) * d)};
}

V mapped(V row, double (*f)(double)) {
  for (double& v : row) v = f(v);
  return row;
}

double elu_plus_one(double x) { return x > 0 ? x + 1 : std::exp(x); }
double softplus_of(double x) { return std::log1p(std::exp(x)); }

V projected(const V& row, const ParamStore& store, const std::string& layer) {
  const auto w = store.find("net." + layer + ".weight")->value.value().values();
  const auto* bias = store.find("net." + layer + ".bias");
  V out = bias ? bias->value.value().values() : V(w.size() / row.size(), 0.0);
  for (std::size_t o = 0; o < out.size(); ++o)
    for (std::size_t i = 0; i < row.size(); ++i) out[o] += w[o * row.size() + i] * row[i];
  return out;
}

Rows projected(const Rows& rows, const ParamStore& store, const std::string& layer) {
  Rows out;
  for (const V& row : rows) out.push_back(projected(row, store, layer));
  return out;
}

void close(const V& got, const V& want, double tolerance = 1e-10) {
  REQUIRE(got.size() == want.size());
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(got[i] - want[i]));
  CHECK(worst <= tolerance);
}

// Multi-head attention with weights w(q_i, k_j) / (sum + eps) over the keys that i may see.
Rows all_pairs(const Rows& q, const Rows& k, const Rows& v, std::size_t heads, double eps, bool causal, std::size_t keys,
               const std::function<double(const V&, const V&)>& weight) {
  Rows out(q.size(), V(v[0].size(), 0.0));
  for (std::size_t i = 0; i < q.size(); ++i)
    for (std::size_t h = 0; h < heads; ++h) {
      double total = eps;
      V sum(v[0].size() / heads, 0.0);
      for (std::size_t j = 0; j < keys && (!causal || j <= i); ++j) {
        const double w = weight(part(q[i], h, heads), part(k[j], h, heads));
        const V value = part(v[j], h, heads);
        total += w;
        for (std::size_t a = 0; a < sum.size(); ++a) sum[a] += w * value[a];
      }
      for (std::size_t a = 0; a < sum.size(); ++a) out[i][h * sum.size() + a] = sum[a] / total;
    }
  return out;
}

double elu_weight(const V& q, const V& k) { return dot(mapped(q, elu_plus_one), mapped(k, elu_plus_one)); }

struct F64 {
  Precision precision{DType::f64};
};

// Multiplications and the largest value of a run at that shape, without running it.
std::pair<double, std::int64_t> cost(const std::string& name, const Shape& shape, const Options& options) {
  const MadeBlock made = make_block(name, shape.rank() == 4 ? shape[1] : shape[2], options);
  const Trace graph = trace({shape}, [&](const Vars& in) { return (*made.block)(in); });
  std::int64_t largest = 0;
  for (const TraceValue& v : graph.values) largest = std::max(largest, v.shape.elements());
  return {static_cast<double>(graph.multiply_adds()), largest};
}

}  // namespace

TEST_CASE("linear attention is its definition") {
  const F64 f64;
  for (const bool causal : {false, true}) {
    const MadeBlock made = make_block(
        "linear_attention", 6, {{"heads", "2"}, {"d_keys", "3"}, {"d_values", "5"}, {"causal", causal ? "true" : "false"}});
    randomise(*made.store);
    const Tensor x = random_tensor({2, 7, 6}, 1);
    const Rows tokens = rows_of(x, 1);
    const Rows y = all_pairs(projected(tokens, *made.store, "query_projection"), projected(tokens, *made.store, "key_projection"),
                             projected(tokens, *made.store, "value_projection"), 2, 1e-6, causal, 7, elu_weight);
    const Rows got = rows_of((*made.block)(Var(x)).value(), 1), want = projected(y, *made.store, "out_projection");
    for (std::size_t i = 0; i < want.size(); ++i) close(got[i], want[i]);
    // What the keys received adds up to one token's attention.
    const Tensor received = tap_of(*made.block, {Var(x)}, "net.received");
    CHECK(received.shape() == Shape{2, 2, 1, 7});
    double sum = 0;
    for (const double v : received.values()) sum += v;
    CHECK(sum == Approx(4).epsilon(1e-5));
  }
}

TEST_CASE("linear attention leaves out masked keys and takes other tokens for keys and values") {
  const F64 f64;
  const MadeBlock made = make_block("linear_attention", 6, {{"heads", "2"}, {"context_channels", "4"}});
  randomise(*made.store);
  const Tensor x = random_tensor({1, 3, 6}, 1), context = random_tensor({1, 5, 4}, 2);
  const Var mask(Tensor::from(V{1, 1, 1, 0, 0}, {1, 5}).to(DType::boolean));
  const Rows keys = rows_of(context);
  const Rows y = all_pairs(projected(rows_of(x), *made.store, "query_projection"), projected(keys, *made.store, "key_projection"),
                           projected(keys, *made.store, "value_projection"), 2, 1e-6, false, 3, elu_weight);
  const Rows got = rows_of((*made.block)(Vars{Var(x), Var(context), mask}).front().value()),
             want = projected(y, *made.store, "out_projection");
  for (std::size_t i = 0; i < want.size(); ++i) close(got[i], want[i]);
  CHECK(tap_of(*made.block, {Var(x), Var(context), mask}, "net.received").values()[3] == 0);
  CHECK(fails_with(
      [&] {
        (*made.block)(Vars{Var(x), Var(context), Var(Tensor::zeros({1, 4}, DType::boolean))});
      },
      "expected a mask N x S = 1x5, got 1x4"));
}

TEST_CASE("kernel attention and the linear attention mechanism are their definitions, for maps that are not square") {
  const F64 f64;
  const Tensor x = random_tensor({2, 8, 3, 5}, 1);
  const Rows tokens = rows_of(x, 1);
  for (const std::string name : {"kernel_attention", "lam_position"}) {
    const MadeBlock made = make_block(name, 8, {{"reduction", "2"}});
    randomise(*made.store);
    const bool kernel = name == "kernel_attention";
    const auto unit = [](V v) {
      const double norm = std::sqrt(dot(v, v));
      for (double& a : v) a /= norm;
      return v;
    };
    Rows q = projected(tokens, *made.store, "query_conv"), k = projected(tokens, *made.store, "key_conv");
    for (V& row : q) row = kernel ? mapped(row, softplus_of) : unit(row);
    for (V& row : k) row = kernel ? mapped(row, softplus_of) : unit(row);
    const Rows y = all_pairs(q, k, projected(tokens, *made.store, "value_conv"), 1, 0, false, k.size(),
                             [&](const V& a, const V& b) { return dot(a, b) + (kernel ? 0 : 1); });
    const double gamma = made.store->find("net.gamma")->value.value().item();
    const Rows got = rows_of((*made.block)(Var(x)).value(), 1);
    for (std::size_t i = 0; i < got.size(); ++i) {
      V want = tokens[i];
      for (std::size_t c = 0; c < want.size(); ++c) want[c] += gamma * y[i][c];
      close(got[i], want, 1e-5);  // eps is not in the definition
    }
    const Tensor received = tap_of(*made.block, {Var(x)}, "net.spatial");
    CHECK(received.shape() == Shape{2, 1, 3, 5});
    double sum = 0;
    for (const double v : received.values()) sum += v;
    CHECK(sum == Approx(2).epsilon(1e-5));
  }
}

TEST_CASE("performer comes near softmax attention as its features grow") {
  const F64 f64;
  const Tensor q = random_tensor({1, 1, 6, 4}, 1), k = random_tensor({1, 1, 6, 4}, 2), v = random_tensor({1, 1, 6, 3}, 3);
  const auto rows = [](const Tensor& t) { return rows_of(t.reshape({1, 6, -1})); };
  for (const bool causal : {false, true}) {
    const Rows want =
        all_pairs(rows(q), rows(k), rows(v), 1, 0, causal, 6, [](const V& a, const V& b) { return std::exp(dot(a, b) / 2); });
    V errors;
    for (const char* features : {"16", "20000"}) {
      const MadeBlock made = make_block("favor", 4, {{"nb_features", features}, {"causal", causal ? "true" : "false"}});
      made.store->to(DType::f64);
      const Rows got = rows((*made.block)(Vars{Var(q), Var(k), Var(v)}).front().value());
      double worst = 0;
      for (std::size_t i = 0; i < 6; ++i)
        for (std::size_t c = 0; c < 3; ++c) worst = std::max(worst, std::abs(got[i][c] - want[i][c]));
      errors.push_back(worst);
    }
    CHECK(errors[1] < 0.1);  // the error falls with the root of the number of features
    CHECK(errors[1] < errors[0]);
  }
}

TEST_CASE("performer's directions are orthogonal, as long as Gaussian ones, and drawn anew only in training") {
  Tensor w = Tensor::empty({10, 4});
  Random random(3);
  orthogonal_features(true)(w, random);
  for (std::int64_t i = 0; i < 10; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      const double product = dot(w.slice(0, i, i + 1).values(), w.slice(0, j, j + 1).values());
      if (i == j) CHECK(product == Approx(4).epsilon(1e-5));
      else if (i / 4 == j / 4) CHECK(std::abs(product) < 1e-5);
    }
  Tensor many = Tensor::empty({4000, 4});
  orthogonal_features(false)(many, random);
  CHECK(dot(many.values(), many.values()) / 4000 == Approx(4).epsilon(0.1));

  const MadeBlock made = make_block("performer", 8, {{"heads", "2"}, {"redraw_interval", "2"}});
  const auto directions = [&] { return made.store->find("net.fast_attention.projection_matrix")->value.value().values(); };
  CHECK(directions().size() == 5 * 4);  // floor(4 ln 4) = 5
  const auto first = directions();
  const Var x(random_tensor({1, 5, 8}, 1).to(DType::f32));
  for (int i = 0; i < 3; ++i) (*made.block)(x);
  CHECK(directions() == first);
  const Training training(random);
  (*made.block)(x);
  CHECK(directions() == first);
  (*made.block)(x);
  CHECK(directions() != first);
}

TEST_CASE("linformer with the identity for a mixture is softmax attention") {
  const F64 f64;
  for (const Options& more : {Options{}, Options{{"one_kv_head", "true"}}, Options{{"share_kv", "true"}}}) {
    Options options{{"heads", "2"}, {"length", "7"}, {"k", "5"}};
    options.insert(more.begin(), more.end());
    const MadeBlock made = make_block("linformer", 6, options);
    randomise(*made.store);
    V eye(35, 0.0);
    for (std::size_t i = 0; i < 5; ++i) eye[i * 6] = 1;
    for (const char* name : {"net.proj_k", "net.proj_v"})
      if (const auto* e = made.store->find(name)) Var(e->value).set_value(Tensor::from(eye, {7, 5}));
    const Tensor x = random_tensor({1, 5, 6}, 1);
    const auto doubled = [&](Rows rows) {
      if (rows[0].size() == 3)
        for (V& row : rows) row.insert(row.end(), row.begin(), row.begin() + 3);
      return rows;
    };
    const Rows k = doubled(projected(rows_of(x), *made.store, "to_k")),
               v = more.count("share_kv") ? k : doubled(projected(rows_of(x), *made.store, "to_v"));
    const Rows y = all_pairs(projected(rows_of(x), *made.store, "to_q"), k, v, 2, 0, false, 5,
                             [](const V& a, const V& b) { return std::exp(dot(a, b) / std::sqrt(3.0)); });
    const Rows got = rows_of((*made.block)(Var(x)).value()), want = projected(y, *made.store, "to_out");
    for (std::size_t i = 0; i < want.size(); ++i) close(got[i], want[i]);
    CHECK(tap_of(*made.block, {Var(x)}, "net.attention").shape() == Shape{1, 2, 5, 5});
    CHECK((made.store->find("net.proj_v") == nullptr) == (more.count("share_kv") > 0));
    CHECK(fails_with([&] { (*made.block)(Var(random_tensor({1, 8, 6}, 1))); }, "made for up to 7 tokens, got 8"));
  }
}

TEST_CASE("attention of linear cost: gradients of every variant") {
  const Tensor tokens = random_tensor({2, 5, 6}, 1), context = random_tensor({2, 7, 6}, 2), map = random_tensor({2, 6, 3, 4}, 3);
  for (const char* causal : {"false", "true"}) {
    check_block("linear_attention", 6, {tokens}, {{"heads", "2"}, {"d_values", "2"}, {"d_keys", "3"}, {"causal", causal}});
    check_block("performer", 6, {tokens},
                {{"heads", "2"}, {"nb_features", "5"}, {"eps", "0"}, {"causal", causal}, {"qkv_bias", "true"}});
    check_block("performer", 6, {tokens}, {{"heads", "3"}, {"nb_features", "4"}, {"kernel", "softplus"}, {"causal", causal}});
    check_block("performer", 6, {tokens}, {{"heads", "3"}, {"kernel", "none"}, {"causal", causal}});
  }
  check_block("linear_attention", 6, {tokens, context}, {{"heads", "3"}, {"feature", "softplus"}});
  check_block("linformer", 6, {tokens}, {{"heads", "2"}, {"length", "9"}, {"k", "4"}});
  check_block("linformer", 6, {tokens, context},
              {{"heads", "2"}, {"length", "9"}, {"k", "4"}, {"one_kv_head", "true"}, {"share_kv", "true"}});
  check_block("lam_position", 6, {map}, {{"reduction", "2"}});
  check_block("lam_channel", 6, {map});
  check_block("kernel_attention", 6, {map}, {{"reduction", "3"}, {"feature", "elu"}});
}

TEST_CASE("attention of linear cost: four times the positions, at most four times the work, and no value of positions squared") {
  const Shape tokens{1, 1024, 32}, map{1, 32, 32, 32};
  for (const auto& [name, options] :
       std::vector<std::pair<std::string, Options>>{{"linear_attention", {}},
                                                    {"linear_attention", {{"causal", "true"}}},
                                                    {"performer", {}},
                                                    {"performer", {{"causal", "true"}}},
                                                    {"linformer", {{"length", "4096"}, {"k", "16"}}},
                                                    {"lam_position", {}},
                                                    {"lam_channel", {}},
                                                    {"kernel_attention", {}},
                                                    {"non_local", {{"mode", "dot_product"}}}}) {
    INFO(name);
    const bool flat = Registry::global().at(name).kind == Kind::tokens;
    const auto [less, small] = cost(name, flat ? tokens : map, options);
    const auto [more, large] = cost(name, flat ? Shape{1, 4096, 32} : Shape{1, 32, 64, 64}, options);
    CHECK(less > 0);
    CHECK(more <= 4 * less);
    CHECK(large <= 4 * 4096 * 64);
  }
}

TEST_CASE("attention of linear cost: the messages of wrong options") {
  const auto refuses = [](const std::string& name, const Options& options, const std::string& text) {
    return fails_with([&] { make_block(name, 6, options); }, text);
  };
  CHECK(refuses("linear_attention", {{"heads", "4"}}, "6 channels do not divide into 4 heads"));
  CHECK(refuses("linear_attention", {{"heads", "2"}, {"feature", "eluu"}}, "did you mean 'elu'?"));
  CHECK(refuses("performer", {{"heads", "2"}, {"kernel", "softmx"}}, "no feature map is called 'softmx'"));
  CHECK(refuses("performer", {{"heads", "2"}, {"ortho_scaling", "2"}}, "expected ortho_scaling 0 or 1, got 2"));
  CHECK(refuses("linformer", {{"heads", "0"}}, "expected at least one head, got 0"));
  CHECK(refuses("lam_position", {{"reduction", "0"}}, "expected reduction above 0, got 0"));
}
