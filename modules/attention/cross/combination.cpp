#include "modules/attention/cross/combination.hpp"

#include <cmath>
#include <numeric>
#include <sstream>

#include "modules/ops/binary.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

// N x L x D . w -> N x L x 1.
Var along(const Var& x, const Var& w) { return linear(x, reshape(w, {1, w.dim(0)})); }
Var as_row(const Var& column) { return permute(column, {0, 2, 1}); }
Var products(const Var& x, const Var& y, const Var& w) { return matmul(x * w, permute(y, {0, 2, 1})); }

Var scores(const std::string& piece, const Var& x, const Var& y, const Var& w) {
  if (piece == "x") return along(x, w);
  if (piece == "y") return as_row(along(y, w));
  if (piece == "x*y") return products(x, y, w);
  if (piece == "x/y") return products(x, pow(y, -1), w);
  if (piece == "x+y") return along(x, w) + as_row(along(y, w));
  return along(x, w) - as_row(along(y, w));
}

}  // namespace

Combination::Combination(const Scope& scope, const std::string& text, std::int64_t x_width, std::int64_t y_width) {
  std::istringstream in(text);
  for (std::string piece; std::getline(in, piece, ',');) {
    std::erase(piece, ' ');
    const bool one = piece == "x" || piece == "y", both = piece == "x*y" || piece == "x+y" || piece == "x-y" || piece == "x/y";
    check(one || both, scope.path(), ": combination: expected pieces x, y, x*y, x+y, x-y or x/y, got '", piece, "' in '", text,
          "'");
    check(one || x_width == y_width, scope.path(), ": combination: expected equal widths for ", piece, ", got ", x_width, " and ",
          y_width);
    pieces_.push_back(piece);
    widths_.push_back(piece == "y" ? y_width : x_width);
  }
  check(!pieces_.empty(), scope.path(), ": combination: expected at least one piece, such as x,y");
  const std::int64_t width = std::accumulate(widths_.begin(), widths_.end(), std::int64_t{0});
  const double bound = std::sqrt(6.0 / static_cast<double>(width + 1));
  weight_ = scope.param("_weight_vector", {width}, init::uniform(-bound, bound));
  bias_ = scope.param("_bias", {1}, init::zeros());
}

Var Combination::operator()(const Var& x, const Var& y) const {
  const Vars weights = split(weight_, 0, widths_);
  Var sum;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const Var piece = scores(pieces_[i], x, y, weights[i]);
    sum = sum.defined() ? sum + piece : piece;
  }
  return expand(sum + bias_, {x.dim(0), x.dim(1), y.dim(1)});
}

}  // namespace fovea
