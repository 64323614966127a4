#include "modules/heads/text_decoder.hpp"

#include "modules/ops/expand.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {
namespace {

HeadInfo info_of(std::int64_t width, int stride) {
  return {"caption",
          {},
          {{"places",
            "features of places",
            {OutputAxis::batch(), OutputAxis::constant(width), OutputAxis::height(1, stride), OutputAxis::width(1, stride)}}}};
}

// N x E x h x w -> N x L x E
Var flat(const Var& places) {
  check(places.shape().rank() == 4, "text decoder: expected places N x E x h x w, got ", places.shape());
  return permute(reshape(places, {places.dim(0), places.dim(1), places.dim(2) * places.dim(3)}), {0, 2, 1});
}

// Each row `times` times, one behind the other.
Var repeated(const Var& rows, std::int64_t times) {
  if (times == 1) return rows;
  const std::int64_t n = rows.dim(0), l = rows.dim(1), e = rows.dim(2);
  return reshape(expand(reshape(rows, {n, 1, l, e}), {n, times, l, e}), {n * times, l, e});
}

}  // namespace

TextDecoderHead::TextDecoderHead(const Scope& s, const Feature& in, const Options& o)
    : Head(s, info_of(o.width > 0 ? o.width : in.channels, in.stride)), words_(o.words), most_(o.most) {
  if (o.width > 0) project_.emplace(s / "project", Conv2d::Options{.in = in.channels, .out = o.width});
}

TextDecoderHead::Options TextDecoderHead::read(Args& args) {
  Options o;
  o.words = args.get("words", 4, "how many the text encoder knows; a training sets it", {4, 1'000'000});
  o.width = args.get("width", 512, "channels of the places; 0: those of the feature", {0, 65536});
  o.most = args.get("most", 24, "longest sentence in words, its end too", {2, 512});
  o.dropout = args.get("dropout", 0.5, "of the decoder, in training", {0, 0.99});
  return o;
}

Vars TextDecoderHead::forward(const Vars& features) const {
  check(!features.empty() && features.back().shape().rank() == 4, "expected a map N x C x h x w");
  return {tap("places", project_ ? (*project_)(features.back()) : features.back())};
}

TextDecoderHead::Written TextDecoderHead::write(const Var& places, const Tensor& words) const {
  const Var rows = flat(places);
  check(words.rank() == 2 && words.dtype() == DType::s64 && words.dim(0) > 0 && words.dim(0) % rows.dim(0) == 0 &&
            words.dim(1) > 0 && words.dim(1) <= most_,
        "text decoder: expected numbers of words, the same count of rows for each of ", rows.dim(0), " pictures and at most ",
        most_, " columns, got ", name_of(words.dtype()), " ", words.shape());
  return write_along(repeated(rows, words.dim(0) / rows.dim(0)), words);
}

Vars TextDecoderHead::begin(const Var& places) const { return begin_at(flat(places)); }

Tensor TextDecoderHead::said(const Tensor& words) {
  Tensor out = Tensor::empty(words.shape(), DType::boolean);
  for (std::int64_t i = 0; i < words.size(); ++i) out.data<bool>()[i] = words.data<std::int64_t>()[i] != kPad;
  return out;
}

}  // namespace fovea
