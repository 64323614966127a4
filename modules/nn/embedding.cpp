#include "modules/nn/embedding.hpp"

#include <cmath>

#include "modules/autograd/tap.hpp"
#include "modules/nn/constant.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/take.hpp"

namespace fovea {
namespace {

Init with_padding(const Init& rows, std::int64_t padding) {
  return [rows, padding](Tensor& t, Random& random) {
    rows(t, random);
    if (padding >= 0) t.slice(0, padding, padding + 1).fill(0);
  };
}

}  // namespace

Embedding::Embedding(const Scope& s, const Options& o) : path_(s.path()), padding_(o.padding) {
  check(o.count > 0 && o.width > 0 && o.padding < o.count, s.path(),
        ": embedding: expected at least one row and column, and a padding below ", o.count, ", got ", o.count, " x ", o.width,
        " and padding ", o.padding);
  weight = s.param("weight", {o.count, o.width}, with_padding(o.init ? o.init : init::normal(0, 1), o.padding));
}

Var Embedding::operator()(const Var& numbers) const {
  PathScope where(path_);
  return embedding(weight, numbers, padding_);
}

Tensor sinusoid_positions(std::int64_t length, std::int64_t width, std::int64_t first) {
  check(length >= 0 && width > 0 && first >= 0, "sinusoid_positions: expected sizes, got ", length, " x ", width, " from ",
        first);
  Tensor t = Tensor::empty({length, width});
  for (std::int64_t p = 0; p < length; ++p)
    for (std::int64_t i = 0; i < width; ++i) {
      const double rate = std::pow(10000.0, -static_cast<double>(i - i % 2) / static_cast<double>(width));
      const double angle = static_cast<double>(first + p) * rate;
      t.data<float>()[p * width + i] = static_cast<float>(i % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  return t;
}

Positions::Positions(const Scope& s, Kind kind, std::int64_t most, std::int64_t width) : kind_(kind), most_(most) {
  if (kind == Kind::learned) weight_ = s.param("weight", {most, width}, init::normal(0, 0.02));
}

Var Positions::operator()(const Var& tokens, std::int64_t first) const {
  if (kind_ == Kind::none) return tokens;
  check(tokens.shape().rank() == 3, "positions: expected tokens N x L x C, got ", tokens.shape());
  const std::int64_t length = tokens.dim(1), width = tokens.dim(2);
  if (kind_ == Kind::sinusoid) return tokens + constant_like(sinusoid_positions(length, width, first), tokens);
  check(first >= 0 && first + length <= most_, "positions: expected at most ", most_, " tokens, got ", first + length);
  return tokens + reshape(slice(weight_, 0, first, first + length), {1, length, width});
}

Positions::Kind positions_kind(const std::string& name, const std::string& where) {
  if (name == "none") return Positions::Kind::none;
  if (name == "sinusoid") return Positions::Kind::sinusoid;
  check(name == "learned", where, ": expected positions none, sinusoid or learned, got '", name, "'");
  return Positions::Kind::learned;
}

}  // namespace fovea
