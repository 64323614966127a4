// Generalised attention, Zhu et al. 2019, arXiv:1904.05873, after mmcv: any of four terms, switched by `terms`, e.g. "1111":
//   1  query and key content     q.k          2  query content and relative position  q.(Rx + Ry)
//   3  key content alone         u.k          4  relative position alone              v.(Rx + Ry)
// y = x + gamma proj_conv(softmax(sum of the terms) value), over h heads of d = C / h channels each, without a 1 / sqrt(d).
// Keys and values come from every kv_stride-th position, queries from every q_stride-th (resized back bilinearly).
// R = appr_geom_fc(e) / sqrt(2), e = [sin(delta / f), cos(delta / f)] with f_i = 1000^(4i/P) and delta in pixels times `magnitude`,
// from column distances for x and row distances for y. Term 3 alone is one map for all queries, and computed once.
// Parameters query_conv.weight (terms 1, 2), key_conv.weight (1, 3), value_conv.weight, appr_geom_fc_x.weight and appr_geom_fc_y.weight
// (2, 4), appr_bias (3), geom_bias (4), proj_conv.weight, proj_conv.bias, gamma: zero, so that a fresh block is the identity.
// Taps "attention": N x h x Lq x Lk; Lq is 1 for term 3 alone; "attention_mean"; "received".
#include <algorithm>
#include <cmath>
#include <tuple>

#include "modules/attention/self/attend.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/resize.hpp"

namespace fovea {
namespace {

// What a key out of range gets on top: its weight is 0 exactly, and a product with 0 stays 0 as -inf's would not.
constexpr float kFar = -1e30f;

struct GeneralizedOptions {
  std::int64_t heads = 9, width = 0, embedding = 0, q_stride = 1, kv_stride = 2, range = -1;
  bool content = true, content_position = true, key = true, position = true;  // the four terms
  double magnitude = 1;
  bool transposed_rows = false;  // mmcv's reading of term 2 without term 4
  std::int64_t channels() const { return heads * width; }
  bool positions() const { return content_position || position; }
  bool key_alone() const { return key && !content && !content_position && !position && range < 0; }
};

// Sizes of the map that queries and keys stand on.
struct Positions {
  std::int64_t batch, rows, columns, key_rows, key_columns;
  std::int64_t queries() const { return rows * columns; }
  std::int64_t keys() const { return key_rows * key_columns; }
};

Var optional_conv(const Scope& s, bool wanted, std::int64_t in, std::int64_t out) {
  return wanted ? s.param("weight", {out, in, 1, 1}, init::kaiming_uniform(1)) : Var();
}
Var optional_linear(const Scope& s, bool wanted, std::int64_t in, std::int64_t out) {
  return wanted ? s.param("weight", {out, in}, init::kaiming_uniform(1)) : Var();
}
Var optional_bias(const Scope& s, const char* name, bool wanted, const GeneralizedOptions& o) {
  const double bound = 1 / std::sqrt(2.0 * static_cast<double>(o.width));
  return wanted ? s.param(name, {o.channels()}, init::uniform(-bound, bound)) : Var();
}

Var every(const Var& x, std::int64_t stride) {
  return stride == 1 ? x : avg_pool2d(x, {.kernel = 1, .stride = static_cast<int>(stride)});
}

class GeneralizedAttention final : public MapBlock {
 public:
  GeneralizedAttention(const Scope& s, std::int64_t c, const GeneralizedOptions& o)
      : MapBlock(s),
        o_(o),
        query_(optional_conv(s / "query_conv", o.content || o.content_position, c, o.channels())),
        key_(optional_conv(s / "key_conv", o.content || o.key, c, o.channels())),
        value_(optional_conv(s / "value_conv", true, c, o.channels())),
        geometry_x_(optional_linear(s / "appr_geom_fc_x", o.positions(), o.embedding / 2, o.channels())),
        geometry_y_(optional_linear(s / "appr_geom_fc_y", o.positions(), o.embedding / 2, o.channels())),
        key_bias_(optional_bias(s, "appr_bias", o.key, o)),
        position_bias_(optional_bias(s, "geom_bias", o.position, o)),
        proj_weight_(s.param("proj_conv.weight", {c, o.channels(), 1, 1}, init::kaiming_uniform(1))),
        proj_bias_(s.param("proj_conv.bias", {c}, init::zeros())),
        gamma_(s.param("gamma", {1}, init::zeros())) {}

 protected:
  Var forward(const Var& x) const override {
    const Var xq = every(x, o_.q_stride), xk = every(x, o_.kv_stride);
    const Positions p{x.dim(0), xq.dim(2), xq.dim(3), xk.dim(2), xk.dim(3)};
    const Var values = permute(reshape(tokens(value_, xk), {p.batch, p.keys(), o_.heads, o_.width}), {0, 2, 1, 3});
    const std::int64_t rows = o_.key_alone() ? 1 : p.rows, columns = o_.key_alone() ? 1 : p.columns;
    AttentionOptions unscaled;
    unscaled.scale = 1;
    const Var read = permute(attend(queries(xq, p), keys(xk, p), values, {}, {}, unscaled), {0, 2, 1, 3});
    const Var map = permute(reshape(read, {p.batch, rows, columns, o_.channels()}), {0, 3, 1, 2});
    Var out = conv2d(map, proj_weight_, proj_bias_, {});
    if (o_.q_stride > 1 && !o_.key_alone()) out = resize(out, x.dim(2), x.dim(3), Resize::bilinear);
    return x + out * reshape(gamma_, {1, 1, 1, 1});
  }

 private:
  // A 1x1 convolution as positions x channels: N x H x W x hd.
  static Var tokens(const Var& weight, const Var& x) { return permute(conv2d(x, weight, {}, {}), {0, 2, 3, 1}); }

  Var per_head(const Var& bias) const { return reshape(bias, {1, o_.heads, 1, o_.width}); }
  bool contents() const { return o_.content || o_.key; }              // terms 1 and 3
  bool distances() const { return o_.positions() || o_.range >= 0; }  // terms 2 and 4, and what is out of range

  // Every term is a part of one product of widths: the query's content with the key's, what the query says of each key column with a
  // key's own column as a vector of one 1, and the same for rows. So nothing of Lq x Lk is ever held. N x h x Lq x width.
  Var queries(const Var& xq, const Positions& p) const {
    const Var query = query_.defined() ? reshape(tokens(query_, xq), {p.batch, p.rows, p.columns, o_.heads, o_.width}) : Var();
    Vars parts;
    if (o_.content) {
      const Var q = permute(reshape(query, {p.batch, p.queries(), o_.heads, o_.width}), {0, 2, 1, 3});
      parts.push_back(o_.key ? q + per_head(key_bias_) : q);
    } else if (o_.key) {
      parts.push_back(expand(per_head(key_bias_), {p.batch, o_.heads, o_.key_alone() ? 1 : p.queries(), o_.width}));
    }
    if (distances()) {
      const auto [along_x, along_y] = axis_scores(query, p);
      parts.push_back(along_x);
      parts.push_back(along_y);
    }
    return parts.size() == 1 ? parts[0] : concat(parts, 3);
  }

  Var keys(const Var& xk, const Positions& p) const {  // N x h x Lk x width
    Vars parts;
    if (contents()) parts.push_back(permute(reshape(tokens(key_, xk), {p.batch, p.keys(), o_.heads, o_.width}), {0, 2, 1, 3}));
    if (distances()) {
      const std::int64_t width = p.key_columns + p.key_rows;
      Tensor own = Tensor::zeros({1, 1, p.keys(), width});
      for (std::int64_t k = 0; k < p.keys(); ++k)
        own.data<float>()[k * width + k % p.key_columns] = own.data<float>()[k * width + p.key_columns + k / p.key_columns] = 1;
      parts.push_back(expand(Var(own.to(type())), {p.batch, o_.heads, p.keys(), width}));
    }
    return parts.size() == 1 ? parts[0] : concat(parts, 3);
  }

  // What queries say of key columns and of key rows: N x h x Lq x key columns, and x key rows.
  std::pair<Var, Var> axis_scores(const Var& query, const Positions& p) const {
    Var x, y;
    if (o_.positions()) std::tie(x, y) = position_scores(query, p);
    if (o_.range >= 0) {
      const Var far_x = reshape(far(p.columns, p.key_columns), {1, 1, 1, p.columns, p.key_columns});
      const Var far_y = reshape(far(p.rows, p.key_rows), {1, 1, p.rows, 1, p.key_rows});
      x = x.defined() ? x + far_x : far_x;
      y = y.defined() ? y + far_y : far_y;
    }
    const auto every_query = [&](const Var& v) {
      const std::int64_t keys = v.dim(4);
      return reshape(expand(v, {p.batch, o_.heads, p.rows, p.columns, keys}), {p.batch, o_.heads, p.queries(), keys});
    };
    return {every_query(x), every_query(y)};
  }

  // Terms 2 and 4 by columns and by rows: (N or 1) x h x (rows or 1) x columns x key columns, and x rows x (columns or 1) x key rows.
  std::pair<Var, Var> position_scores(const Var& query, const Positions& p) const {
    const Var along_x = relative(geometry_x_, p.columns, p.key_columns), along_y = relative(geometry_y_, p.rows, p.key_rows);
    Var q;  // (N or 1) x h x (rows or 1) x (columns or 1) x d
    if (o_.position) q = reshape(position_bias_, {1, o_.heads, 1, 1, o_.width});
    if (o_.content_position) {
      const Var content = permute(query, {0, 3, 1, 2, 4});
      q = q.defined() ? content + q : content;
    }
    return {permute(matmul(permute(q, {0, 1, 3, 2, 4}), along_x), {0, 1, 3, 2, 4}),
            matmul(o_.transposed_rows ? transposed(q, p) : q, along_y)};
  }

  // What mmcv multiplies the row distances with: the query of row i and column j where that of j and i belongs.
  static Var transposed(const Var& q, const Positions& p) {
    check(p.rows == p.columns, "generalized_attention: reading: mmcv takes square maps only, got ", p.rows, " x ", p.columns,
          " queries; use reading: fixed");
    return permute(q, {0, 1, 3, 2, 4});
  }

  // R / sqrt(2) of one axis: 1 x h x queries x d x keys.
  Var relative(const Var& weight, std::int64_t queries, std::int64_t keys) const {
    const std::int64_t quarter = o_.embedding / 4;
    std::vector<double> e(static_cast<std::size_t>(queries * keys * 2 * quarter));
    for (std::int64_t i = 0, at = 0; i < queries; ++i)
      for (std::int64_t j = 0; j < keys; ++j)
        for (std::int64_t k = 0; k < 2 * quarter; ++k, ++at) {
          const auto delta = static_cast<double>(i * o_.q_stride - j * o_.kv_stride) * o_.magnitude;
          const double f = std::pow(1000.0, static_cast<double>(k % quarter) / static_cast<double>(quarter));
          e[static_cast<std::size_t>(at)] = (k < quarter ? std::sin(delta / f) : std::cos(delta / f)) / std::sqrt(2.0);
        }
    const Var embedding(Tensor::from(e, {queries * keys, 2 * quarter}).to(type()));
    return permute(reshape(linear(embedding, weight), {1, queries, keys, o_.heads, o_.width}), {0, 3, 1, 4, 2});
  }

  // Of constants: that of the parameters, which have no values while shapes are traced.
  DType type() const {
    const Tensor& values = value_.state()->value;
    return values.defined() ? values.dtype() : DType::f32;
  }

  // 0, and kFar where a key lies more than `range` from the query along one axis; mmcv's rounding to the keys' grid.
  Var far(std::int64_t queries, std::int64_t keys) const {
    const std::int64_t s = o_.kv_stride;
    Tensor t = Tensor::zeros({queries, keys});
    for (std::int64_t q = 0; q < queries; ++q)
      for (std::int64_t k = 0; k < keys; ++k)
        if (k < std::max<std::int64_t>(0, q - o_.range) / s || k > (q + o_.range + 1) / s) t.data<float>()[q * keys + k] = kFar;
    return Var(t.to(type()));
  }

  GeneralizedOptions o_;
  Var query_, key_, value_, geometry_x_, geometry_y_, key_bias_, position_bias_, proj_weight_, proj_bias_, gamma_;
};

}  // namespace

FOVEA_BLOCK(generalized_attention, "self-attention of content and relative position, each term by choice",
            "Zhu et al. 2019, arXiv:1904.05873") {
  GeneralizedOptions o;
  const std::string terms = args.get("terms", "1111", "query-key, query-position, key, position: 1 on, 0 off");
  o.heads = args.get("heads", static_cast<int>(std::min<std::int64_t>(9, channels)),
                     "heads of channels / heads each; 9 where there are as many channels");
  o.kv_stride = args.get("kv_stride", 2, "keys and values from every such position");
  o.q_stride = args.get("q_stride", 1, "queries from every such position");
  const int embedding = args.get("position_embedding_dim", -1,
                                 "P, width of the distance's encoding, a multiple of 4 (-1: the channels, rounded up to one)");
  o.magnitude = args.get("magnitude", 1.0, "multiplies distances");
  o.range = args.get("spatial_range", -1, "keys farther than so many pixels along an axis are left out (-1: none)");
  const std::string reading =
      args.get("reading", "fixed", "term 2 without term 4: fixed, or mmcv (rows and columns of the query exchanged)");
  check(terms.size() == 4 && terms.find_first_not_of("01") == std::string::npos && terms != "0000", args.where(),
        ": terms: expected four digits 0 or 1, not all 0, got '", terms, "'");
  check(reading == "fixed" || reading == "mmcv", args.where(), ": reading: expected fixed or mmcv, got '", reading, "'");
  check(o.heads > 0 && o.heads <= channels, args.where(), ": heads: expected 1 to ", channels, ", got ", o.heads);
  check(o.kv_stride > 0 && o.q_stride > 0, args.where(), ": kv_stride and q_stride must be positive");
  o.content = terms[0] == '1', o.content_position = terms[1] == '1', o.key = terms[2] == '1', o.position = terms[3] == '1';
  o.width = channels / o.heads;
  o.embedding = embedding > 0 ? embedding : (channels + 3) / 4 * 4;
  check(!o.positions() || o.embedding % 4 == 0, args.where(), ": position_embedding_dim: expected a multiple of 4, got ",
        o.embedding);
  o.transposed_rows = reading == "mmcv" && o.content_position && !o.position;
  return std::make_unique<GeneralizedAttention>(scope, channels, o);
}

}  // namespace fovea
